"""What the tables know of why a memory was kept."""

from __future__ import annotations

import json
import sqlite3

from mnemos.store import decisions, jobs, log
from mnemos.store.touched import touch


def state(connection: sqlite3.Connection, num: int) -> tuple[bool, bool]:
    """Whether a memory waits to be derived again, and whether derivation has read it."""
    query = (
        "SELECT m.hidden, (SELECT max(seq) FROM log WHERE id = m.id AND op IN ('add', 'update')) <= "
        "coalesce((SELECT seq FROM progress WHERE stage = 'derive'), 0) FROM memories m WHERE m.num = ?"
    )
    hidden, read = connection.execute(query, (num,)).fetchone()
    return bool(hidden), read is None or bool(read)


def masked(connection: sqlite3.Connection, memory_id: str) -> tuple[str, ...]:
    """Kinds of secrets that were masked in what the log holds of a memory."""
    bodies = [json.loads(entry.body) for entry in log.entries_of(connection, memory_id) if entry.body]
    return tuple(dict.fromkeys(kind for body in bodies for kind in body.get("masked", ())))


def repeated_by(connection: sqlite3.Connection, num: int, limit: int = 100) -> tuple[str, ...]:
    """Ids of memories that were found to repeat one, oldest first."""
    query = (
        "SELECT m.id FROM decisions d JOIN memories m ON m.num = d.memory WHERE d.other = ? AND d.undone_at IS NULL "
        "AND d.op IN ('rest', 'repeat') AND d.policy = 'repeat' ORDER BY d.num LIMIT ?"
    )
    return tuple(memory_id for (memory_id,) in connection.execute(query, (num, limit)))


def resting_on(connection: sqlite3.Connection, num: int) -> list[tuple[str, int]]:
    """Decisions by which memories rest on account of one, and those memories."""
    query = (
        "SELECT d.id, d.memory FROM decisions d JOIN memories m ON m.num = d.memory WHERE d.other = ? "
        "AND d.op = 'rest' AND d.undone_at IS NULL AND m.resting IN ('repeat', 'echo')"
    )
    return connection.execute(query, (num,)).fetchall()


def let_back(connection: sqlite3.Connection, decision: str, num: int, now: int) -> None:
    """Let a memory back into the index whose reason to rest is gone; the gate judges it again."""
    decisions.release(connection, decision, now)
    connection.execute("UPDATE memories SET resting = NULL WHERE num = ?", (num,))
    jobs.enqueue(connection, jobs.DERIVE_LATE, num, now)
    touch(connection, [num])
