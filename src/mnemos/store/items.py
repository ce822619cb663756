"""Items: many put in one transaction, found by place and newest first, gone when their time to live has run out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from mnemos.errors import InvalidInput, NotFound
from mnemos.events import Event
from mnemos.namespaces import namespace_from_key
from mnemos.passages import Index, Indexed
from mnemos.records import Memory, Namespace
from mnemos.store import jobs, log
from mnemos.store.database import Database
from mnemos.store.deriving import derived_from
from mnemos.store.erasing import erase_rows
from mnemos.store.projection import replace_units
from mnemos.store.rows import fetch, fetch_id, fetch_num, find_key
from mnemos.store.writing import append_events, index_events, write_change

ALIVE = "m.hidden = 0 AND m.expired_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > ?)"


class Place(NamedTuple):
    """Where items are looked for."""

    namespaces: tuple[int, ...]
    now: int

    def sql(self) -> tuple[str, list[Any]]:
        """The condition over `memories m`, to stand after WHERE."""
        condition = f"m.key IS NOT NULL AND m.namespace IN (SELECT value FROM json_each(?)) AND {ALIVE}"
        return condition, [json.dumps(self.namespaces), self.now]


class Items:
    """What the SQLite store does with items alone."""

    db: Database

    def put(self, event: Event, index: Index, now: int) -> Memory:
        """Store an item, or change the one that its namespace holds under this key."""
        return self.put_all([event], index, now)[0]

    def put_all(self, events: Sequence[Event], index: Index, now: int) -> list[Memory]:
        """Store items of different keys in one transaction; where a key is held already its item changes."""
        units = index_events(events, index)
        with self.db.write() as connection:
            held = [_held(connection, event, now) for event in events]
            fresh = [place for place, num in enumerate(held) if num is None]
            ready = {at: units[place] for at, place in enumerate(fresh)}
            added = iter(append_events(connection, [events[place] for place in fresh], ready, index, now))
            return [
                next(added) if num is None else _change(connection, num, event, parts, now)
                for num, event, parts in zip(held, events, units, strict=True)
            ]

    def rename(self, namespaces: Sequence[int], key: str, new_key: str, now: int) -> Memory:
        """Give an item another key, which nothing in its namespace may have; its id and history stay."""
        with self.db.write() as connection:
            found = find_key(connection, namespaces, key, now)
            if found is None:
                raise NotFound("key", key)
            query = (
                "SELECT num, expires_at FROM memories WHERE key = ? "
                "AND namespace = (SELECT namespace FROM memories WHERE num = ?)"
            )
            row = connection.execute(query, (new_key, found.num)).fetchone()
            if row is not None and (row[1] is None or row[1] > now):
                raise InvalidInput("new_key", f"{new_key[:80]!r} is taken", "delete that item first, or take another")
            if row is not None:
                erase_rows(connection, [row[0]], now)
            write_change(connection, found.memory.id, None, {"key": new_key}, now)
            return fetch(connection, [found.num])[found.num]

    def item_ids(self, place: Place, keep: Callable[[Any], bool] | None, most: int | None = None) -> list[str]:
        """The ids of items, the last written first; `keep` says of a value whether it counts."""
        condition, values = place.sql()
        query = f"SELECT m.id, m.value FROM memories m WHERE {condition} ORDER BY m.updated_at DESC, m.said DESC"
        with self.db.read() as connection:
            if keep is None:
                rows = connection.execute(f"{query} LIMIT ?", [*values, -1 if most is None else most])
                return [memory_id for memory_id, _ in rows]
            kept = (memory_id for memory_id, value in connection.execute(query, values) if keep(json.loads(value)))
            return list(islice(kept, most))

    def fetch_items(self, ids: Iterable[str]) -> list[Memory]:
        """The items of these ids, in their order."""
        with self.db.read() as connection:
            return [stored.memory for one in ids if (stored := fetch_id(connection, one)) is not None]

    def item_spaces(self, below: Namespace, now: int) -> list[tuple[int, Namespace]]:
        """The namespaces that are or begin with `below` and hold an item; an empty tuple begins them all."""
        held = f"EXISTS (SELECT 1 FROM memories m WHERE m.namespace = n.num AND m.key IS NOT NULL AND {ALIVE})"
        query, values = f"SELECT n.num, n.path FROM namespaces n WHERE {held}", [now]
        with self.db.read() as connection:
            if below:
                query += " AND n.num IN (SELECT namespace FROM namespace_ancestors WHERE ancestor = ?)"
                values.append(log.namespace_num(connection, below) or 0)
            return [(num, namespace_from_key(path)) for num, path in connection.execute(query, values)]

    def refresh_items(self, ids: Sequence[str], now: int) -> None:
        """Start the time to live of these items anew, as far as they have one that has not run out."""
        wanted = json.dumps(list(ids))
        where = "id IN (SELECT value FROM json_each(?)) AND ttl IS NOT NULL AND expires_at > ?"
        with self.db.read() as connection:
            due = connection.execute(f"SELECT EXISTS (SELECT 1 FROM memories WHERE {where})", (wanted, now)).fetchone()
        if due[0]:
            with self.db.write() as connection:
                connection.execute(f"UPDATE memories SET expires_at = ? + ttl WHERE {where}", (now, wanted, now))


def _held(connection: sqlite3.Connection, event: Event, now: int) -> int | None:
    """The number of the item that an event changes; one whose time is up is deleted first."""
    query = "SELECT num, expires_at FROM memories WHERE namespace = ? AND key = ?"
    row = connection.execute(query, (log.ensure_namespace(connection, event.namespace), event.key)).fetchone()
    if row is not None and row[1] is not None and row[1] <= now:
        erase_rows(connection, [row[0]], now)
        return None
    return None if row is None else int(row[0])


def _change(connection: sqlite3.Connection, num: int, event: Event, units: Sequence[Indexed], now: int) -> Memory:
    stored = fetch_num(connection, num)
    assert stored is not None
    body = {name: getattr(event, name) for name in ("value", "texts", "ttl", "metadata", "agent_id")}
    if event.trust != stored.memory.trust:
        body["trust"] = event.trust
    if event.masked:
        body["masked"] = event.masked
    write_change(connection, stored.memory.id, event.text, body, now)
    replace_units(connection, num, units, now)
    jobs.derive_again(connection, derived_from(connection, num), now)
    return fetch(connection, [num])[num]
