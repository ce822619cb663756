"""Work that comes after the acknowledgement: rows in a table, drained by `maintain()`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mnemos.store.touched import touch

DERIVE = "derive"
"""Read what the log has gained: gate it, and derive facts and levels from it."""
DERIVE_AGAIN = "derive-again"
DERIVE_LATE = "derive-late"
"""Derive from a memory that came back into the index after derivation had passed it over."""
REEMBED = "re-embed"
LLM_EXTRACT = "llm-extract"
"""Ask a language model what facts some turns state."""
LLM_WRITE = "llm-write"
"""Ask a language model for the words of a level."""
LANGUAGE = frozenset({LLM_EXTRACT, LLM_WRITE})
MAX_ATTEMPTS = 5
LONGEST_WAIT = 86_400.0
"""Seconds; a server that asks for a longer pause gets this one."""


class Job(NamedTuple):
    """One piece of queued work."""

    num: int
    kind: str
    memory: int | None
    payload: Mapping[str, Any]
    attempts: int


def enqueue(connection: sqlite3.Connection, kind: str, memory: int | None, now: int, not_before: int = 0) -> None:
    """Queue work, for some later time where `not_before` says so; the same work is queued once."""
    connection.execute(
        "INSERT INTO jobs (kind, memory, not_before, created_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET not_before = max(not_before, excluded.not_before)",
        (kind, memory, not_before, now),
    )


def enqueue_many(connection: sqlite3.Connection, kind: str, nums: Sequence[int], now: int, not_before: int = 0) -> None:
    """Queue work on several memories, whose numbers the job holds; those that wait under the same first one join in."""
    query = "SELECT num, payload FROM jobs WHERE kind = ? AND state = 'queued' AND json_extract(payload, '$.from') = ?"
    waiting = connection.execute(query, (kind, nums[0])).fetchone()
    if waiting is not None:
        merged = sorted({*nums, *json.loads(waiting[1])["nums"]})
        payload = json.dumps({"from": nums[0], "nums": merged})
        connection.execute(
            "UPDATE jobs SET payload = ?, not_before = ? WHERE num = ?", (payload, not_before, waiting[0])
        )
        return
    connection.execute(
        "INSERT INTO jobs (kind, payload, not_before, created_at) VALUES (?, ?, ?, ?)",
        (kind, json.dumps({"from": nums[0], "nums": list(nums)}), not_before, now),
    )


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


def fail(
    connection: sqlite3.Connection, job: Job, error: str, now: int, wait: float = 0.0, most: int = MAX_ATTEMPTS
) -> None:
    """Try again later, twice as late each time, and not before `wait` seconds have passed.

    After `most` attempts the job is dead and waits for a person.
    """
    attempts = job.attempts + 1
    state = "dead" if attempts >= most else "queued"
    delay = max(2.0**attempts, min(wait, LONGEST_WAIT))
    connection.execute(
        "UPDATE jobs SET state = ?, attempts = ?, not_before = ?, error = ? WHERE num = ?",
        (state, attempts, now + int(delay * 1_000_000), error[:500], job.num),
    )


class DeadJob(NamedTuple):
    """A job that has failed for good."""

    num: int
    kind: str
    memory: int | None
    payload: Mapping[str, Any]
    attempts: int
    error: str
    created_at: int


def dead(connection: sqlite3.Connection) -> list[DeadJob]:
    """The jobs that have failed for good, oldest first."""
    rows = connection.execute(
        "SELECT num, kind, memory, payload, attempts, coalesce(error, ''), created_at FROM jobs WHERE state = 'dead' "
        "ORDER BY num"
    )
    return [
        DeadJob(num, kind, memory, json.loads(payload), attempts, error, created_at)
        for num, kind, memory, payload, attempts, error, created_at in rows
    ]


def ids_of(connection: sqlite3.Connection, job: DeadJob) -> list[str]:
    """The ids of the memories that a job is about, as far as they still exist."""
    nums = job.payload.get("nums", ()) if job.memory is None else (job.memory,)
    rows = (connection.execute("SELECT id FROM memories WHERE num = ?", (num,)).fetchone() for num in nums)
    return [row[0] for row in rows if row is not None]


def revive(connection: sqlite3.Connection, num: int, now: int) -> bool:
    """Queue a dead job anew, together with the same work where that waits already; False where none has this number."""
    row = connection.execute("SELECT kind, payload FROM jobs WHERE num = ? AND state = 'dead'", (num,)).fetchone()
    if row is None:
        return False
    nums = json.loads(row[1]).get("nums")
    if nums:
        connection.execute("DELETE FROM jobs WHERE num = ?", (num,))
        enqueue_many(connection, row[0], nums, now)
        return True
    query = "UPDATE OR IGNORE jobs SET state = 'queued', attempts = 0, not_before = 0, error = NULL WHERE num = ?"
    connection.execute(query, (num,))
    connection.execute("DELETE FROM jobs WHERE num = ? AND state = 'dead'", (num,))
    return True


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many jobs of each kind are queued."""
    return dict(
        connection.execute("SELECT kind, count(*) FROM jobs WHERE state = 'queued' GROUP BY kind ORDER BY kind")
    )
