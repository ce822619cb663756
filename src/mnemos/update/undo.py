"""Undoing a decision, for good: derivation asks whether a person has undone it before it decides the same again."""

from __future__ import annotations

from collections.abc import Callable

from mnemos.entities.resolve import ALIAS
from mnemos.facts.stage import MERGE, FactStage
from mnemos.gate.reversing import derive_late, unadmit, unrepeat
from mnemos.gate.stage import ADMIT, REPEAT
from mnemos.stages import Batch
from mnemos.store import decisions, entities, forgetting, forming, superseding
from mnemos.store.decisions import Decision
from mnemos.store.deriving import derived_from
from mnemos.store.superseding import SUPERSEDE, SUPERSEDES
from mnemos.update.conflict import resolve

AWAKE = ("rest", "forget")
"""Decisions that took a memory out of the index."""


def undo(batch: Batch, decision: Decision) -> bool:
    """Reverse a decision and what followed from it; False where decisions of its sort cannot be undone."""
    reverse = _REVERSE.get(decision.op)
    if reverse is None:
        return False
    if decision.undone_at is None:
        decisions.mark_undone(batch.connection, decision.id, batch.now)
        reverse(batch, decision)
    return True


def _reopen(batch: Batch, decision: Decision) -> None:
    """Let the older fact stand beside the newer one, until what else superseded it, if anything did."""
    if decision.other is None:
        return
    older, newer = decision.memory, decision.other
    superseding.reopen(batch.connection, older, newer, decision.detail.get("was_until"), batch.now)
    _mark(batch, newer, SUPERSEDES, older)
    batch.touch([newer])
    batch.derive_again(derived_from(batch.connection, newer))


def _reopen_from_newer(batch: Batch, decision: Decision) -> None:
    if decision.other is None:
        return
    for made in decisions.about(batch.connection, decision.other):
        if made.op == SUPERSEDE and made.other == decision.memory and made.undone_at is None:
            decisions.mark_undone(batch.connection, made.id, batch.now)
            _reopen(batch, made)


def _mark(batch: Batch, memory: int, op: str, other: int) -> None:
    for made in decisions.about(batch.connection, memory):
        if made.op == op and made.other == other and made.undone_at is None:
            decisions.mark_undone(batch.connection, made.id, batch.now)


def _unmerge(batch: Batch, decision: Decision) -> None:
    """Give what a memory states a fact of its own."""
    if decision.other is not None:
        FactStage(resolve).unmerge(batch, decision.memory, decision.other)


def _wake(batch: Batch, decision: Decision) -> None:
    """Let a memory that left the index come back into it."""
    superseding.wake(batch.connection, decision.memory)
    batch.touch([decision.memory])
    derive_late(batch, decision.memory)


def _unpin(batch: Batch, decision: Decision) -> None:
    """Let a memory go again that was pinned."""
    forgetting.set_pinned(batch.connection, decision.memory, pinned=False)


def _unexpire(batch: Batch, decision: Decision) -> None:
    """Let a memory end when it would have ended before."""
    forgetting.set_expiry(batch.connection, decision.memory, decision.detail.get("was"))
    batch.touch([decision.memory])


def _unwrite(batch: Batch, decision: Decision) -> None:
    """Let a level that a language model wrote say again what is derived without one."""
    batch.derive_again([decision.memory])


def _move_back(batch: Batch, decision: Decision) -> None:
    """Bring a memory back to the form that it had."""
    forming.take_back(batch.connection, decision, batch.now)


def _part_names(batch: Batch, decision: Decision) -> None:
    """Let a name that was taken for another one's stand for itself."""
    entities.undo_aliases(batch.connection, decision.id, batch.now)


_REVERSE: dict[str, Callable[[Batch, Decision], None]] = {
    SUPERSEDE: _reopen,
    SUPERSEDES: _reopen_from_newer,
    MERGE: _unmerge,
    **dict.fromkeys(AWAKE, _wake),
    "write": _unwrite,
    "summarise": _wake,
    "pin": _unpin,
    "expire": _unexpire,
    ADMIT: unadmit,
    REPEAT: unrepeat,
    ALIAS: _part_names,
    forming.PROMOTE: _move_back,
    forming.DEMOTE: _move_back,
}


def can_undo(op: str) -> bool:
    """Whether decisions of this sort can be undone."""
    return op in _REVERSE
