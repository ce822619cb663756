"""The index rows of a memory: its passages, and their vectors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mnemos.passages import Indexed
from mnemos.store import jobs
from mnemos.store.meta import active_embedder, serving_name

MAX_PARTS = 1 << 20
"""Passages in one memory; a unit's number is the memory's number times this, plus the passage's place."""


class Serving(NamedTuple):
    """The embedder whose vectors serve."""

    num: int
    name: str


def serving(connection: sqlite3.Connection) -> Serving:
    """The embedder whose vectors serve now, which may be another one than when the passages were made."""
    return Serving(active_embedder(connection), serving_name(connection))


def write_units(
    connection: sqlite3.Connection, indexed: Iterable[tuple[int, Sequence[Indexed]]], embedder: Serving, now: int
) -> None:
    """Write the passages of memories, by number. A vector that is missing, or of another embedder, is queued."""
    units, vectors = [], []
    for num, parts in indexed:
        for unit, part in enumerate(parts, start=num * MAX_PARTS):
            units.append((unit, part.start, part.end, part.tokens, part.terms))
            if part.vector and part.embedder == embedder.name:
                vectors.append((unit, embedder.num, part.vector))
    connection.executemany("INSERT INTO units VALUES (?, ?, ?, ?, ?)", units)
    connection.executemany("INSERT INTO vectors VALUES (?, ?, ?)", vectors)
    if len(vectors) < len(units):
        jobs.enqueue(connection, jobs.REEMBED, None, now)


def replace_units(connection: sqlite3.Connection, num: int, units: Sequence[Indexed], now: int = 0) -> None:
    """Put these passages in the place of a memory's index rows."""
    delete_units(connection, [num])
    write_units(connection, [(num, units)], serving(connection), now)


def delete_units(connection: sqlite3.Connection, nums: Iterable[int]) -> None:
    """Take memories out of the index."""
    for first, last in _ranges(nums):
        for table in ("units", "vectors", "next_vectors"):
            connection.execute(f"DELETE FROM {table} WHERE unit BETWEEN ? AND ?", (first, last))


def _ranges(nums: Iterable[int]) -> Iterator[tuple[int, int]]:
    return ((num * MAX_PARTS, num * MAX_PARTS + MAX_PARTS - 1) for num in nums)
