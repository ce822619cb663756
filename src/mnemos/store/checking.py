"""Do the projections say what the log says? `check` lists every disagreement, `reindex` builds them anew."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from mnemos.namespaces import namespace_from_key, namespace_key
from mnemos.passages import Index, Indexed, Source
from mnemos.store import log
from mnemos.store.database import Database
from mnemos.store.projection import MAX_PARTS, active_embedder, bump_epoch, delete_units, replace_units, write_meta
from mnemos.store.rows import ATTRIBUTES
from mnemos.store.writing import index_texts, put_row

BATCH = 2_000
KEPT = ("strength", "uses", "last_used_at", "expires_at")
"""What a row knows that the log does not: a rebuild carries it over."""
COMPARED = tuple(name for name in ATTRIBUTES if name not in (*KEPT, "hidden"))
TOLERANCE = 2e-3
"""Largest difference between a stored float16 vector and the one computed again."""


class Problem(NamedTuple):
    """One disagreement: in which table, about what (a memory's id, where it is about one), and what is wrong."""

    table: str
    subject: str
    problem: str


class Checker:
    """The checking half of the SQLite store."""

    db: Database

    def check(self, index: Index, *, vectors_can_be_made: bool) -> list[Problem]:
        """Every disagreement between the log and what was derived from it; empty when all is well."""
        with self.db.read() as connection:
            return [
                *_check_file(connection),
                *_check_namespaces(connection),
                *_check_memories(connection),
                *_check_links(connection),
                *_check_units(connection, index, vectors_can_be_made),
            ]

    def reindex(self, index: Index, analyzer: str) -> int:
        """Build memories, links, passages and vectors anew from the log, in one transaction; returns how many."""
        with self.db.write() as connection:
            connection.execute("PRAGMA defer_foreign_keys = ON")
            _rebuild_namespaces(connection)
            rebuilt = _rebuild_memories(connection)
            _rebuild_links(connection)
            _rebuild_units(connection, index)
            write_meta(connection, "analyzer", analyzer)
            bump_epoch(connection)
            return rebuilt


def _check_file(connection: sqlite3.Connection) -> Iterator[Problem]:
    for (message,) in connection.execute("PRAGMA integrity_check(20)"):
        if message != "ok":
            yield Problem("file", "", message)
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield Problem(table, str(row or ""), f"points into {parent} at nothing")


def _ancestors(connection: sqlite3.Connection) -> set[tuple[int, int]]:
    paths = {path: num for num, path in connection.execute("SELECT num, path FROM namespaces")}
    pairs = set()
    for path, num in paths.items():
        namespace = namespace_from_key(path)
        above = (paths.get(namespace_key(namespace[:depth])) for depth in range(1, len(namespace) + 1))
        pairs |= {(ancestor, num) for ancestor in above if ancestor is not None}
    return pairs


def _check_namespaces(connection: sqlite3.Connection) -> Iterator[Problem]:
    stored = set(connection.execute("SELECT ancestor, namespace FROM namespace_ancestors"))
    for ancestor, namespace in sorted(stored ^ _ancestors(connection)):
        state = "is not above it" if (ancestor, namespace) in stored else "is above it, but not recorded"
        yield Problem("namespace_ancestors", str(namespace), f"namespace {ancestor} {state}")


def _rebuild_namespaces(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM namespace_ancestors")
    connection.executemany("INSERT INTO namespace_ancestors VALUES (?, ?)", sorted(_ancestors(connection)))


def _folded(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """What each memory's log entries add up to."""
    rows = connection.execute(f"SELECT {log.ENTRY} FROM log WHERE op <> 'link' ORDER BY id, seq")
    for _, entries in groupby(map(log.Entry._make, rows), key=lambda entry: entry.id):
        row = log.fold(list(entries))
        if row is not None:
            yield row


def _check_memories(connection: sqlite3.Connection) -> Iterator[Problem]:
    query = f"SELECT {', '.join(COMPARED)} FROM memories WHERE num = ?"
    seen = 0
    for row in _folded(connection):
        stored = connection.execute(query, (row["num"],)).fetchone()
        if stored is None:
            yield Problem("memories", row["id"], "is in the log, but not among the memories")
            continue
        seen += 1
        wrong = [name for name, value in zip(COMPARED, stored, strict=True) if value != row.get(name)]
        if wrong:
            yield Problem("memories", row["id"], f"{', '.join(wrong)} differ from the log")
    if seen != connection.execute("SELECT count(*) FROM memories WHERE num > 0").fetchone()[0]:
        logged = {row["num"] for row in _folded(connection)}
        for num, memory_id in connection.execute("SELECT num, id FROM memories WHERE num > 0").fetchall():
            if num not in logged:
                yield Problem("memories", memory_id, "is not in the log, or was deleted there")


def _rebuild_memories(connection: sqlite3.Connection) -> int:
    query = f"SELECT {', '.join(KEPT)} FROM memories WHERE num = ?"
    logged = set()
    for row in list(_folded(connection)):
        logged.add(row["num"])
        kept = connection.execute(query, (row["num"],)).fetchone()
        if kept is not None:
            row.update(zip(KEPT, kept, strict=True))
        connection.execute("DELETE FROM memories WHERE id = ? AND num <> ?", (row["id"], row["num"]))
        put_row(connection, row)
    for (num,) in connection.execute("SELECT num FROM memories WHERE num > 0").fetchall():
        if num not in logged:
            connection.execute("DELETE FROM sources WHERE source = ?", (num,))
            connection.execute("DELETE FROM memories WHERE num = ?", (num,))
    return len(logged)


def _linked(connection: sqlite3.Connection) -> set[tuple[int, int, str, float]]:
    nums = dict(connection.execute("SELECT id, num FROM memories"))
    latest: dict[tuple[int, int, str], float] = {}
    for source, body in connection.execute(
        "SELECT id, body FROM log WHERE op = 'link' AND body IS NOT NULL ORDER BY seq"
    ):
        link = json.loads(body)
        if source in nums and link["target"] in nums:
            latest[nums[source], nums[link["target"]], link["relation"]] = link["weight"]
    return {(*ends, weight) for ends, weight in latest.items()}


def _check_links(connection: sqlite3.Connection) -> Iterator[Problem]:
    stored = set(connection.execute("SELECT source, target, relation, weight FROM links"))
    for link in sorted(stored ^ _linked(connection)):
        state = "is not in the log" if link in stored else "is in the log only"
        yield Problem("links", f"{link[0]} → {link[1]}", f"the link {link[2]!r} {state}")


def _rebuild_links(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM links")
    connection.executemany("INSERT INTO links VALUES (?, ?, ?, ?)", sorted(_linked(connection)))
    connection.execute("DELETE FROM sources WHERE source NOT IN (SELECT num FROM memories)")
    connection.execute("DELETE FROM sources WHERE memory NOT IN (SELECT num FROM memories)")


def _indexed(connection: sqlite3.Connection, index: Index) -> Iterator[tuple[int, str, list[Indexed]]]:
    """Number, id and passages, made anew, of each memory."""
    rows = connection.execute(
        "SELECT m.num, m.id, coalesce(m.text, l.text), m.speaker, m.happened_at, m.key FROM memories m "
        "LEFT JOIN log l ON l.seq = m.said ORDER BY m.num"
    )
    while batch := rows.fetchmany(BATCH):
        plain = [row for row in batch if row[5] is None]
        made = iter(index([Source(text or "", speaker, at) for _, _, text, speaker, at, _ in plain]) if plain else [])
        for num, memory_id, _, _, _, key in batch:
            yield num, memory_id, next(made) if key is None else index_texts(_texts_of(connection, memory_id), index)


def _texts_of(connection: sqlite3.Connection, memory_id: str) -> Sequence[str]:
    """The texts under which an item is found, as its last log entry states them."""
    row = log.fold(log.entries_of(connection, memory_id))
    return (row or {}).get("texts") or ()


def _check_units(connection: sqlite3.Connection, index: Index, vectors_can_be_made: bool) -> Iterator[Problem]:
    known = 0
    for num, memory_id, units in _indexed(connection, index):
        first = num * MAX_PARTS
        stored = connection.execute(
            "SELECT u.unit, u.first, u.last, u.tokens, u.terms, v.vector FROM units u LEFT JOIN vectors v "
            "ON v.unit = u.unit WHERE u.unit BETWEEN ? AND ? ORDER BY u.unit",
            (first, first + MAX_PARTS - 1),
        ).fetchall()
        known += len(stored)
        if [row[1:5] for row in stored] != [tuple(unit[:4]) for unit in units]:
            yield Problem("units", memory_id, "passages, tokens or terms differ from the text")
        elif any(row[5] is None for row in stored) and vectors_can_be_made:
            yield Problem("vectors", memory_id, "a passage has no vector")
        elif vectors_can_be_made and not all(
            _close(row[5], unit.vector) for row, unit in zip(stored, units, strict=True)
        ):
            yield Problem("vectors", memory_id, "a vector differs from the embedder's")
    for table in ("units", "vectors"):
        total = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        if total > known:
            yield Problem(table, "", f"{total - known} rows belong to no memory")


def _close(stored: bytes, made: bytes) -> bool:
    if len(stored) != len(made):
        return False
    difference = np.frombuffer(stored, np.float16).astype(np.float32) - np.frombuffer(made, np.float16)
    return not len(difference) or bool(np.max(np.abs(difference)) <= TOLERANCE)


def _rebuild_units(connection: sqlite3.Connection, index: Index) -> None:
    for table in ("units", "vectors"):
        connection.execute(f"DELETE FROM {table}")
    if active_embedder(connection) == 0:
        return
    for num, _, units in list(_indexed(connection, index)):
        delete_units(connection, [num])
        replace_units(connection, num, units)
