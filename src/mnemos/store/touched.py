"""Memories whose index rows changed without a log entry, so that snapshots follow without being read anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from mnemos.store.meta import bump_epoch

KEPT = 4_096
"""Ticks that are kept; a snapshot that has missed more is read anew."""


def touch(connection: sqlite3.Connection, nums: Iterable[int]) -> None:
    """Note that these memories have to be looked at again.

    A logged memory that comes back into the index has its place among its neighbours: there everything is read anew.
    """
    found = list(nums)
    connection.executemany("INSERT INTO touched (memory) VALUES (?)", [(num,) for num in found])
    if found:
        connection.execute("DELETE FROM touched WHERE tick <= ?", (last_tick(connection) - KEPT,))
    shown = "SELECT 1 FROM memories WHERE num = ? AND num > 0 AND resting IS NULL"
    if any(num > 0 and connection.execute(shown, (num,)).fetchone() for num in found):
        bump_epoch(connection)


def last_tick(connection: sqlite3.Connection) -> int:
    """The number of the last change noted; 0 before the first."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'touched'").fetchone()
    return 0 if row is None else int(row[0])


def touched_since(connection: sqlite3.Connection, tick: int) -> list[int] | None:
    """The memories noted after a tick, each once; None where some of them are no longer kept."""
    first = connection.execute("SELECT min(tick) FROM touched").fetchone()[0]
    if first is not None and first > tick + 1:
        return None
    rows = connection.execute("SELECT DISTINCT memory FROM touched WHERE tick > ?", (tick,))
    return [num for (num,) in rows]
