"""Work that comes after the acknowledgement: rows in a table, drained by `maintain()`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mnemos.store.touched import touch

DERIVE = "derive"
"""Read what the log has gained: gate it, and derive facts and levels from it."""
DERIVE_AGAIN = "derive-again"
REEMBED = "re-embed"
MAX_ATTEMPTS = 5


class Job(NamedTuple):
    """One piece of queued work."""

    num: int
    kind: str
    memory: int | None
    payload: Mapping[str, Any]
    attempts: int


def enqueue(connection: sqlite3.Connection, kind: str, memory: int | None, now: int) -> None:
    """Queue work; the same work is queued once."""
    connection.execute("INSERT OR IGNORE INTO jobs (kind, memory, created_at) VALUES (?, ?, ?)", (kind, memory, now))


def derive_again(connection: sqlite3.Connection, nums: Iterable[int], now: int) -> None:
    """Hide derived memories whose sources have changed, and queue their derivation, sources before what needs them."""
    queue = list(dict.fromkeys(nums))
    for num in queue:
        connection.execute("UPDATE memories SET hidden = 1 WHERE num = ?", (num,))
        # what an earlier failure said may quote words that are gone now
        connection.execute("DELETE FROM jobs WHERE kind = ? AND memory = ?", (DERIVE_AGAIN, num))
        enqueue(connection, DERIVE_AGAIN, num, now)
        above = connection.execute("SELECT memory FROM sources WHERE source = ?", (num,)).fetchall()
        queue += [memory for (memory,) in above if memory not in queue]
    touch(connection, queue)


def due(connection: sqlite3.Connection, now: int, after: int = 0, limit: int = 100) -> list[Job]:
    """Queued jobs whose time has come, oldest first, from the one after `after`."""
    rows = connection.execute(
        "SELECT num, kind, memory, payload, attempts FROM jobs WHERE state = 'queued' AND not_before <= ? "
        "AND num > ? ORDER BY num LIMIT ?",
        (now, after, limit),
    )
    return [Job(num, kind, memory, json.loads(payload), attempts) for num, kind, memory, payload, attempts in rows]


def finish(connection: sqlite3.Connection, job: Job) -> None:
    """Take a job that is done off the table."""
    connection.execute("DELETE FROM jobs WHERE num = ?", (job.num,))


def finish_kind(connection: sqlite3.Connection, kind: str) -> None:
    """Take all queued work of a kind off the table."""
    connection.execute("DELETE FROM jobs WHERE kind = ? AND state = 'queued'", (kind,))


def fail(connection: sqlite3.Connection, job: Job, error: str, now: int) -> None:
    """Try again later, twice as late each time; after `MAX_ATTEMPTS` the job is dead and waits for a person."""
    attempts = job.attempts + 1
    state = "dead" if attempts >= MAX_ATTEMPTS else "queued"
    delay = 1_000_000 * 2**attempts
    connection.execute(
        "UPDATE jobs SET state = ?, attempts = ?, not_before = ?, error = ? WHERE num = ?",
        (state, attempts, now + delay, error[:500], job.num),
    )
