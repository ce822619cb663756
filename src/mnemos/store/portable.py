"""Everything that a store holds, as plain mappings: for export, import and moves between backends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mnemos.namespaces import namespace_from_key
from mnemos.passages import Index
from mnemos.records import Namespace
from mnemos.store import log
from mnemos.store.checking import USED
from mnemos.store.database import Database
from mnemos.store.exported import DERIVED_FIELDS
from mnemos.store.restoring import Restorer


class Restored(NamedTuple):
    """What a restore did."""

    added: int
    repeated: int


class Porter:
    """The exporting and restoring half of the SQLite store."""

    db: Database

    def export_entries(self, namespaces: Sequence[Namespace] | None = None, /) -> Iterator[dict[str, Any]]:
        """The log in order, then what is derived, then use counts and the like; `namespaces` narrows it all.

        Of artifacts only that a memory has them: they are made anew for the model that is there.
        As the store stood when the first was asked for, whatever is written meanwhile.
        """
        with self.db.apart() as connection:
            yield from entries_of(connection, namespaces)

    def restore_entries(self, entries: Iterable[Mapping[str, Any]], index: Index, now: int) -> Restored:
        """Put exported entries back, in one transaction; what the store has already is left as it is."""
        with self.db.write() as connection:
            restorer = Restorer(connection, index, now)
            for place, entry in enumerate(entries):
                restorer.take(entry, f"entries[{place}]")
            restorer.finish()
            return Restored(restorer.added, restorer.repeated)


class _Part(NamedTuple):
    """What is exported of a store."""

    spaces: Mapping[int, list[str]]
    ids: str | None
    """Of the memories, as a JSON list; None: all of these namespaces."""

    def having(self, column: str) -> str:
        """The condition that a row is about one of the memories; its parameter is `ids`."""
        return "1" if self.ids is None else f"{column} IN (SELECT value FROM json_each(:ids))"

    @property
    def values(self) -> dict[str, Any]:
        """The parameter."""
        return {} if self.ids is None else {"ids": self.ids}


def entries_of(
    connection: sqlite3.Connection, namespaces: Sequence[Namespace] | None = None, ids: Collection[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The lines of an export, narrowed to some namespaces, or to some memories, without what is known of no memory."""
    paths = connection.execute("SELECT num, path FROM namespaces")
    spaces = {num: list(namespace_from_key(path)) for num, path in paths}
    chosen = {num: path for num, path in spaces.items() if namespaces is None or tuple(path) in namespaces}
    part = _Part(chosen, None if ids is None else json.dumps(sorted(ids)))
    yield from _entries(connection, part)
    yield from _derived(connection, part)
    yield from _uses(connection, part)
    yield from _judged(connection, part)
    yield from _decisions(connection, part)
    if ids is None:
        yield from _feedback(connection, part)
    yield from _forms(connection, part)


def _entries(connection: sqlite3.Connection, part: _Part) -> Iterator[dict[str, Any]]:
    query = f"SELECT {log.ENTRY} FROM log WHERE {part.having('id')} ORDER BY seq"
    for entry in map(log.Entry._make, connection.execute(query, part.values)):
        if entry.namespace in part.spaces:
            yield {
                "type": "entry",
                "id": entry.id,
                "namespace": part.spaces[entry.namespace],
                "op": entry.op,
                "kind": entry.kind,
                "at": entry.at,
                "happened_at": entry.happened_at,
                "text": entry.text,
                "body": None if entry.body is None else json.loads(entry.body),
                "digest": None if entry.digest is None else entry.digest.hex(),
                "channel": entry.channel,
                "writer": entry.writer,
            }


def _derived(connection: sqlite3.Connection, part: _Part) -> Iterator[dict[str, Any]]:
    names = sorted(DERIVED_FIELDS.keys() - {"type", "sources", "namespace"})
    asked = f"num < 0 AND {part.having('id')}"
    query = f"SELECT num, namespace, {', '.join(names)} FROM memories WHERE {asked} ORDER BY num DESC"
    of = "SELECT m.id FROM sources s JOIN memories m ON m.num = s.source WHERE s.memory = ? ORDER BY m.seq, m.num DESC"
    for num, namespace, *values in connection.execute(query, part.values):
        if namespace in part.spaces:
            row = dict(zip(names, values, strict=True))
            row["metadata"] = None if row["metadata"] is None else json.loads(row["metadata"])
            sources = [source for (source,) in connection.execute(of, (num,))]
            yield {"type": "derived", "namespace": part.spaces[namespace], **row, "sources": sources}


def _uses(connection: sqlite3.Connection, part: _Part) -> Iterator[dict[str, Any]]:
    changed = "(uses > 0 OR strength <> 1 OR expires_at IS NOT NULL)"
    query = f"SELECT id, namespace, {', '.join(USED)} FROM memories WHERE {changed} AND {part.having('id')}"
    for memory_id, namespace, *values in connection.execute(query, part.values):
        if namespace in part.spaces:
            yield {"type": "uses", "id": memory_id, **dict(zip(USED, values, strict=True))}


def _judged(connection: sqlite3.Connection, part: _Part) -> Iterator[dict[str, Any]]:
    judged = "(resting IS NOT NULL OR pinned = 1 OR salience IS NOT NULL)"
    query = f"SELECT id, namespace, resting, pinned, salience FROM memories WHERE {judged} AND {part.having('id')}"
    for memory_id, namespace, resting, pinned, salience in connection.execute(query, part.values):
        if namespace in part.spaces:
            yield {"type": "judged", "id": memory_id, "resting": resting, "pinned": pinned, "salience": salience}


def _decisions(connection: sqlite3.Connection, part: _Part) -> Iterator[dict[str, Any]]:
    query = (
        "SELECT m.namespace, d.id, m.id, d.op, d.policy, o.id, d.detail, d.at, d.undone_at FROM decisions d "
        "JOIN memories m ON m.num = d.memory LEFT JOIN memories o ON o.num = d.other "
        f"WHERE {part.having('m.id')} ORDER BY d.num"
    )
    names = ("id", "memory", "op", "policy", "other", "detail", "at", "undone_at")
    for namespace, *values in connection.execute(query, part.values):
        if namespace in part.spaces:
            row = dict(zip(names, values, strict=True))
            row["detail"] = None if row["detail"] is None else json.loads(row["detail"])
            yield {"type": "decision", **row}


def _feedback(connection: sqlite3.Connection, part: _Part) -> Iterator[dict[str, Any]]:
    for namespace, weights, count, at in connection.execute("SELECT * FROM feedback ORDER BY namespace"):
        if namespace in part.spaces:
            said = {"weights": json.loads(weights), "count": count, "updated_at": at}
            yield {"type": "feedback", "namespace": part.spaces[namespace], **said}


def _forms(connection: sqlite3.Connection, part: _Part) -> Iterator[dict[str, Any]]:
    """Which memories are wanted or held in another form than text: artifacts are of one model, and are made anew."""
    query = (
        "SELECT m.namespace, m.id, f.form, min(f.at) FROM (SELECT memory, form, at FROM wanted UNION ALL "
        "SELECT s.memory, a.form, a.created_at FROM artifacts a JOIN artifact_sources s ON s.artifact = a.num) f "
        f"JOIN memories m ON m.num = f.memory WHERE {part.having('m.id')} GROUP BY f.memory, f.form "
        "ORDER BY m.seq, m.num DESC, f.form"
    )
    for namespace, memory_id, form, at in connection.execute(query, part.values):
        if namespace in part.spaces:
            yield {"type": "form", "memory": memory_id, "form": form, "at": at}
