"""Deleting: out of every table in one transaction, then out of the file's free space and the write-ahead log.

SQLite overwrites deleted cells (`secure_delete`), but a page that was split or merged can keep an old copy of a row in
the space between its cells. So that space is looked at after each deletion, and the file rewritten unless it is blank.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mnemos.errors import NotFound
from mnemos.records import LEVELS, Deletion
from mnemos.store import entities, jobs, kept, log, superseding
from mnemos.store.artifact_files import NAME
from mnemos.store.artifact_upkeep import has_gone, holds, strays, unlink_gone
from mnemos.store.database import BUSY_TIMEOUT_MS, Database
from mnemos.store.freespace import is_dirty, slack
from mnemos.store.meta import read_meta, write_meta
from mnemos.store.projection import delete_units
from mnemos.store.touched import touch

PURGE_WAIT_MS = 250
"""How long a delete waits for readers of the write-ahead log before it reports `pending`."""
PIECE = 32
"""Bytes of a text that are too many to be found on disk by chance."""
LEAST_TOKENS = 4
"""Fewer token ids than these are too common to be told from chance."""

Purge = Literal["done", "pending"]


@dataclass(frozen=True, slots=True)
class Erasure:
    """What `verify_erased` found: live memories that hold the text, and where stray copies of it are."""

    live: tuple[str, ...]
    stray: tuple[str, ...]
    """Files with bytes of it that belong to no row, and tables that hold it outside a live memory."""

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
            gone = erase_rows(connection, [_num_of(connection, memory_id) for memory_id in ids], now)
        return Deletion(tuple(gone), self.purge())

    def erase_scope(self, namespaces: Sequence[int], agent_id: str | None, now: int) -> Deletion:
        """Delete every memory of these namespaces (of one agent in them, where one is named)."""
        with self.db.write() as connection:
            nums: list[int] = []
            for namespace in namespaces:
                query = "SELECT num FROM memories WHERE namespace = ? AND (? IS NULL OR agent_id = ?)"
                nums += [row[0] for row in connection.execute(query, (namespace, agent_id, agent_id))]
            gone = erase_rows(connection, nums, now)
        return Deletion(tuple(gone), self.purge() if gone else "done")

    def erase_expired(self, now: int) -> Deletion:
        """Delete items whose time to live has run out."""
        with self.db.write() as connection:
            rows = connection.execute("SELECT num FROM memories WHERE expires_at <= ?", (now,)).fetchall()
            gone = erase_rows(connection, [row[0] for row in rows], now)
        return Deletion(tuple(gone), self.purge() if gone else "done")

    def purge(self, wait_ms: int = PURGE_WAIT_MS) -> Purge:
        """Empty the write-ahead log and the file's free space of deleted words, or say that a reader holds them.

        What a deletion has marked as pending stays so until this is done, also over a crash between the two. Inside a
        transaction it has to wait for the end.
        """
        with self.db.plain() as connection, _waiting(connection, wait_ms):
            if connection.in_transaction:
                return "pending"
            unlinked = unlink_gone(self.db)
            done = self.db.raw is None or (
                _truncate_wal(connection) and (not is_dirty(self.db.raw) or _rewrite(connection))
            )
            if done:
                done = _mark_done(connection)
        return "done" if done and unlinked else "pending"

    def purge_if_pending(self, wait_ms: int = PURGE_WAIT_MS) -> Purge:
        """Try again what an earlier delete could not finish."""
        with self.db.read() as connection:
            pending = read_meta(connection, "purge", "done") == "pending"
            files = has_gone(connection)
        if pending:
            return self.purge(wait_ms)
        if files:
            with self.db.plain() as connection, _waiting(connection, wait_ms):
                return "done" if unlink_gone(self.db) else "pending"
        return "done"

    def verify_erased(self, text: str, tokens: bytes = b"") -> Erasure:
        """Live memories that hold a text, and stray copies of its bytes or of its token ids."""
        with self.db.plain() as connection, _waiting(connection, PURGE_WAIT_MS):
            truncated = _truncate_wal(connection)
            needles = list(dict.fromkeys((text.encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode())))
            live = _live_holders(connection, needles)
            stray = [] if live else _stray_jobs(connection, needles)
            stray += _stray_rows(connection, needles)
            if len(tokens) >= 2 * LEAST_TOKENS:
                needles.append(tokens)
            needles = [piece for needle in needles for piece in _pieces(needle)]
            parts = slack(self.db.raw) if self.db.raw is not None else ()
            if any(needle in part.data for part in parts for needle in needles):
                stray.append(str(self.db.path))
            for path in _files_beside(self.db.file):
                # frames of live rows stay in the log while a reader holds it
                if (truncated or not live) and any(holds(path, needle) for needle in needles):
                    stray.append(str(path))
            stray += strays(self.db, live, needles)
        return Erasure(tuple(live), tuple(stray))


def _pieces(needle: bytes) -> list[bytes]:
    """Pieces by which also a part of a text is recognised, where the rest has been overwritten."""
    starts = [*range(0, len(needle) - PIECE, PIECE), max(0, len(needle) - PIECE)]
    return [needle[start : start + PIECE] for start in starts]


def erase_rows(connection: sqlite3.Connection, nums: Iterable[int], now: int) -> list[str]:
    """Delete memories by number, in the caller's transaction, and mark the purge as due; returns their ids.

    What was derived only from them goes too; what was derived also from others is hidden until it is derived again.
    """
    gone: list[str] = []
    mentioned: set[int] = set()
    queue = list(dict.fromkeys(nums))
    while queue:
        batch, queue = queue, []
        mentioned |= entities.mentioned_by(connection, batch)
        for num in batch:
            row = connection.execute("SELECT id, namespace, kind FROM memories WHERE num = ?", (num,)).fetchone()
            if row is None:
                continue
            queue += _orphans(connection, num, now)
            superseding.reopen_all(connection, num, now)
            for decision, other in kept.resting_on(connection, num):
                if other not in batch:
                    kept.let_back(connection, decision, other, now)
            _erase_one(connection, num, row, now)
            gone.append(row[0])
    entities.forget_unmentioned(connection, mentioned)
    if gone:
        # what an embedder said about the words of a batch may quote them
        connection.execute("UPDATE jobs SET error = NULL WHERE memory IS NULL")
        write_meta(connection, "purge", "pending")
    return gone


def _erase_one(connection: sqlite3.Connection, num: int, row: tuple[str, int, str], now: int) -> None:
    memory_id, namespace, kind = row
    connection.execute("UPDATE log SET text = NULL, body = NULL, digest = NULL WHERE id = ?", (memory_id,))
    connection.execute("DELETE FROM jobs WHERE memory = ?", (num,))
    delete_units(connection, [num])
    connection.execute("DELETE FROM sources WHERE source = ?", (num,))
    connection.execute("DELETE FROM memories WHERE num = ?", (num,))
    seq = log.next_seq(connection)
    log.append(connection, [log.Entry(seq, memory_id, namespace, "delete", kind, now, None, None, None, None)])
    if num < 0:
        # the log does not say which number a derived memory had, so that snapshots cannot follow it there
        touch(connection, [num])


def _orphans(connection: sqlite3.Connection, num: int, now: int) -> list[int]:
    """Derived memories with no other source than this one; those with others are hidden and queued."""
    rows = connection.execute(
        "SELECT s.memory, (SELECT count(*) FROM sources o WHERE o.memory = s.memory) FROM sources s WHERE s.source = ?",
        (num,),
    ).fetchall()
    kept = [memory for memory, sources in rows if sources > 1]
    jobs.derive_again(connection, kept, now)
    _silence(connection, kept)
    return [memory for memory, sources in rows if sources == 1]


def _silence(connection: sqlite3.Connection, nums: Iterable[int]) -> None:
    """Blank the levels among these memories and above them: they quote what is deleted, and wait to be told again."""
    queue = list(nums)
    for num in queue:
        marks = ", ".join("?" * len(LEVELS))
        query = f"UPDATE memories SET text = '' WHERE num = ? AND kind IN ({marks})"
        if connection.execute(query, (num, *LEVELS)).rowcount:
            delete_units(connection, [num])
        above = connection.execute("SELECT memory FROM sources WHERE source = ?", (num,)).fetchall()
        queue += [memory for (memory,) in above if memory not in queue]


def _num_of(connection: sqlite3.Connection, memory_id: str) -> int:
    row = connection.execute("SELECT num FROM memories WHERE id = ?", (memory_id,)).fetchone()
    if row is None:
        raise NotFound("id", memory_id)
    return int(row[0])


@contextlib.contextmanager
def _waiting(connection: sqlite3.Connection, milliseconds: int) -> Iterator[None]:
    """Wait only so long for other processes."""
    connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _truncate_wal(connection: sqlite3.Connection) -> bool:
    return _tried(connection, "PRAGMA wal_checkpoint(TRUNCATE)") == (0, 0, 0)


def _rewrite(connection: sqlite3.Connection) -> bool:
    return _tried(connection, "VACUUM") is not None and _truncate_wal(connection)


def _mark_done(connection: sqlite3.Connection) -> bool:
    return _tried(connection, "INSERT OR REPLACE INTO meta VALUES ('purge', 'done')") is not None


def _tried(connection: sqlite3.Connection, statement: str) -> tuple[int, ...] | None:
    """The row of a statement (an empty one where there is none); None where others, or a full disk, prevent it."""
    try:
        return tuple(connection.execute(statement).fetchone() or ())
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith(
            ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR")
        ):
            return None
        raise


_HOLDERS = {
    "log": ("text", "body"),
    "memories": ("text", "metadata", "value", "key", "speaker", "session_id", "topic"),
    "links": ("relation",),
    "jobs": ("payload", "error"),
    "decisions": ("detail",),
    "entities": ("name",),
    "aliases": ("name",),
}
"""Every column that may hold words."""


def _holding(table: str) -> str:
    columns = " OR ".join(f"instr(CAST({column} AS BLOB), ?1)" for column in _HOLDERS[table])
    return f"({columns})"


def _live_holders(connection: sqlite3.Connection, needles: Sequence[bytes]) -> list[str]:
    query = (
        f"SELECT id FROM memories WHERE {_holding('memories')} "
        f"UNION SELECT id FROM log WHERE {_holding('log')} AND id IN (SELECT id FROM memories)"
    )
    return sorted({row[0] for needle in needles for row in connection.execute(query, (needle,))})


def _stray_rows(connection: sqlite3.Connection, needles: Sequence[bytes]) -> list[str]:
    """Tables in which a row that belongs to no live memory holds the words."""
    apart = {
        "log": "id NOT IN (SELECT id FROM memories)",
        "links": "NOT (source IN (SELECT num FROM memories) AND target IN (SELECT num FROM memories))",
    }
    return [place for table, rest in apart.items() for place in _where_held(connection, table, rest, needles)]


def _stray_jobs(connection: sqlite3.Connection, needles: Sequence[bytes]) -> list[str]:
    return _where_held(connection, "jobs", "1", needles)


def _where_held(connection: sqlite3.Connection, table: str, rest: str, needles: Sequence[bytes]) -> list[str]:
    query = f"SELECT 1 FROM {table} WHERE {_holding(table)} AND {rest}"
    return [f"table {table}"] if any(connection.execute(query, (needle,)).fetchone() for needle in needles) else []


def _files_beside(path: Path) -> list[Path]:
    """Other files in which the store keeps words. SQLite's -shm holds none, and must not be opened: rawfile.py.

    Not those of artifacts, which `strays` looks through.
    """
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-journal")]
    folder = path.with_name(path.name + ".d")
    others = [p for p in sorted(folder.rglob("*")) if not NAME.fullmatch(p.name)] if folder.is_dir() else []
    return [p for p in (*beside, *others) if p.is_file()]
