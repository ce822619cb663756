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
from mnemos.records import Namespace
from mnemos.store import entities, jobs, log, progress
from mnemos.store.database import Database
from mnemos.store.meta import active_embedder, bump_epoch, write_meta
from mnemos.store.projection import MAX_PARTS, serving, write_units
from mnemos.store.rows import ATTRIBUTES
from mnemos.store.writing import index_texts, put_row

BATCH = 2_000
USED = ("strength", "uses", "last_used_at", "expires_at")
JUDGED = ("resting", "pinned", "salience")
KEPT = (*USED, *JUDGED)
"""What a row knows that the log does not: a rebuild carries it over."""
COMPARED = tuple(name for name in ATTRIBUTES if name not in KEPT)
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
        """Every disagreement between the log and what was derived from it; empty when all is well.

        Where pages of the file are damaged, only that: the rest could not be trusted.
        """
        with self.db.plain() as connection:
            damage = _damage(connection)
        if damage:
            return damage
        with self.db.read() as connection:
            return [
                *_check_references(connection),
                *_check_namespaces(connection),
                *_check_memories(connection),
                *_check_derived(connection),
                *_check_links(connection),
                *_check_units(connection, index, vectors_can_be_made),
            ]

    def reindex(self, index: Index, analyzer: str, now: int) -> int:
        """Build memories, links, passages and vectors anew from the log, in one transaction; returns how many."""
        with self.db.write() as connection:
            connection.execute("PRAGMA defer_foreign_keys = ON")
            _rebuild_namespaces(connection)
            rebuilt = _rebuild_memories(connection, now)
            entities.sweep(connection)
            rebuild_links(connection)
            _rebuild_units(connection, index, now)
            write_meta(connection, "analyzer", analyzer)
            # rows that moved leave copies behind, which must not outlive them
            write_meta(connection, "purge", "pending")
            bump_epoch(connection)
            return rebuilt


def _damage(connection: sqlite3.Connection) -> list[Problem]:
    """What SQLite finds wrong with the file itself."""
    try:
        found = [said for (said,) in connection.execute("PRAGMA integrity_check(20)")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    return [Problem("file", "", said) for said in found if said != "ok"]


def _check_references(connection: sqlite3.Connection) -> Iterator[Problem]:
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield Problem(table, str(row or ""), f"points into {parent} at nothing")


def _ancestors(connection: sqlite3.Connection) -> tuple[set[tuple[int, int]], list[Namespace]]:
    """The pairs that the ancestor table should hold, and namespaces above others that are missing themselves."""
    paths = {path: num for num, path in connection.execute("SELECT num, path FROM namespaces")}
    pairs, missing = set(), []
    for path, num in paths.items():
        namespace = namespace_from_key(path)
        for above in (namespace[:depth] for depth in range(1, len(namespace) + 1)):
            ancestor = paths.get(namespace_key(above))
            if ancestor is None:
                missing.append(above)
            else:
                pairs.add((ancestor, num))
    return pairs, missing


def _check_namespaces(connection: sqlite3.Connection) -> Iterator[Problem]:
    pairs, missing = _ancestors(connection)
    for namespace in missing:
        yield Problem("namespaces", namespace_key(namespace), "is above another, but not recorded")
    stored = set(connection.execute("SELECT ancestor, namespace FROM namespace_ancestors"))
    for ancestor, num in sorted(stored ^ pairs):
        state = "is not above it" if (ancestor, num) in stored else "is above it, but not recorded"
        yield Problem("namespace_ancestors", str(num), f"namespace {ancestor} {state}")


def _rebuild_namespaces(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM namespace_ancestors")
    for namespace in _ancestors(connection)[1]:
        log.ensure_namespace(connection, namespace)
    pairs, _ = _ancestors(connection)
    connection.executemany("INSERT OR IGNORE INTO namespace_ancestors VALUES (?, ?)", sorted(pairs))


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


def _check_derived(connection: sqlite3.Connection) -> Iterator[Problem]:
    for (memory_id,) in connection.execute(f"SELECT id FROM memories WHERE {_ORPHANED}"):
        yield Problem("sources", memory_id, "is derived, but none of its sources is recorded")


_ORPHANED = (
    "num < 0 AND NOT EXISTS (SELECT 1 FROM sources s JOIN memories m ON m.num = s.source WHERE s.memory = memories.num)"
)


def _rebuild_memories(connection: sqlite3.Connection, now: int) -> int:
    logged = {row["num"]: row["id"] for row in _folded(connection)}
    for num, memory_id in connection.execute("SELECT num, id FROM memories WHERE num > 0").fetchall():
        if logged.get(num) != memory_id:
            connection.execute("DELETE FROM memories WHERE num = ?", (num,))
    if len(logged) > connection.execute("SELECT count(*) FROM memories WHERE num > 0").fetchone()[0]:
        progress.restart(connection)  # what was judged of a lost row is lost with it
        jobs.enqueue(connection, jobs.DERIVE, None, now)
    for row in _folded(connection):
        put_row(connection, row, keep=KEPT)
    connection.execute("DELETE FROM sources WHERE source NOT IN (SELECT num FROM memories)")
    connection.execute("DELETE FROM sources WHERE memory NOT IN (SELECT num FROM memories)")
    while orphans := connection.execute(f"SELECT num FROM memories WHERE {_ORPHANED}").fetchall():
        connection.executemany("DELETE FROM sources WHERE source = ?", orphans)
        connection.executemany("DELETE FROM memories WHERE num = ?", orphans)
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
    for link in connection.execute(_SUPERSEDED):
        latest.setdefault(link, 1.0)
    return {(*ends, weight) for ends, weight in latest.items()}


_SUPERSEDED = (
    "SELECT other, memory, 'supersedes' FROM decisions WHERE op = 'supersede' AND other IS NOT NULL "
    "AND undone_at IS NULL"
)
"""Links that follow from what was decided: the newer memory supersedes the older."""


def _check_links(connection: sqlite3.Connection) -> Iterator[Problem]:
    stored = set(connection.execute("SELECT source, target, relation, weight FROM links"))
    for link in sorted(stored ^ _linked(connection)):
        state = "is not in the log" if link in stored else "is in the log only"
        yield Problem("links", f"{link[0]} → {link[1]}", f"the link {link[2]!r} {state}")


def rebuild_links(connection: sqlite3.Connection) -> None:
    """Bring the links in step with the log."""
    connection.execute("DELETE FROM links")
    connection.executemany("INSERT INTO links VALUES (?, ?, ?, ?)", sorted(_linked(connection)))


def _indexed(connection: sqlite3.Connection, index: Index) -> Iterator[tuple[int, str, list[Indexed]]]:
    """Number, id and passages, made anew, of each memory."""
    rows = connection.execute(
        "SELECT m.num, m.id, coalesce(m.text, l.text), m.speaker, m.happened_at, m.key FROM memories m "
        "LEFT JOIN log l ON l.seq = m.said ORDER BY m.num"
    )
    while batch := rows.fetchmany(BATCH):
        # a level that waits to be told again has no words, and no passages
        plain = [row for row in batch if row[5] is None and not _is_silent(row[0], row[2])]
        made = iter(index([Source(text or "", speaker, at) for _, _, text, speaker, at, _ in plain]) if plain else [])
        for num, memory_id, text, _, _, key in batch:
            if _is_silent(num, text):
                yield num, memory_id, []
            else:
                units = next(made) if key is None else index_texts(_texts_of(connection, memory_id), index)
                yield num, memory_id, units


def _is_silent(num: int, text: str | None) -> bool:
    return num < 0 and text == ""


def _texts_of(connection: sqlite3.Connection, memory_id: str) -> Sequence[str]:
    """The texts under which an item is found, as its last log entry states them."""
    row = log.fold(log.entries_of(connection, memory_id))
    return (row or {}).get("texts") or ()


def _check_units(connection: sqlite3.Connection, index: Index, vectors_can_be_made: bool) -> Iterator[Problem]:
    active = active_embedder(connection)
    for num, memory_id, units in _indexed(connection, index):
        first = num * MAX_PARTS
        stored = connection.execute(
            "SELECT u.unit, u.first, u.last, u.tokens, u.terms, v.vector, v.embedder FROM units u LEFT JOIN vectors v "
            "ON v.unit = u.unit WHERE u.unit BETWEEN ? AND ? ORDER BY u.unit",
            (first, first + MAX_PARTS - 1),
        ).fetchall()
        if [row[:5] for row in stored] != [(first + part, *unit[:4]) for part, unit in enumerate(units)]:
            yield Problem("units", memory_id, "passages, tokens or terms differ from the text")
        elif any(row[6] not in (None, active) for row in stored):
            yield Problem("vectors", memory_id, "a vector is another embedder's")
        elif vectors_can_be_made:
            if any(row[5] is None for row in stored):
                yield Problem("vectors", memory_id, "a passage has no vector")
            elif not all(_close(row[5], unit.vector) for row, unit in zip(stored, units, strict=True)):
                yield Problem("vectors", memory_id, "a vector differs from the embedder's")
    yield from _check_loose(connection)


def _check_loose(connection: sqlite3.Connection) -> Iterator[Problem]:
    counts = dict(entities.loose(connection))
    for table, owner, key in (
        ("units", "memories", "num = u.unit >> 20"),
        ("vectors", "units", "unit = u.unit"),
        ("next_vectors", "units", "unit = u.unit"),
    ):
        query = f"SELECT count(*) FROM {table} u WHERE NOT EXISTS (SELECT 1 FROM {owner} WHERE {owner}.{key})"
        counts[table] = connection.execute(query).fetchone()[0]
    yield from (Problem(table, "", f"{loose} rows belong to no memory") for table, loose in counts.items() if loose)


def _close(stored: bytes, made: bytes) -> bool:
    one, two = (np.frombuffer(vector, np.float16).astype(np.float32) for vector in (stored, made))
    return len(one) == len(two) and bool((np.abs(one - two) <= TOLERANCE).all())


def _rebuild_units(connection: sqlite3.Connection, index: Index, now: int) -> None:
    """Passages anew; vectors too, or, where their embedder was not given, those whose passages are as they were."""
    connection.execute("CREATE TEMP TABLE before AS SELECT unit, tokens, first, last FROM units")
    connection.execute("CREATE TEMP TABLE vectors_before AS SELECT * FROM vectors")
    for table in ("units", "vectors", "next_vectors"):
        connection.execute(f"DELETE FROM {table}")
    embedder = serving(connection)
    for num, _, units in _indexed(connection, index):
        write_units(connection, [(num, units)], embedder, now)
    connection.execute(
        "INSERT OR IGNORE INTO vectors SELECT v.unit, v.embedder, v.vector FROM vectors_before v JOIN before b "
        "ON b.unit = v.unit JOIN units u ON u.unit = v.unit "
        "WHERE (u.tokens, u.first, u.last) = (b.tokens, b.first, b.last) AND v.embedder = ?",
        (embedder.num,),
    )
    connection.execute("DROP TABLE before")
    connection.execute("DROP TABLE vectors_before")
