"""The verbs of the gate: why a memory is in the index or out of it, and letting it back in."""

from __future__ import annotations

from dataclasses import dataclass, field

from mnemos.aio import in_thread
from mnemos.errors import NotFound
from mnemos.gate import reversing
from mnemos.gate.stage import GATED, REPEAT, REST, beside, made_about
from mnemos.ids import read_id
from mnemos.keeping import Keeper
from mnemos.records import Change, Memory
from mnemos.stages import Batch
from mnemos.store import kept
from mnemos.store.rows import fetch_id


@dataclass(frozen=True, slots=True)
class Kept:
    """Why a memory is in the index or out of it."""

    id: str
    indexed: bool
    """Whether search finds it."""
    why: str
    """Why, in a word or two: `new`, `repeat`, `filler`, `echo`, `admitted`, `forgotten`, …; `reason` says more."""
    salience: float | None = None
    """How likely it is to be asked for, 0 to 1; None until derivation has read it."""
    novelty: float | None = None
    """How far it is from the earlier memory most like it, 0 to 1; None for what is not judged."""
    repeats: str | None = None
    """The id of the memory that it repeats."""
    repeated_by: tuple[str, ...] = ()
    """Ids of memories that repeat it, and have made it stronger."""
    masked: tuple[str, ...] = ()
    """Kinds of secrets that were masked in it."""
    decisions: tuple[Change, ...] = field(default=())
    """What was decided about it, oldest first; `undo` reverses each by its `decision`."""

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return REASONS.get(self.why, f"it rests: {self.why}")


REASONS = {
    "admitted": "a person let it in, and it stays",
    "pinned": "it is pinned",
    "new": "nothing before it says the same",
    "given": "it was given on purpose, and is not judged",
    "derived": "it is derived from others, and stays with them",
    "unread": "maintain() has not read it yet",
    "repeat": "an earlier memory says the same, and has grown stronger by it",
    "said again": "an earlier memory says the same, but in another conversation or on another day, so both stay",
    "filler": "it greets, thanks or keeps talk going, and says nothing that could be asked for",
    "echo": "it says what recall had just put into a prompt",
    "forgotten": "it was forgotten; the log has its words",
    "summarised": "a level says it in fewer words",
    "hidden": "its sources have changed, and it waits to be derived again",
    "superseded": "the store no longer shows it",
}


class GateVerbs(Keeper):
    """What `Mnemos` does about what got in."""

    def why_kept(self, id: str) -> Kept:
        """Why a memory is in the index or out of it: what was decided, what it repeats, what was masked.

        Raises:
            NotFound: the id is unknown.
        """
        memory_id = read_id(id)
        now = self._now()
        with self._store.db.read() as connection:
            stored = fetch_id(connection, memory_id)
            if stored is None:
                raise NotFound("id", memory_id)
            batch = Batch(connection, [], self._index, now)
            memory = stored.memory
            made = [one for one in made_about(batch, stored.num) if one.undone_at is None]
            judged = stored.num > 0 and memory.kind in GATED
            repeated = next((one.other for one in reversed(made) if one.op in (REST, REPEAT) and one.other), None)
            other = None if repeated is None else batch.fetch(repeated)
            hidden, read = kept.state(connection, stored.num)
            why = _why(memory, [one.op for one in made], judged, hidden, read)
            novelty = round(beside(batch, stored).novelty, 3) if judged else None
            masked = kept.masked(connection, memory_id) or memory.masked
            again = kept.repeated_by(connection, stored.num)
        changes = tuple(change for change in self._store.history(memory_id) if change.decision is not None)
        indexed = memory.resting is None and not hidden and memory.expired_at is None
        return Kept(
            memory_id, indexed, why, memory.salience, novelty, None if other is None else other.memory.id,
            again, masked, changes,
        )  # fmt: skip

    def admit(self, id: str) -> Memory:
        """Let a memory back into the index, to stay there; what is derived from it follows with the next `maintain()`.

        Raises:
            NotFound: the id is unknown.
        """
        memory_id = read_id(id)
        with self._store.db.write() as connection:
            stored = fetch_id(connection, memory_id)
            if stored is None:
                raise NotFound("id", memory_id)
            batch = Batch(connection, [], self._index, self._now())
            reversing.admit(batch, stored)
            admitted = fetch_id(connection, memory_id)
        self._settle()
        return stored.memory if admitted is None else admitted.memory

    awhy_kept = in_thread(why_kept)
    aadmit = in_thread(admit)


def _why(memory: Memory, made: list[str], judged: bool, hidden: bool, read: bool) -> str:
    if memory.resting is not None:
        return memory.resting
    if hidden:
        return "hidden"
    if memory.expired_at is not None:
        return "superseded"
    for op, why in (("admit", "admitted"), ("pin", "pinned"), (REPEAT, "said again")):
        if op in made or (op == "pin" and memory.pinned):
            return why
    if not judged:
        return "derived" if memory.recipe is not None else "given"
    return "new" if read else "unread"
