"""Facts by hashes of what they are about: integers only, the words stand in their memories."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from mnemos.events import dump_json
from mnemos.store import decisions
from mnemos.store.rows import SELECT, Stored, read_memory


class Row(NamedTuple):
    """What a fact is about: hashes of its subject, of subject and relation, and of its object."""

    namespace: int
    subject: int
    matter: int
    object: int
    single: bool


class Same(NamedTuple):
    """A fact that says the same as another one. Times are microseconds."""

    memory: int
    valid_at: int | None
    invalid_at: int | None
    negated: bool
    hidden: bool
    trust: float
    """How far the memories are trusted that state it: all of them the same."""


def write(connection: sqlite3.Connection, memory: int, row: Row) -> None:
    """Note what a memory states; it replaces what was noted before."""
    connection.execute(
        "INSERT OR REPLACE INTO facts (memory, namespace, subject, matter, object, single) VALUES (?, ?, ?, ?, ?, ?)",
        (memory, *row),
    )


def remove(connection: sqlite3.Connection, memory: int) -> None:
    """Note that a memory states no fact any more."""
    connection.execute("DELETE FROM facts WHERE memory = ?", (memory,))


def read(connection: sqlite3.Connection, memory: int) -> Row | None:
    """What a memory states, or None."""
    query = "SELECT namespace, subject, matter, object, single FROM facts WHERE memory = ?"
    row = connection.execute(query, (memory,)).fetchone()
    return None if row is None else Row(row[0], row[1], row[2], row[3], bool(row[4]))


_GROUND = (
    "coalesce((SELECT min(s.trust) FROM sources x JOIN memories s ON s.num = x.source WHERE x.memory = m.num), m.trust)"
)


def ground_trust(connection: sqlite3.Connection, memory: int) -> float:
    """How far the least trusted memory is trusted that states a fact."""
    return float(connection.execute(f"SELECT {_GROUND} FROM memories m WHERE m.num = ?", (memory,)).fetchone()[0])


def same(connection: sqlite3.Connection, namespace: int, matter: int, obj: int) -> list[Same]:
    """The facts with this matter and object, latest first."""
    query = (
        "SELECT m.num, m.valid_at, m.invalid_at, coalesce(json_extract(m.metadata, '$.negated'), 0), m.hidden, "
        f"{_GROUND} FROM facts f JOIN memories m ON m.num = f.memory "
        "WHERE f.namespace = ? AND f.matter = ? AND f.object = ? ORDER BY m.seq DESC, m.num LIMIT 16"
    )
    rows = connection.execute(query, (namespace, matter, obj))
    return [Same(row[0], row[1], row[2], bool(row[3]), bool(row[4]), row[5]) for row in rows]


def of_subject(connection: sqlite3.Connection, namespace: int, subject: int, limit: int) -> list[int]:
    """The last facts about a subject, in reading order."""
    return _nums(connection, "subject", namespace, subject, limit)


def of_matter(connection: sqlite3.Connection, namespace: int, matter: int, limit: int) -> list[int]:
    """The last facts of one matter, in reading order: a subject's past values."""
    return _nums(connection, "matter", namespace, matter, limit)


def current(connection: sqlite3.Connection, namespace: int, matter: int, now: int) -> int | None:
    """The latest fact of a matter that still holds; None where there is none."""
    query = (
        "SELECT m.num FROM facts f JOIN memories m ON m.num = f.memory WHERE f.namespace = ? AND f.matter = ? "
        "AND m.hidden = 0 AND m.resting IS NULL AND (m.invalid_at IS NULL OR m.invalid_at > ?) "
        "AND coalesce(json_extract(m.metadata, '$.negated'), 0) = 0 "
        "ORDER BY coalesce(m.valid_at, m.happened_at, m.created_at) DESC, m.seq DESC LIMIT 1"
    )
    row = connection.execute(query, (namespace, matter, now)).fetchone()
    return None if row is None else int(row[0])


def said_of(
    connection: sqlite3.Connection, namespace: int, subject: int, ending: str, limit: int
) -> list[tuple[str, str]]:
    """Relation and object of the last facts about a subject whose relation ends so."""
    query = (
        "SELECT json_extract(m.metadata, '$.relation') r, json_extract(m.metadata, '$.object') FROM facts f "
        "JOIN memories m ON m.num = f.memory WHERE f.namespace = ? AND f.subject = ? AND m.hidden = 0 "
        "AND r LIKE ? AND json_extract(m.metadata, '$.negated') IS NULL ORDER BY m.seq DESC, m.num LIMIT ?"
    )
    rows = connection.execute(query, (namespace, subject, f"%{ending}", limit)).fetchall()
    return [(str(relation), str(obj)) for relation, obj in reversed(rows)]


def is_source(connection: sqlite3.Connection, memory: int, source: int) -> bool:
    """Whether a fact was read from a memory."""
    query = "SELECT 1 FROM sources WHERE memory = ? AND source = ?"
    return connection.execute(query, (memory, source)).fetchone() is not None


def is_merged(connection: sqlite3.Connection, memory: int, source: int) -> bool:
    """Whether a memory was found to repeat a fact before."""
    query = "SELECT 1 FROM decisions WHERE memory = ? AND op = 'merge' AND other = ? AND undone_at IS NULL"
    return connection.execute(query, (memory, source)).fetchone() is not None


def add_source(connection: sqlite3.Connection, memory: int, source: int, now: int) -> None:
    """Let one more memory stand behind a fact, which gains strength by it."""
    connection.execute("INSERT OR IGNORE INTO sources VALUES (?, ?)", (memory, source))
    connection.execute("UPDATE memories SET strength = strength + 1, updated_at = ? WHERE num = ?", (now, memory))


def drop_source(connection: sqlite3.Connection, memory: int, source: int, now: int) -> None:
    """Take a memory from behind a fact, and the strength that it gave."""
    connection.execute("DELETE FROM sources WHERE memory = ? AND source = ?", (memory, source))
    connection.execute(
        "UPDATE memories SET strength = max(1.0, strength - 1), updated_at = ? WHERE num = ?", (now, memory)
    )


def part(connection: sqlite3.Connection, memory: int, source: int, now: int) -> None:
    """Take a memory from behind a fact that is trusted more or less than the others, as if it had never been merged."""
    drop_source(connection, memory, source, now)
    query = "SELECT id FROM decisions WHERE memory = ? AND op = 'merge' AND other = ? AND undone_at IS NULL"
    for (decision,) in connection.execute(query, (memory, source)).fetchall():
        decisions.release(connection, decision, now)


def set_since(connection: sqlite3.Connection, memory: int, valid_at: int) -> None:
    """Note since when a fact is true."""
    connection.execute("UPDATE memories SET valid_at = ? WHERE num = ?", (valid_at, memory))


def restate(
    connection: sqlite3.Connection,
    memory: int,
    words: Mapping[str, object],
    valid_at: int | None,
    heard_at: int | None,
    trust: float,
) -> None:
    """Let a fact stand on another of its sources: its words, since when it is true, when that was said, its trust."""
    connection.execute(
        "UPDATE memories SET metadata = ?, valid_at = ?, happened_at = ?, trust = ? WHERE num = ?",
        (dump_json(dict(words), "metadata"), valid_at, heard_at, trust, memory),
    )


def set_trust(connection: sqlite3.Connection, memory: int, trust: float) -> None:
    """Note how far a fact is trusted."""
    connection.execute("UPDATE memories SET trust = ? WHERE num = ?", (trust, memory))


def turns_before(connection: sqlite3.Connection, stored: Stored, limit: int) -> list[Stored]:
    """What was logged right before a memory in its session, in reading order; looks at no more than `limit`."""
    query = SELECT.format(table="memories") + (
        "WHERE m.namespace = (SELECT namespace FROM memories WHERE num = ?1) AND m.num > 0 "
        "AND m.seq < (SELECT seq FROM memories WHERE num = ?1) ORDER BY m.seq DESC LIMIT ?2"
    )
    rows = connection.execute(query, (stored.num, limit)).fetchall()
    found = [read_memory(connection, row, {}) for row in reversed(rows)]
    return [one for one in found if one.memory.session_id == stored.memory.session_id]


def _nums(connection: sqlite3.Connection, column: str, namespace: int, key: int, limit: int) -> list[int]:
    query = (
        f"SELECT m.num FROM facts f JOIN memories m ON m.num = f.memory WHERE f.namespace = ? AND f.{column} = ? "
        "ORDER BY m.seq DESC, m.num LIMIT ?"
    )
    return [num for (num,) in connection.execute(query, (namespace, key, limit)).fetchall()][::-1]
