"""Facts of one matter, and the closing of one by another, in SQL."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, NamedTuple

from mnemos.store import decisions, jobs
from mnemos.store.deriving import derived_from
from mnemos.store.levels import told_of
from mnemos.store.touched import touch

SUPERSEDES = "supersedes"
"""The relation of the link from the newer fact to the older one, and the decision on the newer one."""
SUPERSEDE = "supersede"
"""The decision on the older fact."""


class Rival(NamedTuple):
    """A fact, as far as conflict goes. Times are microseconds."""

    num: int
    object: int
    """A hash; equal where the facts say the same."""
    single: bool
    negated: bool
    since: int | None
    """Since when it is true, or when it was said."""
    seq: int
    heard_at: int
    """When the store first heard of it."""
    invalid_at: int | None
    trust: float
    text: str

    @property
    def age(self) -> tuple[int, int]:
        """Orders facts of one matter, oldest first; what has no time stands where it was read."""
        return (self.heard_at if self.since is None else self.since, self.seq)


_COLUMNS = """
SELECT f.memory, f.object, f.single, coalesce(json_extract(m.metadata, '$.negated'), 0),
       coalesce(m.valid_at, m.happened_at), m.seq,
       coalesce((SELECT min(s.created_at) FROM sources x JOIN memories s ON s.num = x.source WHERE x.memory = m.num),
                m.created_at),
       m.invalid_at, m.trust, coalesce(m.text, l.text, '')
FROM facts f JOIN memories m ON m.num = f.memory LEFT JOIN log l ON l.seq = m.said
"""


def matter_of(connection: sqlite3.Connection, num: int, limit: int) -> list[Rival]:
    """A fact and the others of its matter, at most so many of the last, oldest first; empty where it is none."""
    query = (
        f"{_COLUMNS} WHERE (f.namespace, f.matter) = (SELECT namespace, matter FROM facts WHERE memory = ?1) "
        "AND (m.hidden = 0 OR m.num = ?1) AND m.resting IS NULL ORDER BY m.seq DESC, m.num LIMIT ?2"
    )
    found = [_rival(row) for row in connection.execute(query, (num, limit))]
    return sorted(found, key=lambda one: (one.age, -one.num))


def rival(connection: sqlite3.Connection, num: int) -> Rival | None:
    """One fact; None where it is none, or waits to be derived again."""
    row = connection.execute(f"{_COLUMNS} WHERE f.memory = ? AND m.hidden = 0", (num,)).fetchone()
    return None if row is None else _rival(row)


def _rival(row: tuple[Any, ...]) -> Rival:
    return Rival(row[0], row[1], bool(row[2]), bool(row[3]), *row[4:])


def close(connection: sqlite3.Connection, num: int, at: int | None, now: int) -> None:
    """Say when a derived fact ceased to be true; None opens it again. What was logged says itself how long it holds."""
    connection.execute("UPDATE memories SET invalid_at = ?, updated_at = ? WHERE num = ? AND num < 0", (at, now, num))


def join(connection: sqlite3.Connection, newer: int, older: int) -> None:
    """Link a fact to the one that it superseded."""
    connection.execute(
        "INSERT OR IGNORE INTO links (source, target, relation, weight) VALUES (?, ?, ?, 1.0)",
        (newer, older, SUPERSEDES),
    )


def part(connection: sqlite3.Connection, newer: int, older: int) -> None:
    """Take the link away again."""
    connection.execute("DELETE FROM links WHERE source = ? AND target = ? AND relation = ?", (newer, older, SUPERSEDES))


def is_joined(connection: sqlite3.Connection, newer: int, older: int) -> bool:
    """Whether the link is there."""
    query = "SELECT 1 FROM links WHERE source = ? AND target = ? AND relation = ?"
    return connection.execute(query, (newer, older, SUPERSEDES)).fetchone() is not None


def superseded_by(connection: sqlite3.Connection, older: int) -> list[tuple[int, int | None]]:
    """The facts that have superseded one, and since when each is true."""
    query = (
        "SELECT l.source, coalesce(m.valid_at, m.happened_at, m.created_at) FROM links l JOIN memories m "
        "ON m.num = l.source WHERE l.target = ? AND l.relation = ?"
    )
    return connection.execute(query, (older, SUPERSEDES)).fetchall()


def reopen(connection: sqlite3.Connection, older: int, newer: int, said_until: int | None, now: int) -> None:
    """Let a fact stand that another one superseded, until what else superseded it, or as long as it was said to."""
    part(connection, newer, older)
    others = [since for _, since in superseded_by(connection, older) if since is not None]
    until = min([*others, *([] if said_until is None else [said_until])], default=None)
    close(connection, older, until, now)
    touch(connection, [older])
    jobs.derive_again(connection, [*derived_from(connection, older), *told_of(connection, older)], now)


def reopen_all(connection: sqlite3.Connection, newer: int, now: int) -> None:
    """Let every fact stand again that was superseded by one that is about to go."""
    query = (
        "SELECT memory, id, json_extract(detail, '$.was_until') FROM decisions WHERE op = ? AND other = ? "
        "AND undone_at IS NULL"
    )
    for older, decision, said_until in connection.execute(query, (SUPERSEDE, newer)).fetchall():
        decisions.mark_undone(connection, decision, now)
        reopen(connection, older, newer, said_until, now)


def yield_to_trusted(connection: sqlite3.Connection, newer: int, now: int) -> None:
    """Let every fact stand again that was superseded by one that has come to be trusted less than it is."""
    query = (
        "SELECT d.memory, d.id, json_extract(d.detail, '$.was_until') FROM decisions d "
        "JOIN memories o ON o.num = d.memory JOIN memories n ON n.num = d.other "
        "WHERE d.op = ? AND d.other = ? AND d.undone_at IS NULL AND n.trust < o.trust"
    )
    for older, decision, said_until in connection.execute(query, (SUPERSEDE, newer)).fetchall():
        decisions.release(connection, decision, now)
        for made in decisions.about(connection, newer):
            if made.op == SUPERSEDES and made.other == older and made.undone_at is None:
                decisions.release(connection, made.id, now)
        reopen(connection, older, newer, said_until, now)


def facts_of(
    connection: sqlite3.Connection, namespaces: list[int], subject: int | None, matter: int | None
) -> list[int]:
    """The facts of some namespaces, of one subject or one matter where they are named; by time, then as read."""
    query = (
        "SELECT m.num FROM memories m LEFT JOIN facts f ON f.memory = m.num WHERE m.kind = 'fact' "
        "AND m.namespace IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR f.subject = ?2) "
        "AND (?3 IS NULL OR f.matter = ?3) "
        "ORDER BY coalesce(m.valid_at, m.happened_at, m.created_at), m.seq, m.num DESC"
    )
    return [num for (num,) in connection.execute(query, (json.dumps(namespaces), subject, matter))]


def wake(connection: sqlite3.Connection, num: int) -> None:
    """Let a memory that left the index come back into it."""
    connection.execute("UPDATE memories SET resting = NULL WHERE num = ?", (num,))


def rest(connection: sqlite3.Connection, num: int, why: str) -> None:
    """Let a memory leave the index again."""
    connection.execute("UPDATE memories SET resting = ? WHERE num = ?", (why, num))
