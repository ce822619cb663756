"""Putting exported entries back into a store that may hold some of them already."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnemos.errors import InvalidInput
from mnemos.events import compact_json
from mnemos.ids import read_id
from mnemos.namespaces import read_namespace
from mnemos.origin import current_origin, writing_as
from mnemos.passages import Index, Source
from mnemos.records import KINDS
from mnemos.store import decisions, jobs, log
from mnemos.store.artifact_rows import FORMS, want
from mnemos.store.checking import rebuild_links
from mnemos.store.deriving import insert_row
from mnemos.store.erasing import erase_rows
from mnemos.store.exported import DERIVED_FIELDS, MEND, check_entry, read_digest, read_line
from mnemos.store.meta import bump_epoch
from mnemos.store.projection import replace_units
from mnemos.store.writing import bounded, index_texts, put_row

PAGE = 1_000


class Restorer:
    """One restore, inside one transaction.

    An entry that the store has is a repeat. So is everything about a memory that was deleted here, or that is here
    under another id: the same event, or the same key of an item. A deletion that the store has not heard of is done.
    An item whose new key is another's here keeps its old one.
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
        takers: dict[str, Callable[[Mapping[str, Any], str], bool]] = {
            "entry": self._entry,
            "derived": self._derived,
            "uses": self._uses,
            "judged": self._judged,
            "decision": self._decision,
            "feedback": self._feedback,
            "form": self._form,
        }
        entry = read_line(entry, field)
        if takers[entry["type"]](entry, field):
            self.added += 1
        else:
            self.repeated += 1

    def _entry(self, entry: Mapping[str, Any], field: str) -> bool:
        check_entry(entry, field)
        memory_id = read_id(entry["id"], f"{field}.id")
        namespace = log.ensure_namespace(self.connection, read_namespace(entry["namespace"], f"{field}.namespace"))
        digest = None if entry["digest"] is None else read_digest(entry["digest"], field)
        body = self._trusted(memory_id, entry["op"], entry["body"])
        row = log.Entry(
            log.next_seq(self.connection), memory_id, namespace, entry["op"], entry["kind"], entry["at"],
            entry["happened_at"], entry["text"], None if body is None else compact_json(body), digest,
            entry["channel"], entry["writer"],
        )  # fmt: skip
        if not self._is_new(memory_id, _said(row)) or self._is_elsewhere(entry, memory_id, namespace, digest):
            return False
        if entry["op"] == "delete":
            self._project()
            num = self._num(memory_id)
            if num is not None:
                with writing_as(entry["channel"], entry["writer"]):
                    erase_rows(self.connection, [num], self.now)
                self.closed[memory_id] = None
                return True
        log.keep(self.connection, [row])
        self.touched[memory_id] = None
        if row.op == "add":
            self.fresh.add(memory_id)
        return True

    def _trusted(self, memory_id: str, op: str, body: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """The body of an entry, by which its memory is trusted no further than whoever puts it back."""
        if current_origin().trust == 1.0 or op not in ("add", "update"):
            return body
        held = log.fold(self._logged(memory_id)) if op == "update" else None
        return bounded(body or {}, 1.0 if held is None else held["trust"])

    def _is_new(self, memory_id: str, said: tuple[Any, ...]) -> bool:
        """Whether the store lacks an entry; it may hold equal ones, of which each is a repeat once."""
        if memory_id not in self.known:
            had = [_said(logged) for logged in self._logged(memory_id)]
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
        others: list[str | None] = []
        if entry["op"] == "add" and digest is not None:
            row = self.connection.execute("SELECT id FROM log WHERE digest = ?", (digest,)).fetchone()
            others.append(None if row is None else row[0])
        if entry["op"] in ("add", "update") and (entry["body"] or {}).get("key") is not None:
            others.append(self._holder(namespace, entry["body"]["key"]))
        for other in others:
            if other not in (None, memory_id):
                if entry["op"] == "add":
                    self.closed[memory_id] = other
                return True
        return False

    def _holder(self, namespace: int, key: str) -> str | None:
        """The id of the item that has a key, once what was taken of it holds."""
        query = "SELECT id FROM memories WHERE namespace = ? AND key = ?"
        row = self.connection.execute(query, (namespace, key)).fetchone()
        if row is not None and row[0] in self.touched:
            self._project()
            row = self.connection.execute(query, (namespace, key)).fetchone()
        return None if row is None else str(row[0])

    def _derived(self, entry: Mapping[str, Any], field: str) -> bool:
        self._project()
        memory_id = read_id(entry["id"], f"{field}.id")
        if entry["kind"] not in KINDS:
            raise InvalidInput(f"{field}.kind", f"{entry['kind'][:40]!r} is not a kind", MEND)
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
        row["trust"] = min(entry["trust"], current_origin().trust)
        insert_row(self.connection, row)
        self.connection.executemany("INSERT INTO sources VALUES (?, ?)", [(num, source) for source in found])
        units = self.index([Source(entry["text"], entry["speaker"], entry["happened_at"])])[0]
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

    def _judged(self, entry: Mapping[str, Any], _: str) -> bool:
        self._project()
        if entry["id"] in self.fresh:
            values = [entry["resting"], int(bool(entry["pinned"])), entry["salience"], entry["id"]]
            self.connection.execute("UPDATE memories SET resting = ?, pinned = ?, salience = ? WHERE id = ?", values)
            return True
        return False

    def _decision(self, entry: Mapping[str, Any], field: str) -> bool:
        self._project()
        decision_id = read_id(entry["id"], f"{field}.id")
        num, other = (None if i is None else self._num(read_id(i, field)) for i in (entry["memory"], entry["other"]))
        lost = entry["other"] is not None and other is None
        if num is None or lost or decisions.find(self.connection, decision_id) is not None:
            return False
        taken = decisions.Decision(
            decision_id, num, entry["op"], entry["policy"], other, entry["detail"] or {}, entry["at"],
            entry["undone_at"],
        )  # fmt: skip
        decisions.put(self.connection, taken)
        return True

    def _feedback(self, entry: Mapping[str, Any], field: str) -> bool:
        weights = entry["weights"]
        if not all(isinstance(w, int | float) and not isinstance(w, bool) and 0 < w < 100 for w in weights.values()):
            raise InvalidInput(f"{field}.weights", "are not factors", MEND)
        namespace = log.ensure_namespace(self.connection, read_namespace(entry["namespace"], f"{field}.namespace"))
        values = (namespace, compact_json(weights), entry["count"], entry["updated_at"])
        return self.connection.execute("INSERT OR IGNORE INTO feedback VALUES (?, ?, ?, ?)", values).rowcount > 0

    def _form(self, entry: Mapping[str, Any], field: str) -> bool:
        self._project()
        if entry["form"] not in FORMS:
            raise InvalidInput(f"{field}.form", f"{entry['form'][:40]!r} is unknown", MEND)
        num = self._num(entry["memory"]) if entry["memory"] in self.fresh else None
        return num is not None and want(self.connection, [num], entry["form"], entry["at"]) > 0

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
        if self.added:
            jobs.enqueue(self.connection, jobs.DERIVE, None, self.now)
        bump_epoch(self.connection)

    def _project(self) -> None:
        """Bring memories and index in step with the entries taken so far."""
        touched, self.touched = list(self.touched), {}
        # items may have exchanged their keys
        self.connection.executemany(
            "UPDATE memories SET key = NULL WHERE id = ? AND key IS NOT NULL", [(i,) for i in touched]
        )
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


def _said(entry: log.Entry) -> tuple[Any, ...]:
    """What tells an entry from others of its memory: all but where it comes from, and how far it is trusted."""
    body = entry.body
    if body is not None and '"trust"' in body:
        body = compact_json({name: value for name, value in json.loads(body).items() if name != "trust"})
    return (entry.op, entry.kind, entry.at, entry.happened_at, entry.text, "{}" if body is None else body)
