"""Bands of sketches, by which memories that say nearly the same meet; rows of integers only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

NEWEST = 6
"""Memories that a band gives: what a look-up costs does not grow with how often something was said."""


def near(connection: sqlite3.Connection, namespace: int, bands: Sequence[int], before: int) -> dict[int, int]:
    """Memories that agree in a band, said before another, newest first in each: number to how many bands."""
    query = (
        "SELECT memory FROM sketches INDEXED BY sketches_band WHERE namespace = ? AND band = ? AND memory < ? "
        "ORDER BY num DESC LIMIT ?"
    )
    found: dict[int, int] = {}
    for band in bands:
        for (memory,) in connection.execute(query, (namespace, band, before, NEWEST)):
            found[memory] = found.get(memory, 0) + 1
    return found


def write(connection: sqlite3.Connection, namespace: int, memory: int, bands: Sequence[int]) -> None:
    """Put a memory's bands in the place of those it had."""
    connection.execute("DELETE FROM sketches WHERE memory = ?", (memory,))
    connection.executemany(
        "INSERT INTO sketches (namespace, band, memory) VALUES (?, ?, ?)", [(namespace, band, memory) for band in bands]
    )


def session_before(
    connection: sqlite3.Connection, namespace: int, session: str | None, before: int, limit: int
) -> list[int]:
    """The last memories of a session before one, newest first, those that rest left out.

    Looks at a bounded stretch of the log (the `+` keeps SQLite from reading the whole namespace instead), so that it
    costs the same in a store of any size.
    """
    query = (
        "SELECT num FROM memories WHERE num < ?1 AND num >= max(1, ?1 - 64) AND +namespace = ?2 "
        "AND +session_id IS ?3 AND resting IS NULL ORDER BY num DESC LIMIT ?4"
    )
    return [num for (num,) in connection.execute(query, (before, namespace, session, limit))]
