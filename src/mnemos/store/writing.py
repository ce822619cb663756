"""Writing: events into the log and, in the same transaction, the memories and index rows that follow from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mnemos.errors import InvalidInput, NotFound
from mnemos.events import Event, compact_json, dump_json
from mnemos.ids import new_id
from mnemos.origin import current_origin
from mnemos.passages import Index, Indexed, Source
from mnemos.records import Memory, Namespace
from mnemos.store import jobs, log
from mnemos.store.database import Database
from mnemos.store.deriving import derived_from, happened_of, insert_row
from mnemos.store.projection import Serving, replace_units, serving, write_units
from mnemos.store.rows import COLUMNS, fetch, fetch_held, fetch_id, memory_of_event

_INSERT = f"INSERT INTO memories ({COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS.split(', ')))})"


class Writer:
    """The writing half of the SQLite store."""

    db: Database

    def append(self, events: Sequence[Event], index: Index, now: int) -> list[Memory]:
        """Store events in order, one transaction; an event that is stored already comes back with `is_new` False."""
        known = self._known([event.digest for event in events])
        fresh = [i for i, event in enumerate(events) if event.digest is None or event.digest not in known]
        ready = dict(zip(fresh, index_events([events[i] for i in fresh], index), strict=True))
        with self.db.write() as connection:
            return append_events(connection, events, ready, index, now)

    def _known(self, digests: Iterable[bytes | None]) -> set[bytes]:
        query = "SELECT 1 FROM log WHERE digest = ?"
        with self.db.read() as connection:
            return {d for d in digests if d is not None and connection.execute(query, (d,)).fetchone()}

    def revise(self, memory_id: str, text: str | None, body: Mapping[str, Any], index: Index, now: int) -> Memory:
        """Change the words or attributes of a logged memory; the log keeps what it said before."""
        with self.db.write() as connection:
            stored = fetch_held(connection, memory_id, now)
            if stored is None:
                raise NotFound("id", memory_id)
            if stored.num < 0:
                raise InvalidInput("id", "is a derived memory", "update its sources instead")
            if stored.memory.key is not None and text is not None:
                raise InvalidInput("text", "is that of an item, which follows from its value", "use put()")
            write_change(connection, memory_id, text, bounded(body, stored.memory.trust), now)
            memory = fetch(connection, [stored.num])[stored.num]
            if memory.key is None and (text is not None or "happened_at" in body):
                source = Source(memory.text, memory.speaker, happened_of(connection, stored.num))
                replace_units(connection, stored.num, index([source])[0], now)
            jobs.derive_again(connection, derived_from(connection, stored.num), now)
            return memory

    def link(self, source: str, target: str, relation: str, weight: float, now: int) -> None:
        """Record a typed edge between two memories; a second one of the same relation changes its weight."""
        with self.db.write() as connection:
            ends = []
            for field, memory_id in (("source", source), ("target", target)):
                stored = fetch_id(connection, memory_id)
                if stored is None:
                    raise NotFound(field, memory_id)
                ends.append(stored.num)
            body = compact_json({"target": target, "relation": relation, "weight": weight})
            row = connection.execute("SELECT namespace, kind FROM memories WHERE num = ?", (ends[0],)).fetchone()
            seq = log.next_seq(connection)
            log.append(connection, [log.Entry(seq, source, row[0], "link", row[1], now, None, None, body, None)])
            connection.execute("INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?)", (*ends, relation, weight))

    def record_uses(self, uses: Mapping[str, int], at: int) -> None:
        """Count uses of memories; not part of the durability promise."""
        with self.db.write() as connection:
            connection.executemany(
                "UPDATE memories SET uses = uses + ?, last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?",
                [(count, at, memory_id) for memory_id, count in uses.items()],
            )


def bounded(body: Mapping[str, Any], trust: float) -> Mapping[str, Any]:
    """A change of a memory, by which it is trusted no further than whoever makes it."""
    bound = current_origin().trust
    return {**body, "trust": bound} if body.get("trust", trust) > bound else body


def index_events(events: Sequence[Event], index: Index) -> list[list[Indexed]]:
    """The passages of each event; an item has at least one for each of its texts."""
    plain = [event for event in events if event.texts is None]
    found = iter(index([Source(event.text, event.speaker, event.happened_at) for event in plain]) if plain else [])
    return [next(found) if event.texts is None else index_texts(event.texts, index) for event in events]


def index_texts(texts: Sequence[str], index: Index) -> list[Indexed]:
    """The passages of an item's texts, placed where each stands in their joined text."""
    units: list[Indexed] = []
    offset = 0
    for text, parts in zip(texts, index([Source(text, None, None) for text in texts]), strict=True):
        units.extend(part._replace(start=part.start + offset, end=part.end + offset) for part in parts)
        offset += len(text) + 1
    return units


def append_events(
    connection: sqlite3.Connection,
    events: Sequence[Event],
    ready: Mapping[int, list[Indexed]],
    index: Index,
    now: int,
) -> list[Memory]:
    """Store events in the caller's transaction; `ready` holds the passages of those that were indexed already."""
    batch = _Batch(log.next_seq(connection), serving(connection), now)
    namespaces: dict[Namespace, int] = {}
    fresh: dict[bytes, Memory] = {}
    memories: list[Memory] = []
    for place, event in enumerate(events):
        repeat = fresh.get(event.digest) if event.digest else None
        found = repeat or _repeat_of(connection, event.digest)
        if found is not None:
            memories.append(found)
            continue
        if event.namespace not in namespaces:
            namespaces[event.namespace] = log.ensure_namespace(connection, event.namespace)
        units = ready[place] if place in ready else index_events([event], index)[0]
        memory = batch.add(event, namespaces[event.namespace], units)
        memories.append(memory)
        if event.digest is not None:
            fresh[event.digest] = _as_repeat(memory)
    batch.write(connection)
    return memories


def _as_repeat(memory: Memory) -> Memory:
    values = {name: getattr(memory, name) for name in Memory.__slots__}
    return Memory(**{**values, "is_new": False})


def _repeat_of(connection: sqlite3.Connection, digest: bytes | None) -> Memory | None:
    if digest is None:
        return None
    row = connection.execute("SELECT id FROM log WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        return None
    stored = fetch_id(connection, row[0])
    return None if stored is None else stored.memory


class _Batch:
    """The rows of one append, gathered so that each table is written by one statement."""

    def __init__(self, seq: int, embedder: Serving, now: int) -> None:
        self.seq = seq
        self.embedder = embedder
        self.now = now
        self.origin = current_origin()
        self.entries: list[log.Entry] = []
        self.rows: list[tuple[Any, ...]] = []
        self.units: list[tuple[int, Sequence[Indexed]]] = []

    def add(self, event: Event, namespace: int, units: Sequence[Indexed]) -> Memory:
        seq, memory_id, now = self.seq, new_id(), self.now
        self.seq += 1
        body = log.event_body(event)
        self.entries.append(
            log.Entry(
                seq, memory_id, namespace, "add", event.kind, now, event.happened_at, event.text, body, event.digest
            )
        )
        row = _row_of_event(event, seq, memory_id, namespace, now)
        self.rows.append((*row, self.origin.channel, self.origin.writer))
        self.units.append((seq, units))
        return memory_of_event(event, memory_id, now, self.origin)

    def write(self, connection: sqlite3.Connection) -> None:
        log.append(connection, self.entries)
        connection.executemany(_INSERT, self.rows)
        write_units(connection, self.units, self.embedder, self.now)
        if self.entries:
            jobs.enqueue(connection, jobs.DERIVE, None, self.now)


def _row_of_event(event: Event, seq: int, memory_id: str, namespace: int, now: int) -> tuple[Any, ...]:
    expires_at = None if event.ttl is None else now + event.ttl
    metadata = dump_json(event.metadata, "metadata") if event.metadata else None
    value = None if event.key is None else dump_json(event.value, "value")
    # in the order of rows.ATTRIBUTES, up to the last two
    return (
        *(seq, memory_id, namespace, seq, seq, None, event.kind, "text"),
        *(event.speaker, event.role, event.session_id, event.agent_id),
        *(event.happened_at, event.valid_at, event.invalid_at, now, now, None, expires_at, event.ttl),
        *(1.0, 0, None, event.trust, 1, 0, metadata, event.key, value, None, None, None, 0, None),
    )


def put_row(connection: sqlite3.Connection, row: Mapping[str, Any], keep: Sequence[str] = ()) -> None:
    """Bring the row of a logged memory in step with what its log entries add up to; insert it where it is missing.

    A row that is there keeps the attributes named in `keep`.
    """
    if connection.execute("SELECT 1 FROM memories WHERE num = ?", (row["num"],)).fetchone() is None:
        insert_row(connection, row)
        return
    changed = {name: value for name, value in row.items() if name not in ("num", "texts", *keep)}
    sets = ", ".join(f"{name} = ?" for name in changed)
    connection.execute(f"UPDATE memories SET {sets} WHERE num = ?", [*changed.values(), row["num"]])


def write_change(
    connection: sqlite3.Connection, memory_id: str, text: str | None, body: Mapping[str, Any], now: int
) -> None:
    """Append an update to the log and bring the memory's row in step with it."""
    query = "SELECT num, namespace, kind, version, ttl, key FROM memories WHERE id = ?"
    found = connection.execute(query, (memory_id,)).fetchone()
    if found is None:
        raise NotFound("id", memory_id)
    num, namespace, kind, version, ttl, key = found
    origin = current_origin()
    entry = log.Entry(
        log.next_seq(connection), memory_id, namespace, "update", kind, now, None, text,
        compact_json(body) if body else None, None, origin.channel, origin.writer,
    )  # fmt: skip
    log.append(connection, [entry])
    row = {"num": num, "version": version, "ttl": ttl, "key": key, "hidden": 0, "expired_at": None}
    log.change(row, entry)
    put_row(connection, row)
    jobs.enqueue(connection, jobs.DERIVE, None, now)
