"""Putting exported entries back into a store that may hold some of them already."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mnemos.errors import InvalidInput
from mnemos.events import compact_json
from mnemos.ids import read_id
from mnemos.namespaces import read_namespace
from mnemos.passages import Index, Source
from mnemos.records import KINDS
from mnemos.store import jobs, log
from mnemos.store.checking import rebuild_links
from mnemos.store.deriving import insert_row
from mnemos.store.erasing import erase_rows
from mnemos.store.meta import bump_epoch
from mnemos.store.projection import replace_units
from mnemos.store.writing import index_texts, put_row
from mnemos.times import to_micros

PAGE = 1_000
_FIRST, _LAST = to_micros(datetime.min.replace(tzinfo=UTC)), to_micros(datetime.max.replace(tzinfo=UTC))
OPS = ("add", "update", "delete", "link")

_TEXT = (str,)
_MAYBE_TEXT = (str, type(None))
_WHOLE = (int,)
_MAYBE_WHOLE = (int, type(None))
_NUMBER = (int, float)
_MAYBE_OBJECT = (dict, type(None))
ENTRY_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "id": _TEXT, "namespace": (list,), "op": _TEXT, "kind": _TEXT, "at": _WHOLE,
    "happened_at": _MAYBE_WHOLE, "text": _MAYBE_TEXT, "body": _MAYBE_OBJECT, "digest": _MAYBE_TEXT,
}  # fmt: skip
DERIVED_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "id": _TEXT, "namespace": (list,), "kind": _TEXT, "text": _TEXT, "happened_at": _MAYBE_WHOLE,
    "valid_at": _MAYBE_WHOLE, "invalid_at": _MAYBE_WHOLE, "created_at": _WHOLE, "updated_at": _WHOLE,
    "expired_at": _MAYBE_WHOLE, "metadata": _MAYBE_OBJECT, "recipe": _MAYBE_TEXT, "topic": _MAYBE_TEXT,
    "hidden": _WHOLE, "trust": _NUMBER, "version": _WHOLE, "sources": (list,),
}  # fmt: skip
USES_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "id": _TEXT, "strength": _NUMBER, "uses": _WHOLE, "last_used_at": _MAYBE_WHOLE,
    "expires_at": _MAYBE_WHOLE,
}  # fmt: skip

BODY_FIELDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("speaker", "role", "session_id", "agent_id", "source_id", "key"), _MAYBE_TEXT),
    **dict.fromkeys(("valid_at", "invalid_at", "happened_at", "ttl"), _MAYBE_WHOLE),
    "trust": _NUMBER,
    "metadata": _MAYBE_OBJECT,
    "texts": (list, type(None)),
    "value": (object,),
}
LINK_FIELDS: Mapping[str, tuple[type, ...]] = {"target": _TEXT, "relation": _TEXT, "weight": _NUMBER}

_MEND = "export the store again"


class Restorer:
    """One restore, inside one transaction.

    An entry that the store has is a repeat. So is everything about a memory that was deleted here, or that is here
    under another id: the same event, or the same key of an item. A deletion that the store has not heard of is done.
    """

    def __init__(self, connection: sqlite3.Connection, index: Index, now: int) -> None:
        self.connection = connection
        self.index = index
        self.now = now
        self.added = self.repeated = 0
        self.known: dict[str, Counter[tuple[Any, ...]]] = {}
        self.closed: dict[str, str | None] = {}
        """Memories of which nothing is taken, and the id that stands for each of them here."""
        self.fresh: set[str] = set()
        self.touched: dict[str, None] = {}

    def take(self, entry: Mapping[str, Any], field: str) -> None:
        """Put one exported entry back."""
        takers: dict[Any, tuple[Mapping[str, tuple[type, ...]], Callable[[Mapping[str, Any], str], bool]]] = {
            "entry": (ENTRY_FIELDS, self._entry),
            "derived": (DERIVED_FIELDS, self._derived),
            "uses": (USES_FIELDS, self._uses),
        }
        kind = entry.get("type")
        if not isinstance(kind, str) or kind not in takers:
            raise InvalidInput(f"{field}.type", f"{str(kind)[:40]!r} is unknown", _MEND)
        types, taker = takers[kind]
        _check_types(entry, types, field)
        if taker(entry, field):
            self.added += 1
        else:
            self.repeated += 1

    def _entry(self, entry: Mapping[str, Any], field: str) -> bool:
        _check_entry(entry, field)
        memory_id = read_id(entry["id"], f"{field}.id")
        namespace = log.ensure_namespace(self.connection, read_namespace(entry["namespace"], f"{field}.namespace"))
        body = None if entry["body"] is None else compact_json(entry["body"])
        digest = None if entry["digest"] is None else _unhex(entry["digest"], field)
        said = (entry["op"], entry["kind"], entry["at"], entry["happened_at"], entry["text"], body)
        if not self._is_new(memory_id, said) or self._is_elsewhere(entry, memory_id, namespace, digest):
            return False
        if entry["op"] == "delete":
            self._project()
            num = self._num(memory_id)
            if num is not None:
                erase_rows(self.connection, [num], self.now)
                self.closed[memory_id] = None
                return True
        op, kind, at, happened_at, text, _ = said
        row = log.Entry(
            log.next_seq(self.connection), memory_id, namespace, op, kind, at, happened_at, text, body, digest
        )
        log.append(self.connection, [row])
        self.touched[memory_id] = None
        if op == "add":
            self.fresh.add(memory_id)
        return True

    def _is_new(self, memory_id: str, said: tuple[Any, ...]) -> bool:
        """Whether the store lacks an entry; it may hold equal ones, of which each is a repeat once."""
        if memory_id not in self.known:
            had = [(e.op, e.kind, e.at, e.happened_at, e.text, e.body) for e in self._logged(memory_id)]
            self.known[memory_id] = Counter(had)
            if any(entry[0] == "delete" for entry in had):
                self.closed[memory_id] = None
        if memory_id in self.closed:
            return False
        if self.known[memory_id][said]:
            self.known[memory_id][said] -= 1
            return False
        return True

    def _logged(self, memory_id: str) -> list[log.Entry]:
        return log.entries_of(self.connection, memory_id)

    def _is_elsewhere(self, entry: Mapping[str, Any], memory_id: str, namespace: int, digest: bytes | None) -> bool:
        """Whether the store holds the same event, or an item of the same key, under another id."""
        if entry["op"] != "add":
            return False
        queries: list[tuple[str, tuple[Any, ...]]] = []
        if digest is not None:
            queries.append(("SELECT id FROM log WHERE digest = ?", (digest,)))
        if (entry["body"] or {}).get("key") is not None:
            query = "SELECT id FROM memories WHERE namespace = ? AND key = ?"
            queries.append((query, (namespace, entry["body"]["key"])))
        for query, values in queries:
            row = self.connection.execute(query, values).fetchone()
            if row is not None and row[0] != memory_id:
                self.closed[memory_id] = row[0]
                return True
        return False

    def _derived(self, entry: Mapping[str, Any], field: str) -> bool:
        self._project()
        memory_id = read_id(entry["id"], f"{field}.id")
        if entry["kind"] not in KINDS:
            raise InvalidInput(f"{field}.kind", f"{entry['kind'][:40]!r} is not a kind", _MEND)
        if self._num(memory_id) is not None or self._was_deleted(memory_id):
            return False
        nums = [self._num(self.closed.get(source) or source) for source in map(str, entry["sources"])]
        found = sorted({num for num in nums if num is not None})
        if not found:
            # all that it was derived from is gone here, and so is it
            return False
        row = {name: entry[name] for name in DERIVED_FIELDS.keys() - {"type", "sources", "namespace", "metadata"}}
        row["num"] = num = self._scalar("SELECT min(0, coalesce(min(num), 0)) - 1 FROM memories")
        marks = ", ".join("?" * len(found))
        row["seq"] = self._scalar(f"SELECT max(seq) FROM memories WHERE num IN ({marks})", found)
        namespace = read_namespace(entry["namespace"], f"{field}.namespace")
        row["namespace"] = log.ensure_namespace(self.connection, namespace)
        row["metadata"] = None if entry["metadata"] is None else compact_json(entry["metadata"])
        insert_row(self.connection, row)
        self.connection.executemany("INSERT INTO sources VALUES (?, ?)", [(num, source) for source in found])
        units = self.index([Source(entry["text"], None, entry["happened_at"])])[0]
        replace_units(self.connection, num, units, self.now)
        if entry["hidden"] or len(found) < len(entry["sources"]):
            jobs.derive_again(self.connection, [num], self.now)
        self.fresh.add(memory_id)
        return True

    def _uses(self, entry: Mapping[str, Any], _: str) -> bool:
        self._project()
        if entry["id"] in self.fresh:
            values = [entry[name] for name in ("strength", "uses", "last_used_at", "expires_at", "id")]
            self.connection.execute(
                "UPDATE memories SET strength = ?, uses = ?, last_used_at = ?, expires_at = ? WHERE id = ?", values
            )
            return True
        return False

    def _was_deleted(self, memory_id: str) -> bool:
        entries = self._logged(memory_id)
        return bool(entries) and entries[-1].op == "delete"

    def _num(self, memory_id: str) -> int | None:
        row = self.connection.execute("SELECT num FROM memories WHERE id = ?", (memory_id,)).fetchone()
        return None if row is None else int(row[0])

    def _scalar(self, query: str, values: Sequence[Any] = ()) -> int:
        return int(self.connection.execute(query, values).fetchone()[0])

    def finish(self) -> None:
        """Bring everything in step with what was taken."""
        self._project()
        rebuild_links(self.connection)
        bump_epoch(self.connection)

    def _project(self) -> None:
        """Bring memories and index in step with the entries taken so far."""
        touched, self.touched = list(self.touched), {}
        for start in range(0, len(touched), PAGE):
            self._project_some(touched[start : start + PAGE])

    def _project_some(self, ids: Sequence[str]) -> None:
        rows: list[tuple[dict[str, Any], str]] = []
        for memory_id in ids:
            row = log.fold(self._logged(memory_id))
            if row is not None:
                put_row(self.connection, row)
                words = self.connection.execute("SELECT text FROM log WHERE seq = ?", (row["said"],)).fetchone()[0]
                rows.append((row, words))
        plain = [(row, text) for row, text in rows if row["key"] is None]
        made = self.index([Source(text, row["speaker"], row["happened_at"]) for row, text in plain]) if plain else []
        for (row, _), units in zip(plain, made, strict=True):
            replace_units(self.connection, row["num"], units, self.now)
        for row, _ in rows:
            if row["key"] is not None:
                units = index_texts(row["texts"] or (), self.index)
                replace_units(self.connection, row["num"], units, self.now)


def _check_types(entry: Mapping[str, Any], types: Mapping[str, tuple[type, ...]], field: str) -> None:
    if entry.keys() != types.keys():
        wrong = ", ".join(sorted(map(str, entry.keys() ^ types.keys())))[:200]
        raise InvalidInput(field, f"has missing or unknown fields ({wrong})", _MEND)
    for name, allowed in types.items():
        _check_type(entry[name], allowed, f"{field}.{name}")


def _check_type(value: object, allowed: tuple[type, ...], field: str) -> None:
    if not isinstance(value, allowed) or (isinstance(value, bool) and object not in allowed):
        raise InvalidInput(field, f"is a {type(value).__name__}", _MEND)
    if isinstance(value, int) and int in allowed and not _FIRST <= value <= _LAST:
        raise InvalidInput(field, "is out of range", _MEND)
    if isinstance(value, str) and "\x00" in value:
        raise InvalidInput(field, "holds a NUL character", _MEND)


def _check_body(entry: Mapping[str, Any], field: str) -> None:
    body = entry["body"] or {}
    types = LINK_FIELDS if entry["op"] == "link" else BODY_FIELDS
    if body and types is LINK_FIELDS and body.keys() != types.keys():
        raise InvalidInput(field, "is not that of a link", _MEND)
    for name, value in body.items():
        if name not in types:
            raise InvalidInput(f"{field}.{name[:60]}", "is unknown", _MEND)
        _check_type(value, types[name], f"{field}.{name}")
    for text in body.get("texts") or ():
        _check_type(text, _TEXT, f"{field}.texts")


def _check_entry(entry: Mapping[str, Any], field: str) -> None:
    if entry["op"] not in OPS:
        raise InvalidInput(f"{field}.op", f"{entry['op'][:40]!r} is unknown", _MEND)
    if entry["kind"] not in KINDS:
        raise InvalidInput(f"{field}.kind", f"{entry['kind'][:40]!r} is not a kind", _MEND)
    _check_body(entry, f"{field}.body")
    try:
        json.dumps(entry, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidInput(field, "holds a lone surrogate", _MEND) from None


def _unhex(digest: str, field: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        raise InvalidInput(f"{field}.digest", "is not hexadecimal", _MEND) from None
