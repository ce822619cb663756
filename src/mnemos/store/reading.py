"""Reading: memories by id, by selection and by time; their history; counts; and the rows that recall works on."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from mnemos.namespaces import Scope, namespace_from_key
from mnemos.passages import Source
from mnemos.records import Link, Memory, Namespace, Page
from mnemos.store import log
from mnemos.store.conditions import Selection, where
from mnemos.store.database import Database
from mnemos.store.meta import read_meta, serving_name
from mnemos.store.projection import MAX_PARTS
from mnemos.store.rows import Stored, fetch, fetch_held, find_key
from mnemos.store.then import table_at
from mnemos.store.touched import last_tick, touched_since
from mnemos.times import from_micros


class UnitRow(NamedTuple):
    """One passage as recall reads it; times are microseconds, `vector` is empty where there is none."""

    num: int
    part: int
    seq: int
    kind: str
    session: str | None
    speaker: str | None
    role: str | None
    happened_at: int | None
    expires_at: int | None
    start: int
    end: int
    tokens: bytes
    terms: bytes
    vector: bytes


class Said(NamedTuple):
    """Who said what, and since when it holds, in microseconds."""

    text: str
    speaker: str | None
    role: str | None
    since: int | None
    trust: float = 1.0


class State(NamedTuple):
    """Where the store stands: recall compares two of these to know what it has missed."""

    epoch: int
    last_seq: int
    tick: int = 0
    """The last change that the log does not hold."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a scope holds."""

    memories: int
    kinds: Mapping[str, int]
    sessions: int
    speakers: Mapping[str, int]
    first: datetime | None
    last: datetime | None
    namespaces: int
    jobs: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    purge: str = "done"
    embedder: str = ""


_UNITS = f"""
SELECT m.num, u.unit - m.num * {MAX_PARTS}, m.seq, m.kind, m.session_id, m.speaker, m.role, m.happened_at, m.expires_at,
       u.first, u.last, u.tokens, u.terms, coalesce(v.vector, x'')
FROM memories m JOIN units u ON u.unit BETWEEN m.num * {MAX_PARTS} AND m.num * {MAX_PARTS} + {MAX_PARTS} - 1
LEFT JOIN vectors v ON v.unit = u.unit
WHERE m.namespace = ? AND m.hidden = 0 AND m.expired_at IS NULL AND m.resting IS NULL"""
_UNIT_ROWS = f"{_UNITS} AND m.seq > ? ORDER BY m.seq, m.num, u.unit"
_UNIT_ROWS_OF = f"{_UNITS} AND m.num IN (SELECT value FROM json_each(?)) ORDER BY m.seq, m.num, u.unit"


class Reader:
    """The reading half of the SQLite store."""

    db: Database

    def namespaces_of(self, scope: Scope) -> tuple[int, ...]:
        """The numbers of the namespaces that a scope covers; none where nothing was ever stored there.

        Below the empty namespace, which no caller's scope can be, are all of them.
        """
        with self.db.read() as connection:
            if not scope.namespace:
                return tuple(row[0] for row in connection.execute("SELECT num FROM namespaces ORDER BY num"))
            num = log.namespace_num(connection, scope.namespace)
            if num is None or not scope.descendants:
                return () if num is None else (num,)
            query = "SELECT namespace FROM namespace_ancestors WHERE ancestor = ? ORDER BY namespace"
            return tuple(row[0] for row in connection.execute(query, (num,)))

    def paths_of(self, nums: Sequence[int]) -> list[Namespace]:
        """The namespaces of these numbers."""
        query = "SELECT path FROM namespaces WHERE num = ?"
        with self.db.read() as connection:
            return [namespace_from_key(connection.execute(query, (num,)).fetchone()[0]) for num in nums]

    def namespaces(self) -> list[Namespace]:
        """Every namespace that holds a memory."""
        query = (
            "SELECT path FROM namespaces n WHERE EXISTS (SELECT 1 FROM memories WHERE namespace = n.num) ORDER BY num"
        )
        with self.db.read() as connection:
            return [namespace_from_key(row[0]) for row in connection.execute(query)]

    def get(self, memory_id: str, now: int) -> Stored | None:
        """The memory of an id; None where it is unknown, has expired, or waits to be derived again."""
        with self.db.read() as connection:
            return fetch_held(connection, memory_id, now)

    def owner(self, of: str) -> Namespace | None:
        """The namespace of a memory, also of one that was deleted, or of a decision, by its id; None where unknown."""
        query = (
            "SELECT path FROM namespaces WHERE num = coalesce((SELECT namespace FROM memories WHERE id = ?1), "
            "(SELECT namespace FROM log WHERE id = ?1 LIMIT 1), (SELECT m.namespace FROM decisions d "
            "JOIN memories m ON m.num = d.memory WHERE d.id = ?1))"
        )
        with self.db.read() as connection:
            row = connection.execute(query, (of,)).fetchone()
        return None if row is None else namespace_from_key(row[0])

    def find_key(self, namespaces: Sequence[int], key: str, now: int) -> Stored | None:
        """The item of a key, unless it has expired."""
        with self.db.read() as connection:
            return find_key(connection, namespaces, key, now)

    def fetch(self, nums: Sequence[int], known_at: int | None = None) -> dict[int, Memory]:
        """Memories by number, as the store knew them at a time where one is given."""
        with self.db.read() as connection, table_at(connection, known_at) as table:
            return fetch(connection, nums, table)

    def said(self, nums: Sequence[int], known_at: int | None = None) -> dict[int, Said]:
        """Who said what in these memories; less than `fetch` gives, and sooner."""
        with self.db.read() as connection, table_at(connection, known_at) as table:
            query = (
                "SELECT m.num, coalesce(m.text, l.text, ''), m.speaker, m.role, coalesce(m.valid_at, m.happened_at), "
                f"m.trust FROM {table} m LEFT JOIN log l ON l.seq = m.said "
                "WHERE m.num IN (SELECT value FROM json_each(?))"
            )
            return {num: Said(*rest) for num, *rest in connection.execute(query, (json.dumps(list(nums)),))}

    def select(self, selection: Selection, now: int) -> list[int]:
        """The numbers of the memories that match, in reading order."""
        condition, values = where(selection, now)
        with self.db.read() as connection, table_at(connection, selection.known_at) as table:
            rows = connection.execute(f"SELECT m.num FROM {table} m WHERE {condition} ORDER BY m.seq, m.num", values)
            return [row[0] for row in rows]

    def page(
        self, selection: Selection, now: int, limit: int, offset: int, after: tuple[int, int] | None = None
    ) -> Page[Memory]:
        """Matching memories in reading order, from an offset or from after a place on."""
        condition, values = where(selection, now)
        with self.db.read() as connection, table_at(connection, selection.known_at) as table:
            count = f"SELECT count(*) FROM {table} m WHERE {condition}"
            total = connection.execute(count, values).fetchone()[0]
            if after is not None:
                (offset,) = connection.execute(f"{count} AND (m.seq, m.num) <= (?, ?)", [*values, *after]).fetchone()
            query = f"SELECT m.seq, m.num FROM {table} m WHERE {condition} ORDER BY m.seq, m.num LIMIT ? OFFSET ?"
            rows = connection.execute(query, [*values, limit, offset]).fetchall()
            memories = fetch(connection, [num for _, num in rows], table).values()
        end = "{}.{}".format(*rows[-1]) if rows else None
        return Page(memories, total=total, offset=offset, end=end)

    def links(self, memory_id: str) -> list[Link]:
        """The typed edges that begin or end at a memory."""
        query = (
            "SELECT s.id, t.id, l.relation, l.weight FROM links l JOIN memories s ON s.num = l.source "
            "JOIN memories t ON t.num = l.target WHERE s.id = ?1 OR t.id = ?1 ORDER BY s.seq, t.seq, l.relation"
        )
        with self.db.read() as connection:
            return [Link(*row) for row in connection.execute(query, (memory_id,))]

    def superseded_among(self, nums: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs of memories among these of which the first has superseded the second, which is trusted no more."""
        query = (
            "SELECT l.source, l.target FROM links l JOIN memories n ON n.num = l.source "
            "JOIN memories o ON o.num = l.target WHERE l.relation = 'supersedes' AND n.trust >= o.trust "
            "AND l.source IN (SELECT value FROM json_each(?1)) AND l.target IN (SELECT value FROM json_each(?1))"
        )
        with self.db.read() as connection:
            return connection.execute(query, (json.dumps(list(nums)),)).fetchall()

    def state(self) -> State:
        """The epoch of the projections and the last entry of the log."""
        with self.db.read() as connection:
            epoch = int(read_meta(connection, "epoch", "0"))
            return State(epoch, log.next_seq(connection) - 1, last_tick(connection))

    def touched_since(self, tick: int) -> list[int] | None:
        """Memories changed since a tick without a log entry; None where that is no longer known."""
        with self.db.read() as connection:
            return touched_since(connection, tick)

    def unit_rows_of(self, namespaces: Sequence[int], nums: Sequence[int]) -> list[UnitRow]:
        """The passages of some derived memories of these namespaces, as far as they are indexed."""
        wanted = json.dumps([num for num in nums if num < 0])
        with self.db.read() as connection:
            rows = (row for n in namespaces for row in connection.execute(_UNIT_ROWS_OF, (n, wanted)))
            return [UnitRow._make(row) for row in rows]

    def unit_rows(self, namespaces: Sequence[int], after: int) -> Iterator[UnitRow]:
        """Passages of memories that come after a place in reading order, in that order."""
        with self.db.read() as connection:
            for namespace in namespaces:
                yield from map(UnitRow._make, connection.execute(_UNIT_ROWS, (namespace, after)))

    def unexpired(self, nums: Sequence[int], now: int) -> list[int]:
        """Those of these memories whose time to live has not run out."""
        query = "SELECT num FROM memories WHERE num IN (SELECT value FROM json_each(?)) AND expires_at > ?"
        with self.db.read() as connection:
            return [row[0] for row in connection.execute(query, (json.dumps(list(nums)), now))]

    def changed_after(self, namespaces: Sequence[int], seq: int) -> list[tuple[str, int | None]]:
        """Updates and deletions in the log after an entry: the operation, and the number of the memory it concerned."""
        query = (
            "SELECT l.op, (SELECT min(a.seq) FROM log a WHERE a.id = l.id AND a.op = 'add') FROM log l "
            "WHERE l.seq > ? AND l.namespace = ? AND l.op IN ('update', 'delete')"
        )
        with self.db.read() as connection:
            return [row for namespace in namespaces for row in connection.execute(query, (seq, namespace))]

    def texts_at(self, namespaces: Sequence[int], known_at: int) -> list[tuple[int, Source]]:
        """Number, text, speaker and time of memories that have changed since `known_at`, as they were then."""
        with self.db.read() as connection, table_at(connection, known_at) as table:
            query = (
                f"SELECT m.num, l.text, m.speaker, m.happened_at FROM {table} m JOIN log l ON l.seq = m.said "
                "JOIN memories c ON c.num = m.num WHERE m.namespace = ? AND c.updated_at > ?"
            )
            rows = (row for n in namespaces for row in connection.execute(query, (n, known_at)))
            return [(num, Source(*words)) for num, *words in rows]

    def stats(self, namespaces: Sequence[int] | None, agent_id: str | None, now: int) -> Stats:
        """Counts over some namespaces (of one agent in them, where one is named), or over the whole file."""
        with self.db.read() as connection:
            if namespaces is None:
                namespaces = [row[0] for row in connection.execute("SELECT num FROM namespaces")]
            condition, values = where(Selection(tuple(namespaces), agent_id), now)
            return _stats(connection, f"memories m WHERE {condition}", values, self.db)


def _stats(connection: sqlite3.Connection, rows: str, values: list[Any], db: Database) -> Stats:
    total, sessions, spaces, first, last = connection.execute(
        "SELECT count(*), count(DISTINCT session_id), count(DISTINCT namespace), min(happened_at), max(happened_at) "
        f"FROM {rows}",
        values,
    ).fetchone()
    kinds = dict(
        connection.execute(f"SELECT kind, count(*) FROM {rows} GROUP BY kind ORDER BY kind", values).fetchall()
    )
    speakers = Counter(
        dict(connection.execute(f"SELECT coalesce(speaker, role), count(*) FROM {rows} GROUP BY 1", values).fetchall())
    )
    speakers.pop(None, None)
    jobs = dict(connection.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return Stats(
        memories=total,
        kinds=kinds,
        sessions=sessions,
        speakers=dict(speakers.most_common()),
        first=from_micros(first),
        last=from_micros(last),
        namespaces=spaces,
        jobs=jobs,
        bytes=pages * size,
        purge=read_meta(connection, "purge", "done"),
        embedder=serving_name(connection),
    )
