"""What is around entities: how often they are written, with whom, and the facts near them. Reads only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from mnemos.store.entities import NAMED, Named, marks

_SHOWN = "hidden = 0 AND expired_at IS NULL"
_BOUNDED = "(? IS NULL OR m.happened_at <= ?) AND m.trust >= ?"


class Bounds(NamedTuple):
    """Which memories count."""

    as_of: int | None = None
    """Those that had happened then (microseconds); None: all."""
    min_trust: float = 0.0
    """Those that are trusted at least so far."""


class Seen(NamedTuple):
    """How often a name is written, and when first and last (microseconds; None where no memory has a time)."""

    memories: int
    first: int | None
    last: int | None


def names_in(connection: sqlite3.Connection, namespaces: Sequence[int]) -> dict[int, list[Named]]:
    """Every name of some namespaces, by namespace."""
    return {
        namespace: [
            Named(*row)
            for row in connection.execute(
                f"SELECT {NAMED} FROM entities WHERE namespace = ? ORDER BY num", (namespace,)
            )
        ]
        for namespace in namespaces
    }


def seen(connection: sqlite3.Connection, nums: Sequence[int], min_trust: float = 0.0) -> Seen:
    """How often any of these names is written in memories that the store shows."""
    query = (
        f"SELECT count(*), min(happened_at), max(happened_at) FROM memories WHERE {_SHOWN} AND trust >= ? "
        f"AND num IN (SELECT memory FROM mentions WHERE entity IN ({marks(nums)}))"
    )
    return Seen(*connection.execute(query, (min_trust, *nums)).fetchone())


def together(
    connection: sqlite3.Connection, nums: Sequence[int], bounds: Bounds, limit: int
) -> list[tuple[int, int, int | None, int | None]]:
    """Names written in the same memories as these: number, how many memories, first and last time; most first."""
    those = marks(nums)
    query = (
        f"SELECT b.entity, count(DISTINCT a.memory), min(m.happened_at), max(m.happened_at) FROM mentions a "
        f"JOIN mentions b ON b.memory = a.memory JOIN memories m ON m.num = a.memory "
        f"WHERE a.entity IN ({those}) AND b.entity NOT IN ({those}) AND m.hidden = 0 AND m.expired_at IS NULL "
        f"AND {_BOUNDED} GROUP BY b.entity ORDER BY 2 DESC, b.entity LIMIT ?"
    )
    return connection.execute(query, (*nums, *nums, *_values(bounds), limit)).fetchall()


def latest(connection: sqlite3.Connection, num: int) -> int:
    """The number of the latest memory that has a name."""
    return int(connection.execute("SELECT max(memory) FROM mentions WHERE entity = ?", (num,)).fetchone()[0])


def joint(
    connection: sqlite3.Connection, ones: Sequence[int], others: Sequence[int], bounds: Bounds
) -> tuple[int, int | None, int | None]:
    """In how many memories both are written, and when first and last."""
    query = f"SELECT count(*), min(m.happened_at), max(m.happened_at) {_both(ones, others)}"
    count, first, last = connection.execute(query, (*ones, *others, *_values(bounds))).fetchone()
    return count, first, last


def shared(
    connection: sqlite3.Connection, ones: Sequence[int], others: Sequence[int], bounds: Bounds, limit: int
) -> list[str]:
    """Ids of memories in which both are written, latest first."""
    query = f"SELECT m.id {_both(ones, others)} ORDER BY m.seq DESC LIMIT ?"
    return [memory_id for (memory_id,) in connection.execute(query, (*ones, *others, *_values(bounds), limit))]


def _both(ones: Sequence[int], others: Sequence[int]) -> str:
    return (
        f"FROM memories m WHERE m.hidden = 0 AND m.expired_at IS NULL "
        f"AND m.num IN (SELECT memory FROM mentions WHERE entity IN ({marks(ones)})) "
        f"AND m.num IN (SELECT memory FROM mentions WHERE entity IN ({marks(others)})) "
        f"AND {_BOUNDED}"
    )


def _values(bounds: Bounds) -> tuple[int | None, int | None, float]:
    return bounds.as_of, bounds.as_of, bounds.min_trust


def facts_near(
    connection: sqlite3.Connection,
    namespace: int,
    nums: Sequence[int],
    subjects: Sequence[int],
    min_trust: float,
    limit: int,
) -> list[int]:
    """Facts about these subjects (keys of table `facts`), and facts derived from memories that have these names."""
    near = (
        f"SELECT memory FROM facts WHERE namespace = ? AND subject IN ({marks(subjects)}) UNION "
        f"SELECT f.memory FROM mentions n JOIN sources s ON s.source = n.memory JOIN facts f ON f.memory = s.memory "
        f"WHERE n.entity IN ({marks(nums)}) UNION "
        f"SELECT f.memory FROM mentions n JOIN facts f ON f.memory = n.memory WHERE n.entity IN ({marks(nums)})"
    )
    query = (
        f"SELECT num FROM memories WHERE num IN ({near}) AND namespace = ? AND {_SHOWN} AND resting IS NULL "
        f"AND trust >= ? ORDER BY seq DESC LIMIT ?"
    )
    rows = connection.execute(query, (namespace, *subjects, *nums, *nums, namespace, min_trust, limit))
    return [memory for (memory,) in rows]
