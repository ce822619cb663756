"""How a memory stands between its forms: how much it says, how often it is read, how often it changes, who decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mnemos.forms.listing import state_of
from mnemos.records import FormName, Memory, Namespace
from mnemos.store import forming
from mnemos.store.artifact_rows import Artifact, Wanted, is_block
from mnemos.store.artifacts import Artifacts
from mnemos.store.database import Database
from mnemos.store.decisions import USER
from mnemos.store.forming import Mover
from mnemos.store.rows import fetch
from mnemos.times import to_micros

HALF_LIFE = timedelta(days=7)
"""Without a use after which half as many are expected."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a policy knows of one memory."""

    memory: Memory
    form: FormName = "text"
    """The highest in which it is wanted, or is there for the model."""
    tokens: int = 0
    """That a model reads of it; 0: it says nothing."""
    uses: int = 0
    """So far, in all forms; an adapter's count for each of its memories."""
    held_days: float = 1.0
    """Since the store began to hold it, at least 1."""
    idle_days: float = 0.0
    """Since its last use."""
    questions: float = 1.0
    """That one session of its namespace asks, on average, at least 1: what stays on the model serves all of them."""
    changes: int = 0
    """How often its words, or what is true of its matter, have changed."""
    known_days: float = 1.0
    """Since its matter was first spoken of, at least 1."""
    asked: bool = False
    """Whether somebody asked for the form that it has: then it stays there."""
    has: frozenset[FormName] = frozenset({"text"})
    """The forms in which it is there for the model, and fresh."""
    wanted: frozenset[FormName] = frozenset()
    """The forms in which it is wanted."""
    building: frozenset[FormName] = frozenset()
    """Those in which somebody is making it just now."""

    @property
    def uses_per_day(self) -> float:
        """That may be expected from now on: as many as there were, half of that for each week without one."""
        faded: float = 0.5 ** (timedelta(days=self.idle_days) / HALF_LIFE)
        return self.uses / self.held_days * faded

    @property
    def changes_per_day(self) -> float:
        """That may be expected: what never changed is taken to have changed half a time so far (Jeffreys' prior)."""
        return (self.changes + 0.5) / self.known_days


@dataclass(frozen=True, slots=True)
class View:
    """Where a policy looks."""

    db: Database
    artifacts: Artifacts
    now: datetime
    count: Callable[[Memory], int]
    """Tokens that a model reads of a memory."""
    model: str | None = None
    """The fingerprint of the model; None: what any model has counts."""
    recipe: str | None = None
    """What makes its blocks; None: whatever made them."""
    pending: Mapping[str, int] | None = None
    """Uses that are not written yet, by memory."""
    asked: Mapping[Namespace, tuple[int, int]] | None = None
    """Sessions and questions that are not written yet, by namespace."""

    def usable(self, artifact: Artifact) -> bool:
        """Whether an artifact serves this model as it is: a block of one memory, or an adapter; no whole context."""
        if self.model not in (None, artifact.fingerprint) or state_of(artifact, self.now) != "fresh":
            return False
        if artifact.form == "parametric":
            return True
        return is_block(artifact) and len(artifact.sources) == 1 and self.recipe in (None, artifact.recipe)

    def standings(self, namespace: int) -> list[Standing]:
        """How the memories of a namespace stand that were used, are wanted in another form, or are there in one."""
        pending = self.pending or {}
        with self.db.read() as connection:
            found = forming.movers(connection, namespace, to_micros(self.now), list(pending))
            memories = fetch(connection, [one.num for one in found])
            if not memories:
                return []
            path = next(iter(memories.values())).namespace
            counts = forming.read_asked(connection, namespace), (self.asked or {}).get(path, (0, 0))
        sessions, asked = (sum(pair) for pair in zip(*counts, strict=True))
        questions = max(1.0, asked / sessions) if sessions else 1.0
        made = self.artifacts.find(namespace=path)
        adapter = self.adapter(made)
        holding: dict[str, list[Artifact]] = {one.id: [] for one in memories.values()}
        for artifact in made:
            for source in artifact.sources:
                if source in holding:
                    holding[source].append(artifact)
        wishes: dict[str, list[Wanted]] = {one: [] for one in holding}
        for wish in self.artifacts.wanted(ids=list(holding)):
            wishes[wish.memory].append(wish)
        movers = [(memories[one.num], one) for one in found if one.num in memories]
        found_of = [self._standing(one, mover, holding[one.id], wishes[one.id], adapter) for one, mover in movers]
        return [replace(one, questions=questions) for one in found_of]

    def adapter(self, made: Iterable[Artifact]) -> Artifact | None:
        """The adapter that serves this model, of the artifacts of one namespace, the latest first."""
        return next((one for one in made if one.form == "parametric" and self.usable(one)), None)

    def _standing(
        self, memory: Memory, mover: Mover, made: Sequence[Artifact], wishes: Sequence[Wanted], adapter: Artifact | None
    ) -> Standing:
        new = (self.pending or {}).get(memory.id, 0)
        used = [one.used_at for one in made if one.used_at is not None and one.uses]
        last = max([*used, *([self.now] if new else []), memory.last_used_at or memory.created_at or self.now])
        has = {one.form for one in made if self.usable(one) and (one.form == "activation" or one is adapter)}
        wanted: set[FormName] = {one.form for one in wishes}
        form: FormName = next((one for one in ("parametric", "activation") if one in wanted | has), "text")
        by_policy = mover.decided_by not in (None, USER)
        return Standing(
            memory=memory,
            form=form,
            tokens=self.count(memory),
            uses=memory.uses + new + sum(one.uses for one in made),
            held_days=self._days(memory.created_at),
            idle_days=max(0.0, (self.now - last) / DAY),
            changes=mover.changes,
            known_days=max(1.0, (to_micros(self.now) - mover.known_since) / (DAY / timedelta(microseconds=1))),
            asked=mover.decided_by == USER or (bool(wanted) and not by_policy),
            has=frozenset({"text", *has}),
            wanted=frozenset(wanted),
            building=frozenset(one.form for one in wishes if one.building),
        )

    def _days(self, since: datetime | None) -> float:
        return 1.0 if since is None else max(1.0, (self.now - since) / DAY)
