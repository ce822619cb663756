"""Everything that a store holds, as plain mappings: for export, import and moves between backends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mnemos.errors import InvalidInput
from mnemos.ids import read_id
from mnemos.namespaces import namespace_from_key, read_namespace
from mnemos.passages import Index, Source
from mnemos.records import Namespace
from mnemos.store import log
from mnemos.store.checking import KEPT
from mnemos.store.database import Database
from mnemos.store.projection import bump_epoch, replace_units
from mnemos.store.writing import index_texts, insert_row, put_row

PAGE = 1_000
ENTRY_FIELDS = frozenset("type id namespace op kind at happened_at text body digest".split())
DERIVED_FIELDS = frozenset(
    "type id namespace kind text happened_at valid_at invalid_at created_at updated_at expired_at metadata recipe "
    "topic hidden trust version sources".split()
)
USES_FIELDS = frozenset(("type", "id", *KEPT))


class Restored(NamedTuple):
    """What a restore did."""

    added: int
    repeated: int


class Porter:
    """The exporting and restoring half of the SQLite store."""

    db: Database

    def export_entries(self, namespaces: Sequence[Namespace] | None = None, /) -> Iterator[dict[str, Any]]:
        """The log in order, then what is derived, then use counts; `namespaces` narrows all three."""
        spaces = {num: list(namespace_from_key(path)) for num, path in self._rows("SELECT num, path FROM namespaces")}
        chosen = {num for num, path in spaces.items() if namespaces is None or tuple(path) in namespaces}
        yield from self._entries(spaces, chosen)
        yield from self._derived(spaces, chosen)
        query = f"SELECT id, namespace, {', '.join(KEPT)} FROM memories WHERE num > 0 AND (uses > 0 OR ttl IS NOT NULL)"
        for memory_id, namespace, *values in self._rows(query):
            if namespace in chosen:
                yield {"type": "uses", "id": memory_id, **dict(zip(KEPT, values, strict=True))}

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.db.read() as connection:
            return connection.execute(query, values).fetchall()

    def _entries(self, spaces: Mapping[int, list[str]], chosen: set[int]) -> Iterator[dict[str, Any]]:
        after = 0
        while rows := self._rows(f"SELECT {log.ENTRY} FROM log WHERE seq > ? ORDER BY seq LIMIT {PAGE}", (after,)):
            for entry in map(log.Entry._make, rows):
                after = entry.seq
                if entry.namespace not in chosen:
                    continue
                yield {
                    "type": "entry",
                    "id": entry.id,
                    "namespace": spaces[entry.namespace],
                    "op": entry.op,
                    "kind": entry.kind,
                    "at": entry.at,
                    "happened_at": entry.happened_at,
                    "text": entry.text,
                    "body": None if entry.body is None else json.loads(entry.body),
                    "digest": None if entry.digest is None else entry.digest.hex(),
                }

    def _derived(self, spaces: Mapping[int, list[str]], chosen: set[int]) -> Iterator[dict[str, Any]]:
        names = sorted(DERIVED_FIELDS - {"type", "sources", "namespace"})
        for num, namespace, *values in self._rows(
            f"SELECT num, namespace, {', '.join(names)} FROM memories WHERE num < 0 ORDER BY num DESC"
        ):
            if namespace not in chosen:
                continue
            row = dict(zip(names, values, strict=True))
            row["metadata"] = None if row["metadata"] is None else json.loads(row["metadata"])
            query = "SELECT m.id FROM sources s JOIN memories m ON m.num = s.source WHERE s.memory = ? ORDER BY m.seq"
            sources = [source for (source,) in self._rows(query, (num,))]
            yield {"type": "derived", "namespace": spaces[namespace], **row, "sources": sources}

    def restore_entries(self, entries: Iterable[Mapping[str, Any]], index: Index) -> Restored:
        """Put exported entries back, in one transaction; what the store has already is left as it is."""
        with self.db.write() as connection:
            restorer = _Restorer(connection, index)
            for place, entry in enumerate(entries):
                restorer.take(entry, f"entries[{place}]")
            restorer.finish()
            bump_epoch(connection)
            return Restored(restorer.added, restorer.repeated)


class _Restorer:
    def __init__(self, connection: Any, index: Index) -> None:
        self.connection = connection
        self.index = index
        self.added = self.repeated = 0
        self.touched: dict[str, None] = {}
        self.waiting: list[tuple[int, list[str]]] = []

    def take(self, entry: Mapping[str, Any], field: str) -> None:
        takers: dict[Any, tuple[frozenset[str], Callable[[Mapping[str, Any], str], bool]]] = {
            "entry": (ENTRY_FIELDS, self._entry),
            "derived": (DERIVED_FIELDS, self._derived),
            "uses": (USES_FIELDS, self._uses),
        }
        if entry.get("type") not in takers:
            raise InvalidInput(f"{field}.type", f"{str(entry.get('type'))[:40]!r} is unknown", "export the store again")
        names, taker = takers[entry["type"]]
        if entry.keys() != names:
            wrong = ", ".join(sorted(map(str, entry.keys() ^ names)))[:200]
            raise InvalidInput(field, f"has missing or unknown fields ({wrong})", "export the store again")
        read_id(entry["id"], f"{field}.id")
        if taker(entry, field):
            self.added += 1
        else:
            self.repeated += 1

    def _entry(self, entry: Mapping[str, Any], field: str) -> bool:
        namespace = log.ensure_namespace(self.connection, read_namespace(entry["namespace"], f"{field}.namespace"))
        body = None if entry["body"] is None else json.dumps(entry["body"], ensure_ascii=False, separators=(",", ":"))
        digest = None if entry["digest"] is None else bytes.fromhex(entry["digest"])
        query = "SELECT 1 FROM log WHERE id = ? AND op = ? AND at = ? AND (op <> 'link' OR body IS ?)"
        if self.connection.execute(query, (entry["id"], entry["op"], entry["at"], body)).fetchone():
            return False
        if digest and self.connection.execute("SELECT 1 FROM log WHERE digest = ?", (digest,)).fetchone():
            return False
        seq = log.next_seq(self.connection)
        op, kind, at, happened_at, text = (entry[name] for name in ("op", "kind", "at", "happened_at", "text"))
        row = log.Entry(seq, entry["id"], namespace, op, kind, at, happened_at, text, body, digest)
        log.append(self.connection, [row])
        self.touched[entry["id"]] = None
        return True

    def _derived(self, entry: Mapping[str, Any], field: str) -> bool:
        self._project()
        if self.connection.execute("SELECT 1 FROM memories WHERE id = ?", (entry["id"],)).fetchone():
            return False
        nums = [self._num(source) for source in entry["sources"]]
        found = [num for num in nums if num is not None]
        if not found:
            raise InvalidInput(f"{field}.sources", "name no memory of this store", "export the store again, whole")
        num = self.connection.execute("SELECT min(0, coalesce(min(num), 0)) - 1 FROM memories").fetchone()[0]
        marks = ", ".join("?" * len(found))
        row = {name: entry[name] for name in DERIVED_FIELDS - {"type", "sources", "namespace", "metadata"}}
        row["num"] = num
        row["seq"] = self.connection.execute(f"SELECT max(seq) FROM memories WHERE num IN ({marks})", found).fetchone()[
            0
        ]
        row["namespace"] = log.ensure_namespace(
            self.connection, read_namespace(entry["namespace"], f"{field}.namespace")
        )
        row["metadata"] = None if entry["metadata"] is None else json.dumps(entry["metadata"], ensure_ascii=False)
        insert_row(self.connection, row)
        self.connection.executemany("INSERT INTO sources VALUES (?, ?)", [(num, source) for source in set(found)])
        replace_units(self.connection, num, self.index([Source(entry["text"], None, entry["happened_at"])])[0])
        return True

    def _uses(self, entry: Mapping[str, Any], _: str) -> bool:
        self._project()
        self.connection.execute(
            "UPDATE memories SET strength = ?, uses = max(uses, ?), last_used_at = ?, expires_at = ? WHERE id = ?",
            [*(entry[name] for name in KEPT), entry["id"]],
        )
        return False

    def _num(self, memory_id: str) -> int | None:
        row = self.connection.execute("SELECT num FROM memories WHERE id = ?", (memory_id,)).fetchone()
        return None if row is None else int(row[0])

    def finish(self) -> None:
        self._project()

    def _project(self) -> None:
        """Bring memories and index in step with the entries taken so far."""
        touched, self.touched = list(self.touched), {}
        for start in range(0, len(touched), PAGE):
            self._project_some(touched[start : start + PAGE])

    def _project_some(self, ids: Sequence[str]) -> None:
        rows, links = [], []
        for memory_id in ids:
            entries = log.entries_of(self.connection, memory_id)
            row = log.fold(entries)
            if row is not None:
                put_row(self.connection, row)
                words = self.connection.execute("SELECT text FROM log WHERE seq = ?", (row["said"],)).fetchone()[0]
                rows.append((row, words))
                links += [(row["num"], entry.body) for entry in entries if entry.op == "link" and entry.body]
        plain = [(row, text) for row, text in rows if row["key"] is None]
        made = self.index([Source(text, row["speaker"], row["happened_at"]) for row, text in plain]) if plain else []
        for (row, _), units in zip(plain, made, strict=True):
            replace_units(self.connection, row["num"], units)
        for row, _ in rows:
            if row["key"] is not None:
                replace_units(self.connection, row["num"], index_texts(row["texts"] or (), self.index))
        for num, body in links:
            link = json.loads(body)
            target = self._num(link["target"])
            if target is not None:
                values = (num, target, link["relation"], link["weight"])
                self.connection.execute("INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?)", values)
