"""Deleting: out of every table in one transaction, then out of the file's free space and the write-ahead log.

SQLite overwrites deleted cells (`secure_delete`), but a page that was split or merged can keep an old copy of a row in
the space between its cells. So the file is searched for what was deleted, and rewritten where a copy is found.
"""

from __future__ import annotations

import mmap
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mnemos.errors import NotFound
from mnemos.records import Deletion
from mnemos.store import jobs, log
from mnemos.store.database import Database
from mnemos.store.projection import MAX_PARTS, bump_epoch, delete_units, read_meta, write_meta

PURGE_WAIT_MS = 250
"""How long a delete waits for readers of the write-ahead log before it reports `pending`."""
SEARCHED_TRACES = 200
"""Deleting more than this many traces at once rewrites the file without searching it first."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What `verify_erased` found: live memories that hold the text, and files that hold stray copies of it."""

    live: tuple[str, ...]
    stray: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """True where no stray byte is left; live memories are not stray."""
        return not self.stray


class Eraser:
    """The erasing half of the SQLite store."""

    db: Database

    def erase(self, ids: Sequence[str], now: int) -> Deletion:
        """Delete memories and what was derived only from them."""
        with self.db.write() as connection:
            nums = [_num_of(connection, memory_id) for memory_id in ids]
            gone, traces = erase_rows(connection, nums, now)
        return Deletion(tuple(gone), self.purge(traces))

    def erase_scope(self, namespaces: Sequence[int], agent_id: str | None, now: int) -> Deletion:
        """Delete every memory of these namespaces (of one agent in them, where one is named)."""
        with self.db.write() as connection:
            nums: list[int] = []
            for namespace in namespaces:
                query = "SELECT num FROM memories WHERE namespace = ? AND (? IS NULL OR agent_id = ?)"
                nums += [row[0] for row in connection.execute(query, (namespace, agent_id, agent_id))]
            gone, traces = erase_rows(connection, nums, now)
        return Deletion(tuple(gone), self.purge(traces) if gone else "done")

    def erase_expired(self, now: int) -> Deletion:
        """Delete items whose time to live has run out."""
        with self.db.write() as connection:
            rows = connection.execute("SELECT num FROM memories WHERE expires_at <= ?", (now,)).fetchall()
            gone, traces = erase_rows(connection, [row[0] for row in rows], now)
        return Deletion(tuple(gone), self.purge(traces) if gone else "done")

    def purge(self, traces: Sequence[bytes] = ()) -> Literal["done", "pending"]:
        """Empty the write-ahead log and the file's free space of deleted words, or say that a reader holds them."""
        with self.db.plain() as connection:
            done = _truncate_wal(connection)
            if done and _worth_rewriting(connection, self.db.path, traces):
                done = _rewrite(connection)
            state: Literal["done", "pending"] = "done" if done else "pending"
            if read_meta(connection, "purge", "done") != state:
                write_meta(connection, "purge", state)
        return state

    def purge_if_pending(self) -> Literal["done", "pending"]:
        """Try again what an earlier delete could not finish."""
        with self.db.plain() as connection:
            pending = read_meta(connection, "purge", "done") == "pending"
            rewrite = pending and _truncate_wal(connection)
            done = not pending or (rewrite and _rewrite(connection))
            if pending and done:
                write_meta(connection, "purge", "done")
        return "done" if done else "pending"

    def verify_erased(self, text: str) -> Erasure:
        """Live memories that hold `text`, and files beside them that hold stray copies of its bytes."""
        with self.db.plain() as connection:
            live = _live_holders(connection, text)
            _truncate_wal(connection)
            needle = text.encode()
            stray = [str(p) for p in _files(self.db.path) if p != self.db.path and not live and _holds(p, needle)]
            if _holds(self.db.path, needle) and (not live or _has_stray(connection, self.db.path, needle)):
                stray.append(str(self.db.path))
        return Erasure(tuple(live), tuple(stray))


def erase_rows(connection: sqlite3.Connection, nums: Iterable[int], now: int) -> tuple[list[str], list[bytes]]:
    """Delete memories by number, in the caller's transaction; returns their ids and byte traces to look for on disk.

    What was derived only from them goes too; what was derived also from others is hidden until it is derived again.
    """
    gone: list[str] = []
    traces: list[bytes] = []
    queue = list(dict.fromkeys(nums))
    while queue:
        batch, queue = queue, []
        for num in batch:
            row = connection.execute("SELECT id, namespace, kind FROM memories WHERE num = ?", (num,)).fetchone()
            if row is None:
                continue
            traces.extend(_traces(connection, num, row[0]))
            queue += _orphans(connection, num, now)
            _erase_one(connection, num, row, now)
            gone.append(row[0])
    return gone, traces


def _erase_one(connection: sqlite3.Connection, num: int, row: tuple[str, int, str], now: int) -> None:
    memory_id, namespace, kind = row
    connection.execute("UPDATE log SET text = NULL, body = NULL, digest = NULL WHERE id = ?", (memory_id,))
    connection.execute("DELETE FROM jobs WHERE memory = ?", (num,))
    delete_units(connection, [num])
    connection.execute("DELETE FROM sources WHERE source = ?", (num,))
    connection.execute("DELETE FROM memories WHERE num = ?", (num,))
    seq = log.next_seq(connection)
    log.append(connection, [log.Entry(seq, memory_id, namespace, "delete", kind, now, None, None, None, None)])


def _orphans(connection: sqlite3.Connection, num: int, now: int) -> list[int]:
    """Derived memories with no other source than this one; those with others are hidden and queued."""
    orphans: list[int] = []
    rows = connection.execute(
        "SELECT s.memory, (SELECT count(*) FROM sources o WHERE o.memory = s.memory) FROM sources s WHERE s.source = ?",
        (num,),
    ).fetchall()
    for memory, sources in rows:
        if sources == 1:
            orphans.append(memory)
        else:
            jobs.derive_again(connection, [memory], now)
            bump_epoch(connection)
    return orphans


def _num_of(connection: sqlite3.Connection, memory_id: str) -> int:
    row = connection.execute("SELECT num FROM memories WHERE id = ?", (memory_id,)).fetchone()
    if row is None:
        raise NotFound("id", memory_id)
    return int(row[0])


def _traces(connection: sqlite3.Connection, num: int, memory_id: str) -> Iterator[bytes]:
    """Bytes by which a left-over copy of a memory would be recognised: the head of its words, its token ids."""
    texts = connection.execute(
        "SELECT text FROM log WHERE id = ? AND text IS NOT NULL UNION ALL "
        "SELECT text FROM memories WHERE num = ? AND text IS NOT NULL",
        (memory_id, num),
    )
    yield from (text.encode()[:64] for (text,) in texts)
    first = num * MAX_PARTS
    units = connection.execute("SELECT tokens FROM units WHERE unit BETWEEN ? AND ?", (first, first + MAX_PARTS - 1))
    yield from (tokens[:64] for (tokens,) in units if len(tokens) >= 16)


def _truncate_wal(connection: sqlite3.Connection) -> bool:
    connection.execute(f"PRAGMA busy_timeout = {PURGE_WAIT_MS}")
    try:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.execute("PRAGMA busy_timeout = 15000")
    return not busy


def _rewrite(connection: sqlite3.Connection) -> bool:
    connection.execute(f"PRAGMA busy_timeout = {PURGE_WAIT_MS}")
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") not in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            raise
        return False
    finally:
        connection.execute("PRAGMA busy_timeout = 15000")
    return _truncate_wal(connection)


def _worth_rewriting(connection: sqlite3.Connection, path: Path, traces: Sequence[bytes]) -> bool:
    if len(traces) > SEARCHED_TRACES:
        return True
    found = [trace for trace in traces if _holds(path, trace)]
    return any(not _is_live(connection, trace) or _has_stray(connection, path, trace) for trace in found)


def _is_live(connection: sqlite3.Connection, trace: bytes) -> bool:
    query = (
        "SELECT EXISTS (SELECT 1 FROM log WHERE instr(CAST(text AS BLOB), :t) OR instr(CAST(body AS BLOB), :t)) OR "
        "EXISTS (SELECT 1 FROM memories WHERE instr(CAST(text AS BLOB), :t) OR instr(CAST(value AS BLOB), :t) OR "
        "instr(CAST(metadata AS BLOB), :t)) OR EXISTS (SELECT 1 FROM units WHERE instr(tokens, :t))"
    )
    return bool(connection.execute(query, {"t": trace}).fetchone()[0])


def _live_holders(connection: sqlite3.Connection, text: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT m.id FROM memories m JOIN log l ON l.id = m.id "
        "WHERE instr(l.text, :t) OR instr(l.body, :t) "
        "UNION SELECT id FROM memories WHERE instr(text, :t) OR instr(value, :t) OR instr(metadata, :t)",
        {"t": text},
    )
    return sorted(row[0] for row in rows)


def _files(path: Path) -> list[Path]:
    """Every file in which the store keeps bytes."""
    beside = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-journal")]
    folder = path.with_name(path.name + ".d")
    artifacts = sorted(folder.rglob("*")) if folder.is_dir() else []
    return [p for p in (*beside, *artifacts) if p.is_file()]


def _holds(path: Path, needle: bytes) -> bool:
    if not needle or not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(needle) >= 0


def _has_stray(connection: sqlite3.Connection, path: Path, needle: bytes) -> bool:
    """Whether the file holds the bytes more often than its live rows do, which a freshly written copy shows.

    A row is split over pages at the same places in both, so that live occurrences are counted alike.
    """
    with tempfile.TemporaryDirectory(prefix=".mnemos-", dir=path.parent) as folder:
        copy = Path(folder) / "live.db"
        connection.execute("VACUUM INTO ?", (str(copy),))
        return _count(path, needle) > _count(copy, needle)


def _count(path: Path, needle: bytes) -> int:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        count, place = 0, view.find(needle)
        while place >= 0:
            count, place = count + 1, view.find(needle, place + 1)
        return count
