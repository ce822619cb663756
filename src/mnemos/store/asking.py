"""What a language model is asked about: turns and what was said before them, levels whose words have changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from mnemos.quoting import own_words
from mnemos.records import LEVELS
from mnemos.store import jobs
from mnemos.store.forgetting import FORGOTTEN, SUMMARISED
from mnemos.store.rows import Stored, fetch_num
from mnemos.store.touched import last_tick, touched_since

_LEVELS = ", ".join(f"'{kind}'" for kind in LEVELS)
RECENT = 50
"""Waiting questions among which one about the same session is looked for: the last ones."""
_SHOWN = "hidden = 0 AND resting IS NULL"


def shown(connection: sqlite3.Connection, nums: Sequence[int], *, faded: bool = False) -> list[Stored]:
    """Those of some memories that still exist, wait for nothing and are in the index, or left it only by fading.

    What they quote from recall itself is left out.
    """
    there_too = f" OR resting IN ('{FORGOTTEN}', '{SUMMARISED}')" if faded else ""
    query = f"SELECT 1 FROM memories WHERE num = ? AND hidden = 0 AND (resting IS NULL{there_too})"
    there = (num for num in nums if connection.execute(query, (num,)).fetchone())
    found = (fetch_num(connection, num) for num in there)
    return [stored._replace(memory=own_words(stored.memory)) for stored in found if stored is not None]


def before(connection: sqlite3.Connection, num: int, limit: int) -> list[Stored]:
    """What was said just before a memory in its session, in reading order."""
    rows = connection.execute(
        "SELECT e.num FROM memories m JOIN memories e ON e.namespace = m.namespace AND e.seq < m.seq AND e.num > 0 "
        "AND e.session_id IS m.session_id WHERE m.num = ? AND e.kind <> 'item' ORDER BY e.seq DESC LIMIT ?",
        (num, limit),
    ).fetchall()
    return shown(connection, [earlier for (earlier,) in reversed(rows)])


def changed_levels(connection: sqlite3.Connection, tick: int) -> list[int]:
    """The levels that may have changed since a tick and are shown, oldest first."""
    nums = touched_since(connection, tick)
    if nums is None:
        rows = connection.execute(f"SELECT num FROM memories WHERE num < 0 AND kind IN ({_LEVELS})")
        nums = [num for (num,) in rows]
    query = f"SELECT 1 FROM memories WHERE num = ? AND kind IN ({_LEVELS}) AND {_SHOWN}"
    return sorted((num for num in nums if num < 0 and connection.execute(query, (num,)).fetchone()), reverse=True)


def rowless_facts(connection: sqlite3.Connection, source: int, recipe: str) -> list[Stored]:
    """Facts of a recipe that come from a memory and that `facts` does not know: those restored from an export."""
    query = (
        "SELECT m.num FROM sources s JOIN memories m ON m.num = s.memory WHERE s.source = ? AND m.recipe = ? "
        "AND m.kind = 'fact' AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.memory = m.num)"
    )
    found = (fetch_num(connection, num) for (num,) in connection.execute(query, (source, recipe)).fetchall())
    return [stored for stored in found if stored is not None]


def tick_of(connection: sqlite3.Connection) -> int:
    """The last change noted."""
    return last_tick(connection)


def waiting_beside(connection: sqlite3.Connection, stored: Stored, most: int) -> list[int] | None:
    """The memories of an untried question about the same session that has room for more; None where none waits."""
    row = connection.execute(
        "SELECT j.num, j.payload FROM (SELECT * FROM jobs WHERE kind = ? AND state = 'queued' AND attempts = 0 "
        "ORDER BY num DESC LIMIT ?) j JOIN memories m ON m.num = json_extract(j.payload, '$.from') "
        "JOIN memories o ON o.num = ? WHERE m.namespace = o.namespace AND m.session_id IS o.session_id "
        "ORDER BY j.num DESC LIMIT 1",
        (jobs.LLM_EXTRACT, RECENT, stored.num),
    ).fetchone()
    nums: list[int] = json.loads(row[1])["nums"] if row is not None else []
    return nums if 0 < len(nums) < most else None


def members_waiting(connection: sqlite3.Connection, num: int) -> bool:
    """Whether a level, or a member of it, waits to be derived again, or a member to be written that was not tried."""
    query = (
        "SELECT 1 FROM memories m WHERE m.hidden = 1 AND (m.num = ?1 OR m.num IN (SELECT source FROM sources WHERE "
        "memory = ?1)) UNION SELECT 1 FROM jobs j JOIN sources s ON s.source = j.memory WHERE s.memory = ?1 AND "
        "j.kind = ?2 AND j.state = 'queued' AND j.attempts = 0"
    )
    return connection.execute(query, (num, jobs.LLM_WRITE)).fetchone() is not None


def turns_waiting(connection: sqlite3.Connection) -> bool:
    """Whether a question about turns waits that has not been tried yet."""
    query = "SELECT 1 FROM jobs WHERE kind = ? AND state = 'queued' AND attempts = 0"
    return connection.execute(query, (jobs.LLM_EXTRACT,)).fetchone() is not None
