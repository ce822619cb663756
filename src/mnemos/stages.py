"""What derivation is made of: stages that read new memories in batches, each batch in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mnemos.passages import Index
from mnemos.quoting import own_words
from mnemos.store import decisions, jobs
from mnemos.store.deriving import Derivation, derived_from, reword, standing, write_derived
from mnemos.store.erasing import erase_rows
from mnemos.store.meta import active_embedder
from mnemos.store.projection import MAX_PARTS, replace_units
from mnemos.store.rows import Stored, fetch_num
from mnemos.store.touched import touch


class Batch:
    """Some new memories, and the one transaction in which every stage reads and writes.

    Attributes:
        connection: inside the transaction; SQL belongs into `mnemos.store`.
        memories: logged turns, notes, documents and facts in reading order, without what they quote from recall.
        index: makes passages without waiting for a network; vectors that need one are queued.
        now: microseconds since 1970 UTC.
    """

    def __init__(self, connection: sqlite3.Connection, memories: Sequence[Stored], index: Index, now: int) -> None:
        self.connection = connection
        self.index = index
        self.now = now
        self._memories = {stored.num: own(stored) for stored in memories}

    @property
    def memories(self) -> list[Stored]:
        """All memories of the batch."""
        return list(self._memories.values())

    @property
    def kept(self) -> list[Stored]:
        """Those that are in the index: what facts and levels are derived from."""
        return [stored for stored in self._memories.values() if stored.memory.resting is None]

    def namespace(self, num: int) -> int:
        """The number of a memory's namespace."""
        return int(self.connection.execute("SELECT namespace FROM memories WHERE num = ?", (num,)).fetchone()[0])

    def fetch(self, num: int) -> Stored | None:
        """A memory by number, as it stands now, without what it quotes from recall."""
        stored = fetch_num(self.connection, num)
        return None if stored is None else own(stored)

    def decide(
        self, num: int, op: str, policy: str, other: int | None = None, detail: Mapping[str, Any] | None = None
    ) -> str:
        """Leave a line in a memory's history; returns the id by which it can be undone."""
        return decisions.decide(self.connection, num, op, policy, self.now, other=other, detail=detail)

    def was_undone(self, num: int, op: str, other: int | None = None) -> bool:
        """Whether a person has undone this decision before: then it is not taken again."""
        return decisions.was_undone(self.connection, num, op, other)

    def rest(
        self, num: int, why: str, policy: str, other: int | None = None, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Take a memory out of the index, unless it is pinned or a person has reversed this before."""
        if self.was_undone(num, "rest", other):
            return
        changed = self.connection.execute("UPDATE memories SET resting = ? WHERE num = ? AND pinned = 0", (why, num))
        if changed.rowcount:
            self.decide(num, "rest", policy, other, {"why": why, **(detail or {})})
            self.touch([num])
            self._reread(num)

    def set_salience(self, values: Mapping[int, float]) -> None:
        """Note how likely memories are to be asked for, 0 to 1, by number."""
        self.connection.executemany(
            "UPDATE memories SET salience = ? WHERE num = ?", [(value, num) for num, value in values.items()]
        )

    def strengthen(self, num: int, by: float = 1.0) -> None:
        """Let a repeat add to a memory's strength."""
        self.connection.execute("UPDATE memories SET strength = strength + ? WHERE num = ?", (by, num))

    def derive(self, derivation: Derivation) -> int:
        """Store something derived, or replace what the same derivation said before; returns its number."""
        return self.derive_all([derivation])[0]

    def derive_all(self, derivations: Sequence[Derivation]) -> list[int]:
        """Store several derivations, tokenised and embedded together; returns their numbers.

        One that says the same already is left alone; what is derived from one that changes is hidden, and queued to be
        derived again.
        """
        known = [standing(self.connection, derivation) for derivation in derivations]
        fresh = [derivation for derivation, num in zip(derivations, known, strict=True) if num is None]
        nums = []
        for derivation, units in zip(fresh, self.index([one.source() for one in fresh]), strict=True):
            num = write_derived(self.connection, derivation, self.now)
            replace_units(self.connection, num, units, self.now)
            jobs.derive_again(self.connection, derived_from(self.connection, num), self.now)
            nums.append(num)
        self.touch(nums)
        written = iter(nums)
        return [next(written) if num is None else num for num in known]

    def reword(self, num: int, text: str, metadata: Mapping[str, Any] | None = None) -> None:
        """Give a derived memory new words (and metadata, where given), and show it."""
        reword(self.connection, num, text, self.index, self.now, metadata)

    def derive_again(self, nums: Sequence[int]) -> None:
        """Hide derived memories and all that is derived from them until they are derived again."""
        jobs.derive_again(self.connection, nums, self.now)

    def erase(self, nums: Sequence[int]) -> None:
        """Delete derived memories whose ground is gone, and what was derived only from them."""
        erase_rows(self.connection, [num for num in nums if num < 0], self.now)

    def touch(self, nums: Sequence[int]) -> None:
        """Let snapshots look at these memories again."""
        touch(self.connection, nums)

    def vectors(self, nums: Sequence[int]) -> NDArray[np.float32]:
        """The vector of each memory's first passage, one row each; zero where there is none yet."""
        active = active_embedder(self.connection)
        (dim,) = self.connection.execute("SELECT dim FROM embedders WHERE num = ?", (active,)).fetchone()
        rows = np.zeros((len(nums), dim), np.float32)
        query = "SELECT vector FROM vectors WHERE unit = ? AND embedder = ?"
        for place, num in enumerate(nums):
            row = self.connection.execute(query, (num * MAX_PARTS, active)).fetchone()
            if row is not None:
                rows[place] = np.frombuffer(row[0], np.float16)
        return rows

    def _reread(self, num: int) -> None:
        stored = self.fetch(num)
        if stored is not None and num in self._memories:
            self._memories[num] = own(stored)


def own(stored: Stored) -> Stored:
    """A memory as it is derived from: without what it quotes from recall itself."""
    return stored._replace(memory=own_words(stored.memory))


Again = Callable[[Batch, Stored, Sequence[Stored]], str | None]
"""Derives the words of one derived memory anew from the sources that are left; None where nothing is left to say."""


class Stage(Protocol):
    """One step of derivation."""

    @property
    def name(self) -> str:
        """What it is called in histories and logs."""
        ...

    @property
    def again(self) -> Mapping[str, Again]:
        """By recipe, how what this stage derives is derived again when its sources have changed or gone."""
        ...

    def take(self, batch: Batch) -> None:
        """Read the new memories of a batch and write what follows from them; repeating it changes nothing."""
        ...
