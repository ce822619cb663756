"""Decisions about memories, automatic and personal: rows that explain, and by which each can be undone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from mnemos.events import dump_json
from mnemos.ids import new_id

USER = "user"
"""The policy of what a person decided."""


class Decision(NamedTuple):
    """One decision. Times are microseconds."""

    id: str
    memory: int
    op: str
    policy: str
    other: int | None
    detail: Mapping[str, Any]
    at: int
    undone_at: int | None


_COLUMNS = "id, memory, op, policy, other, detail, at, undone_at"


def decide(
    connection: sqlite3.Connection,
    memory: int,
    op: str,
    policy: str,
    now: int,
    *,
    other: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> str:
    """Record a decision about a memory; returns its id. `detail` holds reasons and numbers, no words of memories.

    The same automatic decision that still stands is not recorded twice.
    """
    query = (
        "SELECT id FROM decisions WHERE memory = ? AND op = ? AND policy = ? AND other IS ? AND undone_at IS NULL "
        "ORDER BY num DESC LIMIT 1"
    )
    standing = connection.execute(query, (memory, op, policy, other)).fetchone()
    if standing is not None and policy != USER:
        return str(standing[0])
    made = Decision(new_id(), memory, op, policy, other, detail or {}, now, None)
    put(connection, made)
    return made.id


def put(connection: sqlite3.Connection, decision: Decision) -> None:
    """Write a decision as it is."""
    reasons = dump_json(dict(decision.detail), "detail") if decision.detail else None
    values = decision._replace(detail=reasons)  # type: ignore[arg-type]  # as its column holds it
    connection.execute(f"INSERT INTO decisions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def find(connection: sqlite3.Connection, decision_id: str) -> Decision | None:
    """The decision of an id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM decisions WHERE id = ?", (decision_id,)).fetchone()
    return None if row is None else _decision(row)


def about(connection: sqlite3.Connection, memory: int) -> list[Decision]:
    """Every decision about a memory, oldest first, those undone included."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM decisions WHERE memory = ? ORDER BY num", (memory,))
    return [_decision(row) for row in rows]


def mark_undone(connection: sqlite3.Connection, decision_id: str, now: int) -> None:
    """Note that a decision no longer stands; what followed from it is the caller's to reverse."""
    connection.execute("UPDATE decisions SET undone_at = ? WHERE id = ?", (now, decision_id))


def release(connection: sqlite3.Connection, decision_id: str, now: int) -> None:
    """Note that the ground of an automatic decision is gone; unlike one that was undone, it may be taken again."""
    released = "json_set(coalesce(detail, '{}'), '$.released', 1)"
    query = f"UPDATE decisions SET undone_at = ?, detail = {released} WHERE id = ?"
    connection.execute(query, (now, decision_id))


def mark_standing(connection: sqlite3.Connection, decision_id: str) -> None:
    """Note that a decision holds again."""
    connection.execute("UPDATE decisions SET undone_at = NULL WHERE id = ?", (decision_id,))


def was_undone(connection: sqlite3.Connection, memory: int, op: str, other: int | None = None) -> bool:
    """Whether the last decision of this sort about a memory (and another one) was undone: it is not taken again.

    One that was released may be.
    """
    query = (
        "SELECT undone_at IS NOT NULL AND coalesce(json_extract(detail, '$.released'), 0) = 0 FROM decisions "
        "WHERE memory = ? AND op = ? AND other IS ? ORDER BY num DESC LIMIT 1"
    )
    row = connection.execute(query, (memory, op, other)).fetchone()
    return row is not None and bool(row[0])


def _decision(row: tuple[Any, ...]) -> Decision:
    decision_id, memory, op, policy, other, detail, at, undone_at = row
    return Decision(decision_id, memory, op, policy, other, json.loads(detail) if detail else {}, at, undone_at)
