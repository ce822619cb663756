"""Between a row of `memories` and a `Memory`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mnemos.events import Event
from mnemos.namespaces import namespace_from_key
from mnemos.origin import Origin
from mnemos.records import Memory, Namespace
from mnemos.times import from_micros

ATTRIBUTES = (
    "num id namespace seq said text kind form speaker role session_id agent_id happened_at valid_at invalid_at "
    "created_at updated_at expired_at expires_at ttl strength uses last_used_at trust version hidden metadata "
    "key value recipe topic resting pinned salience channel writer"
).split()
COLUMNS = ", ".join(ATTRIBUTES)
"""The columns of `memories`, in the order of the table."""


SELECT = """
SELECT m.num, m.id, n.path, coalesce(m.text, l.text), m.kind, m.form, m.speaker, m.role, m.session_id, m.agent_id,
       m.happened_at, m.valid_at, m.invalid_at, m.created_at, m.updated_at, m.expired_at, m.strength, m.uses,
       m.last_used_at, m.trust, m.version, m.metadata, m.key, m.value, m.recipe, m.expires_at, m.resting,
       m.pinned, m.salience, m.channel, m.writer
FROM {table} m JOIN namespaces n ON n.num = m.namespace LEFT JOIN log l ON l.seq = m.said
"""


class Stored(NamedTuple):
    """A memory with its number in the store."""

    num: int
    memory: Memory
    expires_at: int | None = None


def read_memory(connection: sqlite3.Connection, row: tuple[Any, ...], namespaces: dict[str, Namespace]) -> Stored:
    """The memory of a row of `SELECT`; `namespaces` remembers the tuples already parsed."""
    sources = sources_of(connection, [row[0]]).get(row[0], ()) if row[0] < 0 else ()
    return Stored(row[0], memory_of(row, namespaces, sources), row[25])


def memory_of(row: tuple[Any, ...], namespaces: dict[str, Namespace], sources: tuple[str, ...]) -> Memory:
    """The same, where its sources are known."""
    path = row[2]
    if path not in namespaces:
        namespaces[path] = namespace_from_key(path)
    return Memory(
        id=row[1],
        namespace=namespaces[path],
        text=row[3] or "",
        kind=row[4],
        form=row[5],
        speaker=row[6],
        role=row[7],
        session_id=row[8],
        agent_id=row[9],
        happened_at=from_micros(row[10]),
        valid_at=from_micros(row[11]),
        invalid_at=from_micros(row[12]),
        created_at=from_micros(row[13]),
        updated_at=from_micros(row[14]),
        expired_at=from_micros(row[15]),
        strength=row[16],
        uses=row[17],
        last_used_at=from_micros(row[18]),
        trust=row[19],
        version=row[20],
        metadata=json.loads(row[21]) if row[21] else {},
        key=row[22],
        value=json.loads(row[23]) if row[23] else None,
        recipe=row[24],
        resting=row[26],
        pinned=bool(row[27]),
        salience=row[28],
        channel=row[29],
        writer=row[30],
        sources=sources,
        is_new=False,
    )


def fetch(connection: sqlite3.Connection, nums: Iterable[int], table: str = "memories") -> dict[int, Memory]:
    """The memories of these numbers, in their order; numbers that are gone are left out."""
    namespaces: dict[str, Namespace] = {}
    wanted = list(nums)
    query = SELECT.format(table=table) + "WHERE m.num IN (SELECT value FROM json_each(?))"
    rows = connection.execute(query, (json.dumps(wanted),)).fetchall()
    sources = sources_of(connection, [row[0] for row in rows if row[0] < 0])
    found = {row[0]: memory_of(row, namespaces, sources.get(row[0], ())) for row in rows}
    return {num: found[num] for num in wanted if num in found}


def sources_of(connection: sqlite3.Connection, nums: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The ids of the memories that these derived ones were derived from, in reading order."""
    query = (
        "SELECT s.memory, m.id FROM sources s JOIN memories m ON m.num = s.source "
        "WHERE s.memory IN (SELECT value FROM json_each(?)) ORDER BY s.memory, m.seq"
    )
    found: dict[int, list[str]] = {}
    for num, source in connection.execute(query, (json.dumps(nums),)) if nums else ():
        found.setdefault(num, []).append(source)
    return {num: tuple(ids) for num, ids in found.items()}


def fetch_id(connection: sqlite3.Connection, memory_id: str) -> Stored | None:
    """The memory of an id, or None."""
    row = connection.execute(SELECT.format(table="memories") + "WHERE m.id = ?", (memory_id,)).fetchone()
    return None if row is None else read_memory(connection, row, {})


def fetch_num(connection: sqlite3.Connection, num: int) -> Stored | None:
    """The memory of a number, or None."""
    row = connection.execute(SELECT.format(table="memories") + "WHERE m.num = ?", (num,)).fetchone()
    return None if row is None else read_memory(connection, row, {})


def find_key(connection: sqlite3.Connection, namespaces: Iterable[int], key: str, now: int) -> Stored | None:
    """The item of a key in the first of these namespaces that has it, unless it has expired."""
    query = "SELECT num FROM memories WHERE namespace = ? AND key = ? AND (expires_at IS NULL OR expires_at > ?)"
    for namespace in namespaces:
        row = connection.execute(query, (namespace, key, now)).fetchone()
        if row is not None:
            return fetch_num(connection, row[0])
    return None


def fetch_held(connection: sqlite3.Connection, memory_id: str, now: int) -> Stored | None:
    """Like `fetch_id`, but None where the time to live has run out, and while it waits to be derived again."""
    query = "SELECT 1 FROM memories WHERE id = ? AND hidden = 0 AND (expires_at IS NULL OR expires_at > ?)"
    held = connection.execute(query, (memory_id, now)).fetchone()
    return fetch_id(connection, memory_id) if held else None


def memory_of_event(event: Event, memory_id: str, at: int, origin: Origin) -> Memory:
    """What `add` returns for an event that was just stored."""
    created = from_micros(at)
    return Memory(
        id=memory_id,
        namespace=event.namespace,
        kind=event.kind,
        text=event.text,
        speaker=event.speaker,
        role=event.role,
        session_id=event.session_id,
        agent_id=event.agent_id,
        happened_at=from_micros(event.happened_at),
        valid_at=from_micros(event.valid_at),
        invalid_at=from_micros(event.invalid_at),
        created_at=created,
        updated_at=created,
        trust=event.trust,
        metadata=dict(event.metadata) if event.metadata else {},
        key=event.key,
        value=event.value,
        channel=origin.channel,
        writer=origin.writer,
        is_new=True,
    )
