"""Reversing what the gate decided, and reversing that again."""

from __future__ import annotations

from mnemos.gate.stage import ADMIT, made_about
from mnemos.stages import Batch
from mnemos.store import decisions, jobs
from mnemos.store.decisions import USER, Decision
from mnemos.store.rows import Stored
from mnemos.store.superseding import rest, wake

LEFT = ("rest", "forget")
"""Decisions by which a memory leaves the index."""


def admit(batch: Batch, stored: Stored) -> None:
    """Let a memory come back into the index and stay there, and queue what is derived from it."""
    made = made_about(batch, stored.num)
    if any(one.op == ADMIT and one.undone_at is None for one in made) and stored.memory.resting is None:
        return
    for one in made:
        if one.op in LEFT and one.undone_at is None:
            decisions.mark_undone(batch.connection, one.id, batch.now)
    batch.decide(stored.num, ADMIT, USER, detail={"was": stored.memory.resting} if stored.memory.resting else None)
    if stored.memory.resting is not None:
        wake(batch.connection, stored.num)
        batch.touch([stored.num])
    derive_late(batch, stored.num)


def derive_late(batch: Batch, num: int) -> None:
    """Queue the derivation from a logged memory that came back into the index."""
    if num > 0:
        jobs.enqueue(batch.connection, jobs.DERIVE_LATE, num, batch.now)


def unadmit(batch: Batch, decision: Decision) -> None:
    """Let what was admitted rest again for the reason for which it did."""
    for one in made_about(batch, decision.memory):
        if one.op in LEFT and one.undone_at == decision.at:
            decisions.mark_standing(batch.connection, one.id)
    why = decision.detail.get("was")
    if why is not None:
        rest(batch.connection, decision.memory, why)
        batch.touch([decision.memory])


def unrepeat(batch: Batch, decision: Decision) -> None:
    """Take back the strength that a repeat gave."""
    if decision.other is not None:
        batch.strengthen(decision.other, -1.0)
