"""The log: what was observed, and the memory that a memory's entries add up to."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mnemos.events import Event, compact_json, dump_json
from mnemos.namespaces import namespace_key
from mnemos.origin import current_origin
from mnemos.records import Namespace

BODY_FIELDS = ("speaker", "role", "session_id", "agent_id", "valid_at", "invalid_at")
"""Attributes that the body of an entry states under their own names, where they are known."""
CHANGEABLE = (*BODY_FIELDS, "happened_at", "trust", "metadata", "value", "ttl", "texts")
"""What an `update` entry's body may set; of an item also its `key`."""


class Entry(NamedTuple):
    """One row of the log."""

    seq: int
    id: str
    namespace: int
    op: str
    kind: str
    at: int
    happened_at: int | None
    text: str | None
    body: str | None
    digest: bytes | None
    channel: str | None = None
    writer: str | None = None


ENTRY = "seq, id, namespace, op, kind, at, happened_at, text, body, digest, channel, writer"


def append(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Add what is written now at the end, with the origin that holds; `seq` must come from `next_seq`."""
    origin = current_origin()
    keep(connection, (entry._replace(channel=origin.channel, writer=origin.writer) for entry in entries))


def keep(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Add entries at the end as they are, such as those of another store."""
    connection.executemany(f"INSERT INTO log ({ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", entries)


def next_seq(connection: sqlite3.Connection) -> int:
    """The number of the next entry; numbers are never used twice."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'").fetchone()
    return 1 if row is None else int(row[0]) + 1


def entries_of(connection: sqlite3.Connection, memory_id: str) -> list[Entry]:
    """All entries about one memory, oldest first."""
    rows = connection.execute(f"SELECT {ENTRY} FROM log WHERE id = ? ORDER BY seq", (memory_id,))
    return [Entry(*row) for row in rows]


def event_body(event: Event) -> str | None:
    """The JSON of what an event says besides its text, time and kind."""
    body: dict[str, Any] = {name: value for name in BODY_FIELDS if (value := getattr(event, name)) is not None}
    if event.trust != 1.0:
        body["trust"] = event.trust
    for name in ("metadata", "source_id", "key", "ttl"):
        if (value := getattr(event, name)) is not None:
            body[name] = value
    if event.key is not None:
        body["value"] = event.value
        body["texts"] = event.texts
    if event.masked:
        body["masked"] = event.masked
    return compact_json(body) if body else None


def fold(entries: Sequence[Entry]) -> dict[str, Any] | None:
    """The row of `memories` that a memory's entries add up to, oldest first; None once it is deleted.

    Use counts, strength and refreshed expiry are not observations, and are left to whoever keeps them.
    """
    row: dict[str, Any] | None = None
    for entry in entries:
        if entry.op == "delete":
            row = None
        elif entry.op == "add" and entry.text is not None:
            row = _added(entry)
        elif entry.op == "update" and row is not None:
            change(row, entry)
    return row


def _added(entry: Entry) -> dict[str, Any]:
    body = json.loads(entry.body) if entry.body else {}
    row: dict[str, Any] = {name: body.get(name) for name in BODY_FIELDS}
    ttl = body.get("ttl")
    row.update(
        num=entry.seq,
        id=entry.id,
        namespace=entry.namespace,
        seq=entry.seq,
        said=entry.seq,
        text=None,
        kind=entry.kind,
        form="text",
        happened_at=entry.happened_at,
        created_at=entry.at,
        updated_at=entry.at,
        expired_at=None,
        ttl=ttl,
        expires_at=None if ttl is None else entry.at + ttl,
        trust=body.get("trust", 1.0),
        version=1,
        hidden=0,
        metadata=_json(body.get("metadata")),
        key=body.get("key"),
        value=None if "key" not in body else dump_json(body.get("value"), "value"),
        texts=body.get("texts"),
        recipe=None,
        topic=None,
        channel=entry.channel,
        writer=entry.writer,
    )
    return row


def change(row: dict[str, Any], entry: Entry) -> None:
    """Bring what the earlier entries add up to in step with an update; of that it needs `version`, `ttl` and `key`."""
    body = json.loads(entry.body) if entry.body else {}
    if entry.text is not None:
        row.update(said=entry.seq, channel=entry.channel, writer=entry.writer)
    row["updated_at"] = entry.at
    row["version"] += 1
    for name in CHANGEABLE:
        if name in body:
            row[name] = body[name]
    if row["key"] is not None and body.get("key") is not None:
        row["key"] = body["key"]
    if "metadata" in body:
        row["metadata"] = _json(body["metadata"])
    if "value" in body:
        row["value"] = dump_json(body["value"], "value")
    row["expires_at"] = None if row["ttl"] is None else entry.at + row["ttl"]


def _json(value: Mapping[str, Any] | None) -> str | None:
    return dump_json(value, "metadata") if value else None


def namespace_num(connection: sqlite3.Connection, namespace: Namespace) -> int | None:
    """The number of a namespace, or None where nothing was ever stored in it or below it."""
    row = connection.execute("SELECT num FROM namespaces WHERE path = ?", (namespace_key(namespace),)).fetchone()
    return None if row is None else int(row[0])


def ensure_namespace(connection: sqlite3.Connection, namespace: Namespace) -> int:
    """The number of a namespace, made where it is new, with an ancestor row for each namespace above it."""
    num = namespace_num(connection, namespace)
    if num is not None:
        return num
    cursor = connection.execute("INSERT INTO namespaces (path) VALUES (?)", (namespace_key(namespace),))
    num = int(cursor.lastrowid or 0)
    above = [ensure_namespace(connection, namespace[:depth]) for depth in range(1, len(namespace))]
    connection.executemany("INSERT INTO namespace_ancestors VALUES (?, ?)", [(a, num) for a in (*above, num)])
    return num
