"""The gate as the first stage of derivation: which new memories stay in the index and are derived from.

What it compares a memory with is bounded (the newest memories of each band, the last of its session), so that a turn
costs the same in a store of a million as in one of a thousand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mnemos.gate.echoes import Echo
from mnemos.gate.filler import Filler
from mnemos.gate.minhash import bands, shingles, similarity
from mnemos.gate.policy import Arrival, Near, Policy, Verdict
from mnemos.gate.repeats import NearRepeat, core
from mnemos.recall.words import split
from mnemos.stages import Again, Batch, own
from mnemos.store import decisions, kept, sketches
from mnemos.store.rows import Stored
from mnemos.store.superseding import wake

GATED = ("turn", "note")
"""Kinds that may leave the index by themselves; a document or a fact was given on purpose."""
SESSION = 6
"""Memories of the session before one that it is compared with."""
CANDIDATES = 24
"""Memories in all with which one is compared."""
REASONS = ("filler", "repeat", "echo")
"""Why the gate lets memories rest; those that rest for another reason are not its business."""
REST, ADMIT, REPEAT = "rest", "admit", "repeat"
"""Decisions: to leave the index, to come back for good, to stay though said before."""
_HELD = 2048
"""Memories whose words are kept at hand while a batch is read."""


class _Read(NamedTuple):
    stored: Stored
    words: tuple[str, ...]
    shingles: frozenset[int]


class GateStage:
    """Judges every new memory by its policies, in order."""

    name = "gate"

    def __init__(self, policies: Sequence[Policy] = (Echo(), Filler(), NearRepeat())) -> None:
        self.policies = tuple(policies)

    @property
    def again(self) -> Mapping[str, Again]:
        """The gate derives no memories."""
        return {}

    def take(self, batch: Batch) -> None:
        """Let what is filler, repeated or an echo rest."""
        held: OrderedDict[int, _Read] = OrderedDict()
        for stored in batch.memories:
            if stored.memory.kind in GATED:
                self._judge(batch, stored, held)

    def _judge(self, batch: Batch, stored: Stored, held: OrderedDict[int, _Read]) -> None:
        read = _read(stored)
        found = bands(read.shingles)
        namespace = batch.namespace(stored.num)
        arrival = look(batch, read, found, namespace, held)
        verdict, policy = None, ""
        if not is_admitted(batch, stored):
            for one in self.policies:
                if (verdict := one.judge(arrival)) is not None:
                    policy = one.name
                    break
        settle(batch, stored, verdict, policy, arrival)
        if stored.memory.version > 1:
            _reconsider(batch, read)
        # what rests is found through what it repeats
        sketches.write(batch.connection, namespace, stored.num, [] if verdict is not None and verdict.rests else found)
        held[stored.num] = read
        if len(held) > _HELD:
            held.popitem(last=False)


def look(
    batch: Batch, read: _Read, found: Sequence[int], namespace: int, held: OrderedDict[int, _Read] | None = None
) -> Arrival:
    """A memory beside those that it may repeat."""
    at_hand = {} if held is None else held
    memory, num = read.stored.memory, read.stored.num
    session = sketches.session_before(batch.connection, namespace, memory.session_id, num, SESSION)
    shared = sketches.near(batch.connection, namespace, found, num)
    chosen = sorted(shared, key=lambda other: (-shared[other], -other))[: CANDIDATES - len(session)]
    others: dict[int, _Read] = {}
    for other in dict.fromkeys([*session, *chosen]):
        known = at_hand.get(other) or _fetched(batch, other)
        if known is not None and known.stored.memory.resting is None:
            others[other] = known
    near = [
        Near(other, known.stored.memory, known.words, similarity(read.shingles, known.shingles))
        for other, known in others.items()
    ]
    return Arrival(
        memory,
        read.words,
        [others[other].stored.memory for other in session if other in others],
        sorted(near, key=lambda one: (-one.similarity, -one.num)),
    )


def settle(batch: Batch, stored: Stored, verdict: Verdict | None, policy: str, arrival: Arrival) -> None:
    """Follow a verdict; a memory whose words no longer give the reason for which it rested comes back."""
    if (verdict is None or not verdict.rests) and stored.memory.resting in REASONS:
        _wake(batch, stored)
    if verdict is None:
        return
    detail = {"novelty": round(arrival.novelty, 3), **verdict.detail}
    known = any(one.op in (REST, REPEAT) and one.other == verdict.other for one in made_about(batch, stored.num))
    if verdict.rests and known and stored.memory.resting == verdict.why:
        return
    if verdict.rests:
        batch.rest(stored.num, verdict.why, policy, verdict.other, detail)
    elif not known:
        batch.decide(stored.num, REPEAT, policy, verdict.other, detail)
    if verdict.strengthens and verdict.other is not None and not known:
        batch.strengthen(verdict.other)


def made_about(batch: Batch, num: int) -> list[decisions.Decision]:
    """What was decided about a memory, undone or not."""
    return decisions.about(batch.connection, num)


def _reconsider(batch: Batch, changed: _Read) -> None:
    """Let back what rests on account of a memory that says something else now, or is trusted less."""
    for decision, num in kept.resting_on(batch.connection, changed.stored.num):
        other = _fetched(batch, num)
        if other is not None and (
            core(other.words) != core(changed.words) or changed.stored.memory.trust < other.stored.memory.trust
        ):
            kept.let_back(batch.connection, decision, num, batch.now)


def _wake(batch: Batch, stored: Stored) -> None:
    for made in made_about(batch, stored.num):
        if made.op == REST and made.undone_at is None and made.detail.get("why") in REASONS:
            decisions.release(batch.connection, made.id, batch.now)
    wake(batch.connection, stored.num)
    batch.touch([stored.num])


def is_admitted(batch: Batch, stored: Stored) -> bool:
    """Whether a person has said that a memory stays: by a pin, by `admit`, or by undoing that it rested."""
    if stored.memory.pinned:
        return True
    made = made_about(batch, stored.num)
    return any(
        (one.op == ADMIT) == (one.undone_at is None)
        for one in made
        if one.op in (ADMIT, REST) and not one.detail.get("released")
    )


def beside(batch: Batch, stored: Stored) -> Arrival:
    """A memory that was read before, as it would be judged now."""
    read = _read(own(stored))
    return look(batch, read, bands(read.shingles), batch.namespace(stored.num))


def _read(stored: Stored) -> _Read:
    words = tuple(split(stored.memory.text))
    return _Read(stored, words, shingles(words) if words else frozenset())


def _fetched(batch: Batch, num: int) -> _Read | None:
    stored = batch.fetch(num)
    return None if stored is None else _read(stored)
