"""How far derivation has read the log, and what comes next."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from mnemos.store.log import next_seq
from mnemos.store.rows import SELECT, Stored, read_memory

READ = ("turn", "note", "document", "fact")
"""Kinds from which something is derived."""


class Unread(NamedTuple):
    """Logged memories that wait to be read, and the last log entry that they cover."""

    memories: list[Stored]
    last: int


def watermark(connection: sqlite3.Connection, stage: str) -> int:
    """The last log entry that a stage has read; 0 before the first."""
    row = connection.execute("SELECT seq FROM progress WHERE stage = ?", (stage,)).fetchone()
    return 0 if row is None else int(row[0])


def advance(connection: sqlite3.Connection, stage: str, seq: int) -> None:
    """Note that a stage has read the log up to an entry."""
    connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (stage, seq))


def restart(connection: sqlite3.Connection) -> None:
    """Let every stage read the log from its beginning; what it finds as it was, it leaves alone."""
    connection.execute("DELETE FROM progress")


def unread(connection: sqlite3.Connection, after: int, limit: int) -> Unread | None:
    """What the next entries of the log are about, in reading order; None where there is nothing new."""
    entries = connection.execute(
        "SELECT seq, id FROM log WHERE seq > ? AND op IN ('add', 'update') ORDER BY seq LIMIT ?", (after, limit)
    ).fetchall()
    if not entries:
        return None
    kinds = ", ".join(f"'{kind}'" for kind in READ)
    query = f"{SELECT.format(table='memories')}WHERE m.id = ? AND m.num > 0 AND m.kind IN ({kinds})"
    rows = (connection.execute(query, (memory_id,)).fetchone() for memory_id in dict.fromkeys(i for _, i in entries))
    found = [read_memory(connection, row, {}) for row in rows if row is not None]
    return Unread(sorted(found, key=lambda stored: stored.num), entries[-1][0])


def waiting(connection: sqlite3.Connection, stage: str) -> int:
    """About how many log entries a stage has not read."""
    return next_seq(connection) - 1 - watermark(connection, stage)
