"""What ranking and composing read of many memories at once: less than a whole `Memory`, and sooner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from mnemos.store.database import Database
from mnemos.store.rows import sources_of
from mnemos.store.then import table_at


class Candidate(NamedTuple):
    """A memory that a context may show. Times are microseconds."""

    num: int
    id: str
    seq: int
    """Its place in reading order."""
    kind: str
    text: str
    speaker: str | None
    role: str | None
    session_id: str | None
    happened_at: int | None
    created_at: int
    invalid_at: int | None
    sources: tuple[str, ...] = ()
    """Ids of the memories it was derived from."""
    passage: tuple[int, int] | None = None
    """Where in a long text the best passage stands."""
    score: float = 0.0
    """A probability of being relevant."""


class Candidates:
    """The part of the SQLite store that reads them."""

    db: Database

    def candidates(self, nums: Sequence[int], known_at: int | None = None) -> dict[int, Candidate]:
        """Memories by number, as the store knew them at a time where one is given; those that are gone are left out."""
        with self.db.read() as connection, table_at(connection, known_at) as table:
            rows = connection.execute(
                "SELECT m.num, m.id, m.seq, m.kind, coalesce(m.text, l.text, ''), m.speaker, m.role, m.session_id, "
                f"m.happened_at, m.created_at, m.invalid_at FROM {table} m LEFT JOIN log l ON l.seq = m.said "
                "WHERE m.num IN (SELECT value FROM json_each(?))",
                (json.dumps(list(nums)),),
            ).fetchall()
            sources = sources_of(connection, [row[0] for row in rows if row[0] < 0])
        return {row[0]: Candidate._make((*row, sources.get(row[0], ()), None, 0.0)) for row in rows}

    def members(self, nums: Sequence[int]) -> dict[int, list[int]]:
        """The sources of derived memories, all by number."""
        query = "SELECT memory, source FROM sources WHERE memory IN (SELECT value FROM json_each(?))"
        found: dict[int, list[int]] = {}
        with self.db.read() as connection:
            for num, source in connection.execute(query, (json.dumps(list(nums)),)):
                found.setdefault(num, []).append(source)
        return found
