"""The index rows of a memory, and the marks by which other processes see that projections have changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from mnemos.passages import Indexed

MAX_PARTS = 1 << 20
"""Passages in one memory; a unit's number is the memory's number times this, plus the passage's place."""


def replace_units(connection: sqlite3.Connection, num: int, units: Sequence[Indexed]) -> None:
    """Put these passages in the place of a memory's index rows."""
    delete_units(connection, [num])
    first = num * MAX_PARTS
    embedder = active_embedder(connection)
    rows = [(first + i, u.start, u.end, u.tokens, u.terms) for i, u in enumerate(units)]
    connection.executemany("INSERT INTO units VALUES (?, ?, ?, ?, ?)", rows)
    vectors = [(first + i, embedder, u.vector) for i, u in enumerate(units) if u.vector]
    connection.executemany("INSERT INTO vectors VALUES (?, ?, ?)", vectors)


def delete_units(connection: sqlite3.Connection, nums: Iterable[int]) -> None:
    """Take memories out of the index."""
    ranges = [(num * MAX_PARTS, num * MAX_PARTS + MAX_PARTS - 1) for num in nums]
    for table in ("units", "vectors", "next_vectors"):
        connection.executemany(f"DELETE FROM {table} WHERE unit BETWEEN ? AND ?", ranges)


def active_embedder(connection: sqlite3.Connection) -> int:
    """The number of the embedder whose vectors serve; 0 before one is chosen."""
    return int(read_meta(connection, "embedder", "0"))


def read_meta(connection: sqlite3.Connection, name: str, default: str = "") -> str:
    """A value that holds for the whole file."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return default if row is None else str(row[0])


def write_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Set a value that holds for the whole file."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def bump_epoch(connection: sqlite3.Connection) -> None:
    """Tell every process that something besides the log has changed, so that snapshots are read anew."""
    write_meta(connection, "epoch", str(int(read_meta(connection, "epoch", "0")) + 1))
