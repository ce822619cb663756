"""Carrying out what is planned between forms, with a model: what is made first, what is noted when it is there.

Nothing is noted of what could not be made, and an adapter that serves goes only when the one in its place is there. So
whatever ends a run, an error in the middle of training or the end of the process, everything is as it was before that
step, and the next run goes on from there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mnemos.errors import MnemosError
from mnemos.forms.bound import Bound
from mnemos.forms.measured import Measured
from mnemos.forms.planning import Plan, plan, room_left
from mnemos.forms.standing import View
from mnemos.parametric.course import Settings
from mnemos.records import Move
from mnemos.store import forming
from mnemos.store.artifact_rows import Artifact, ArtifactForm
from mnemos.store.forming import Lower
from mnemos.store.rows import fetch_held
from mnemos.times import to_micros


@dataclass(slots=True)
class Carried:
    """What a run did."""

    promoted: int = 0
    """Memories that the policy moved up."""
    demoted: int = 0
    """Memories that the policy moved down."""
    built: int = 0
    """Memories that were wanted in a form, and whose form was made."""
    left: int = 0
    """Memories that could not be moved, or made."""
    notes: list[str] = field(default_factory=list)
    """Why."""


class Scheduler:
    """Makes forms for one model, on which nothing is. Whoever calls it holds `bound.lock`."""

    def __init__(self, view: View, bound: Bound, costs: Measured, stopped: Callable[[], bool]) -> None:
        self._view = view
        self._bound = bound
        self._costs = costs
        self._stopped = stopped
        self._artifacts = view.artifacts
        self._carried = Carried()

    def run(self, namespaces: Sequence[int]) -> Carried:
        """Do what is planned in these namespaces, by their numbers, or as much as fits before `stopped`."""
        for namespace in namespaces:
            room = room_left(self._artifacts, self._bound.quota)
            planned = plan(self._view, namespace, self._bound.policy, self._costs, room)
            for step in (self._cool, self._block, self._teach):
                if self._stopped():
                    return self._carried
                step(planned)
        return self._carried

    # ── down from keys and values ────────────────────────────────────────────────────────────────────────────

    def _cool(self, planned: Plan) -> None:
        for move in planned.moves:
            if move.source == "activation" and move.target == "text":
                self._note_down(move)
                self._carried.demoted += len(move.memories)

    # ── keys and values ──────────────────────────────────────────────────────────────────────────────────────

    def _block(self, planned: Plan) -> None:
        """Read what is to be read; under a quota with all that is wanted too, so that none of that makes room."""
        moves = [one for one in planned.all if one.target == "activation"]
        if not self._costs.blocks:
            self._refuse_blocks(planned)
        if not moves:
            return
        ids = [one for move in moves for one in move.memories]
        with self._reported(ids, "keys and values"):
            wanted = [] if self._bound.quota is None else self._wanted_beside(ids)
            with self._wanting(ids, "activation"):
                encoded = self._bound.kv.encode([*wanted, *ids])
                there = self._still_wanted([one for one in ids if one in {*encoded.made, *encoded.fresh}])
            for move in moves:
                self._note_block(planned, move, there, encoded.left)

    def _refuse_blocks(self, planned: Plan) -> None:
        """Note why what somebody wants as keys and values is not made for a model that has none to be moved."""
        asked = [one.memory.id for one in planned.standings if one.asked and "activation" in one.wanted - one.has]
        if asked:
            with self._reported(asked, "keys and values"):
                _ = self._bound.kv

    def _wanted_beside(self, ids: Sequence[str]) -> list[str]:
        known = set(ids)
        return [one.memory for one in self._artifacts.wanted(form="activation") if one.memory not in known]

    def _note_block(self, planned: Plan, move: Move, there: set[str], left: Mapping[str, str]) -> None:
        """Note that memories have a block now; out of weights they go when there is an adapter without them."""
        done = [one for one in move.memories if one in there]
        missed = [one for one in move.memories if one not in there]
        for one in missed:
            self._carried.left += 1
            self._carried.notes.append(f"{one} has no block: {left.get(one, 'it went or changed meanwhile')}")
        if move in planned.owed:
            self._carried.built += len(done)
            return
        self._artifacts.unwant(missed, "activation")
        if move.source == "text":
            self._note_up(move, done)
            self._carried.promoted += len(done)

    def _still_wanted(self, ids: Sequence[str]) -> set[str]:
        """Those of some memories that nobody demoted while they were read; the blocks of the others go."""
        wanted = {one.memory for one in self._artifacts.wanted(form="activation", ids=ids)}
        if gone := [one for one in ids if one not in wanted]:
            self._artifacts.drop([one.id for one in self._artifacts.find(form="activation", holding=gone)])
        return wanted

    # ── weights ──────────────────────────────────────────────────────────────────────────────────────────────

    def _teach(self, planned: Plan) -> None:
        """Train the adapter of a namespace, where it does not hold just what it is to hold."""
        moves = [one for one in planned.all if "parametric" in (one.source, one.target)]
        if not moves:
            return
        down = [one for one in moves if one.target != "parametric"]
        up = [one for one in planned.moves if one.target == "parametric"]
        with self._reported([one for move in moves for one in move.memories], "weights"):
            ids = planned.taught()
            if ids and not self._train(planned.adapter, ids):
                return
            for move in down:
                self._note_down(move, adapters=not ids)
                self._carried.demoted += len(move.memories)
            for move in up:
                self._note_up(move, move.memories)
                self._carried.promoted += len(move.memories)
            self._carried.built += sum(len(one.memories) for one in planned.owed if one.target == "parametric")

    def _train(self, adapter: Artifact | None, ids: Sequence[str]) -> bool:
        """Train on all of these; goes on from the adapter that there is where it holds nothing else."""
        held = set() if adapter is None else set(adapter.sources)
        new = [one for one in ids if one not in held]
        goes_on = adapter is not None and held <= set(ids)
        if goes_on and not new:
            return True
        course: Settings = {**self._bound.course, "fresh": not goes_on}
        with self._wanting(ids, "parametric"):
            made = self._bound.weights.train(new if goes_on else ids, **course)
        wanted = {one.memory for one in self._artifacts.wanted(form="parametric")}
        if set(made.sources) <= wanted:
            return True
        self._artifacts.drop([made.id])
        self._carried.left += len(ids)
        self._carried.notes.append("a memory was demoted while it was taught; the adapter was dropped, and waits")
        return False

    # ── noting ───────────────────────────────────────────────────────────────────────────────────────────────

    def _note_up(self, move: Move, ids: Sequence[str]) -> None:
        """Note that the policy has moved memories up; into weights, they leave keys and values.

        What somebody has decided meanwhile stands.
        """
        now, name = to_micros(self._view.now), self._bound.policy.name
        with self._view.db.write() as connection:
            nums = [num for num in _found(connection, ids, now) if not forming.is_asked(connection, num)]
            if move.target == "parametric":
                forming.leave_blocks(connection, nums)
            form: ArtifactForm = "parametric" if move.target == "parametric" else "activation"
            forming.raise_to(connection, nums, form, name, now, move.figures)

    def _note_down(self, move: Move, *, adapters: bool = True) -> None:
        """Note that the policy has moved memories down, and delete what was made of them above.

        `adapters`: those that hold them too; else one without them is in their place already.
        """
        now, name = to_micros(self._view.now), self._bound.policy.name
        to: Lower = "activation" if move.target == "activation" else "text"
        note = forming.lower_to if adapters or move.source != "parametric" else forming.left_weights
        with self._view.db.write() as connection:
            nums = [num for num in _found(connection, move.memories, now) if not forming.is_asked(connection, num)]
            note(connection, nums, to, name, now, move.figures)

    @contextmanager
    def _wanting(self, ids: Sequence[str], form: ArtifactForm) -> Iterator[None]:
        """Want memories in a form while it is made, and let others see it; where it fails, nobody wants them more."""
        before = {one.memory for one in self._artifacts.wanted(form=form, ids=ids)}
        try:
            self._artifacts.want(ids, form)
            with self._artifacts.building(ids, form):
                yield
        except BaseException:
            self._artifacts.unwant([one for one in ids if one not in before], form)
            raise

    @contextmanager
    def _reported(self, ids: Sequence[str], what: str) -> Iterator[None]:
        """What Mnemos refuses, or what went meanwhile, is noted and left for the next run; other errors go on up."""
        try:
            yield
        except MnemosError as error:
            self._carried.left += len(set(ids))
            self._carried.notes.append(f"{len(set(ids)):,} memories were not made {what}: {error}")


def _found(connection: sqlite3.Connection, ids: Sequence[str], now: int) -> list[int]:
    """The numbers of those of some memories that are still there."""
    return [one.num for memory_id in ids if (one := fetch_held(connection, memory_id, now)) is not None]
