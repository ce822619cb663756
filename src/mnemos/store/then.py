"""The memories as the store knew them at a time in the past, folded from the log."""

from __future__ import annotations

import sqlite3

from mnemos.store import log
from mnemos.store.rows import COLUMNS

_AT = (
    f"SELECT {COLUMNS} FROM memories_then UNION ALL "
    f"SELECT {COLUMNS} FROM memories WHERE num NOT IN (SELECT num FROM memories_then)"
)


class table_at:  # noqa: N801 - reads as a function in a with statement
    """The table of memories as the store knew them at a time; the live table where no time is given."""

    def __init__(self, connection: sqlite3.Connection, known_at: int | None) -> None:
        self.connection = connection
        self.known_at = known_at

    def __enter__(self) -> str:
        if self.known_at is None:
            return "memories"
        self.connection.execute(f"CREATE TEMP TABLE memories_then AS SELECT {COLUMNS} FROM memories WHERE 0")
        changed = self.connection.execute(
            "SELECT id, num FROM memories WHERE updated_at > ? AND created_at <= ? AND num > 0",
            (self.known_at, self.known_at),
        ).fetchall()
        for memory_id, _ in changed:
            entries = [e for e in log.entries_of(self.connection, memory_id) if e.at <= self.known_at]
            row = log.fold(entries)
            if row is not None:
                row.pop("texts")
                names = ", ".join(row)
                self.connection.execute(
                    f"INSERT INTO memories_then ({names}, strength, uses) VALUES ({', '.join('?' * len(row))}, 1, 0)",
                    list(row.values()),
                )
        return f"({_AT})"

    def __exit__(self, *_: object) -> None:
        if self.known_at is not None:
            self.connection.execute("DROP TABLE temp.memories_then")
