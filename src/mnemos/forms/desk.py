"""Where moves are planned and carried out, with the model that is bound or without one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from mnemos.embed.static import StaticEmbedder
from mnemos.forms.measured import Measured
from mnemos.forms.planning import plan, room_left
from mnemos.forms.policy import ByCost, Policy
from mnemos.forms.standing import View
from mnemos.maintenance import Maintained
from mnemos.records import Memory, Move, Namespace
from mnemos.rendering import render
from mnemos.store import forming
from mnemos.store.artifact_rows import block_recipe
from mnemos.store.artifacts import Artifacts
from mnemos.store.database import Database

if TYPE_CHECKING:
    from mnemos.forms.bound import Bound

IN_USE = "forms wait: the model is in use"
NOT_BARE = "forms wait: an adapter is on the model; take it off first"


@dataclass(frozen=True, slots=True)
class Desk:
    """A store, the model that is bound to it, and a moment."""

    db: Database
    artifacts: Artifacts
    bound: Bound | None
    now: datetime
    pending: Mapping[str, int]
    """Uses that are not written yet, by memory."""

    def plan(self, policy: Policy | None, namespaces: Sequence[int] | None) -> list[Move]:
        """What there is to do in these namespaces, by their numbers; None: in all. Writes nothing."""
        costs = self._costs()
        chosen = policy or (ByCost() if self.bound is None else self.bound.policy)
        room = room_left(self.artifacts, None if self.bound is None else self.bound.quota)
        found = []
        for namespace in self._moving() if namespaces is None else namespaces:
            planned = plan(self._view(costs.model), namespace, chosen, costs, room)
            room -= planned.room_taken(costs)
            found += planned.all
        return found

    def carry_out(self, done: Maintained, seconds: float) -> Maintained:
        """Do what there is to do with the model that is bound, for some seconds at most, and tell of it."""
        bound = self.bound
        if bound is None:
            return self._waiting(done)
        if seconds <= 0:
            return done
        from mnemos.forms.scheduler import Scheduler

        end = time.monotonic() + seconds
        with bound.lock.taken_if_free() as is_free:
            if not is_free:
                return replace(done, notes=(IN_USE,))
            fingerprint, is_bare = bound.look()
            if not is_bare:
                return replace(done, notes=(NOT_BARE,))
            own = fingerprint.digest
            costs = bound.costs(self.artifacts, own, self._known(own))
            scheduler = Scheduler(self._view(own), bound, costs, lambda: time.monotonic() >= end)
            carried = scheduler.run(self._moving())
            self._keep(bound.costs(self.artifacts, own, costs))
            self._count(bound)
        return replace(
            done,
            promoted=carried.promoted,
            demoted=carried.demoted,
            built=carried.built,
            unbuilt=carried.left,
            notes=tuple(carried.notes),
        )

    def _waiting(self, done: Maintained) -> Maintained:
        """The same, with what waits for a model."""
        wishes = self.artifacts.wanted()
        if not wishes:
            return done
        made = self.artifacts.find(holding=[one.memory for one in wishes], state="fresh")
        there = {(source, one.form) for one in made for source in one.sources}
        count = sum((one.memory, one.form) not in there for one in wishes)
        note = f"{count:,} forms are wanted and wait: bind(model, tokenizer) names the model that reads them"
        return replace(done, unbuilt=count, notes=(note,)) if count else done

    def _moving(self) -> list[int]:
        with self.db.read() as connection:
            return forming.namespaces_moving(connection, list(self.pending))

    def _view(self, model: str | None) -> View:
        bound, counter = self.bound, StaticEmbedder.bundled().count

        def count(memory: Memory) -> int:
            return counter(render(memory)) if bound is None else bound.tokens(memory)

        recipe = None if bound is None else block_recipe(bound.storage)
        return View(self.db, self.artifacts, self.now, count, model, recipe, self.pending, self._asked())

    def _asked(self) -> dict[Namespace, tuple[int, int]]:
        """Sessions and questions that are not written yet."""
        if self.bound is None:
            return {}
        return {one: (count, self.bound.questions[one]) for one, count in self.bound.sessions.items()}

    def _count(self, bound: Bound) -> None:
        """Write them."""
        if bound.sessions:
            with self.db.write() as connection:
                forming.count_asked(connection, self._asked())
            bound.sessions.clear()
            bound.questions.clear()

    def _known(self, model: str) -> Measured | None:
        """What is known of a model."""
        with self.db.read() as connection:
            told = forming.read_costs(connection).get(model)
        return None if told is None else Measured.from_json(told)

    def _costs(self) -> Measured:
        """Of the model that is bound, tried where it is free; else what is known of it, or of the one bound last."""
        bound = self.bound
        if bound is None:
            with self.db.read() as connection:
                last = next(reversed(forming.read_costs(connection)), None)
            return Measured() if last is None else self._known(last) or Measured()
        with bound.lock.taken_if_free() as is_free:
            fingerprint, is_bare = bound.look()
            known = self._known(fingerprint.digest)
            if is_free and is_bare:
                return bound.costs(self.artifacts, fingerprint.digest, known)
        return known or Measured(model=fingerprint.digest)

    def _keep(self, costs: Measured) -> None:
        """Remember what the model takes, for plans that are made without it."""
        if costs.model is None:
            return
        with self.db.write() as connection:
            if forming.read_costs(connection).get(costs.model) != costs.to_json():
                forming.write_costs(connection, costs.model, costs.to_json())
