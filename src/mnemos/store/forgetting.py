"""What forgetting reads and writes: who may go, pins, expiry, budgets."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mnemos.store.meta import read_meta, write_meta

FORGOTTEN, SUMMARISED = "forgotten", "summarised"
"""Why a memory rests that was forgotten: out of the index; and then only its level speaks of it."""
NEAR = 64
"""Log entries within which a turn's neighbour is sought."""


class Standing(NamedTuple):
    """A logged memory, as far as forgetting goes."""

    num: int
    bytes: int
    """Of its words, in UTF-8."""
    resting: str | None
    kept: str | None
    """Why it never goes: `pinned`, or `admitted` by a person; None where it may go."""
    since: int
    """When it came to rest, microseconds; 0 while it is in the index."""


def spoken_before(connection: sqlite3.Connection, namespace: int, session: str | None, before: int) -> int | None:
    """The turn before one in its session, whether it is in the index or not; None where none is near."""
    query = (
        "SELECT num FROM memories WHERE num < ?1 AND num >= ?1 - ?4 AND namespace = ?2 AND session_id IS ?3 "
        "AND kind = 'turn' ORDER BY num DESC LIMIT 1"
    )
    row = connection.execute(query, (before, namespace, session, NEAR)).fetchone()
    return None if row is None else int(row[0])


def words_met(connection: sqlite3.Connection, namespace: int) -> bytes | None:
    """The bits that say which words a namespace has met; None before the first."""
    held = read_meta(connection, f"words met {namespace}")
    return b64decode(held) if held else None


def keep_words_met(connection: sqlite3.Connection, namespace: int, bits: bytes) -> None:
    """Keep those bits."""
    write_meta(connection, f"words met {namespace}", b64encode(bits).decode("ascii"))


def standing(connection: sqlite3.Connection, namespace: int, kinds: Sequence[str], now: int) -> list[Standing]:
    """Every logged memory of these kinds in a namespace that has not expired, in reading order."""
    query = """
        SELECT m.num, length(CAST(l.text AS BLOB)), m.resting,
               CASE WHEN m.pinned THEN 'pinned' WHEN EXISTS (
                   SELECT 1 FROM decisions d WHERE d.memory = m.num AND (
                       (d.op = 'admit' AND d.undone_at IS NULL) OR (d.op = 'rest' AND d.undone_at IS NOT NULL
                        AND json_extract(d.detail, '$.why') IN ('forgotten', 'summarised'))
                   )) THEN 'admitted' END,
               CASE WHEN m.resting IS NULL THEN 0 ELSE coalesce((
                   SELECT max(d.at) FROM decisions d
                   WHERE d.memory = m.num AND d.op = 'rest' AND d.undone_at IS NULL), 0) END
        FROM memories m JOIN log l ON l.seq = m.said
        WHERE m.namespace = ? AND m.num > 0 AND m.expired_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > ?)
              AND m.kind IN (SELECT value FROM json_each(?))
        ORDER BY m.num
    """
    return [Standing(*row) for row in connection.execute(query, (namespace, now, json.dumps(list(kinds))))]


def unweighed(
    connection: sqlite3.Connection, namespace: int, kinds: Sequence[str], after: int, limit: int
) -> list[int]:
    """Some logged memories of these kinds that have no salience yet, in reading order."""
    query = (
        "SELECT num FROM memories WHERE namespace = ? AND num > ? AND num > 0 AND salience IS NULL "
        "AND kind IN (SELECT value FROM json_each(?)) ORDER BY num LIMIT ?"
    )
    return [num for (num,) in connection.execute(query, (namespace, after, json.dumps(list(kinds)), limit))]


def demote(connection: sqlite3.Connection, num: int) -> None:
    """Note that only its level speaks of a forgotten memory from now on."""
    connection.execute("UPDATE memories SET resting = ? WHERE num = ?", (SUMMARISED, num))


def set_pinned(connection: sqlite3.Connection, num: int, *, pinned: bool) -> None:
    """Pin a memory, which also brings it back into the index, or let it go."""
    query = "UPDATE memories SET pinned = 1, resting = NULL" if pinned else "UPDATE memories SET pinned = 0"
    connection.execute(f"{query} WHERE num = ?", (num,))


def set_expiry(connection: sqlite3.Connection, num: int, at: int | None) -> None:
    """Let a memory end at a time, or never."""
    connection.execute("UPDATE memories SET expires_at = ?, ttl = NULL WHERE num = ?", (at, num))


def set_terms(connection: sqlite3.Connection, namespace: int, terms: Mapping[str, Any] | None, now: int) -> None:
    """Set the budget of a namespace, or take it away."""
    connection.execute("DELETE FROM budgets WHERE namespace = ?", (namespace,))
    if terms is not None:
        connection.execute("INSERT INTO budgets VALUES (?, ?, ?)", (namespace, json.dumps(terms), now))


def terms(connection: sqlite3.Connection) -> dict[int, dict[str, Any]]:
    """The budget of each namespace that has one."""
    return {num: json.loads(held) for num, held in connection.execute("SELECT namespace, terms FROM budgets")}
