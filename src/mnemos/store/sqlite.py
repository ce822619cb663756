"""The SQLite store: one file, safe under `kill -9`, many readers and one writer across processes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from mnemos.errors import InvalidInput
from mnemos.store import jobs
from mnemos.store.checking import Checker
from mnemos.store.database import Database
from mnemos.store.erasing import Eraser
from mnemos.store.jobs import Job
from mnemos.store.portable import Porter
from mnemos.store.projection import active_embedder, bump_epoch, read_meta, write_meta
from mnemos.store.reading import Reader
from mnemos.store.writing import Writer


class SqliteStore(Writer, Reader, Eraser, Checker, Porter):
    """Everything durable. Each base class is one thing that a store does; they share the connection `db`."""

    def __init__(self, path: str | os.PathLike[str], *, embedder: str, dim: int, analyzer: str, now: int) -> None:
        self.db = Database(path)
        with self.db.write() as connection:
            if active_embedder(connection) == 0:
                write_meta(connection, "embedder", str(_embedder_num(connection, embedder, dim)))
                write_meta(connection, "analyzer", analyzer)

    @property
    def path(self) -> Path:
        """The file."""
        return self.db.path

    def serving_embedder(self) -> tuple[str, int]:
        """Name and dimension of the embedder whose vectors serve."""
        with self.db.read() as connection:
            query = "SELECT name, dim FROM embedders WHERE num = ?"
            name, dim = connection.execute(query, (active_embedder(connection),)).fetchone()
            return str(name), int(dim)

    def analyzer(self) -> str:
        """The version of the analyzer that made the passages."""
        with self.db.read() as connection:
            return read_meta(connection, "analyzer")

    def want_embedder(self, now: int) -> None:
        """Queue the change to another embedder; the old vectors serve until it is complete."""
        with self.db.write() as connection:
            jobs.enqueue(connection, jobs.REEMBED, None, now)

    def unembedded(self, name: str, dim: int, limit: int) -> list[tuple[int, str]]:
        """Passages that the next embedder has not embedded yet: their numbers and words."""
        with self.db.write() as connection:
            num = _embedder_num(connection, name, dim)
            connection.execute("DELETE FROM next_vectors WHERE embedder <> ?", (num,))
            rows = connection.execute(
                "SELECT u.unit, substr(coalesce(m.text, l.text), u.first + 1, u.last - u.first) FROM units u "
                "JOIN memories m ON m.num = u.unit >> 20 LEFT JOIN log l ON l.seq = m.said "
                "WHERE NOT EXISTS (SELECT 1 FROM next_vectors v WHERE v.unit = u.unit) LIMIT ?",
                (limit,),
            )
            return rows.fetchall()

    def keep_vectors(self, name: str, dim: int, vectors: Iterable[tuple[int, bytes]]) -> None:
        """Keep vectors of the next embedder, for passages that still exist."""
        with self.db.write() as connection:
            num = _embedder_num(connection, name, dim)
            connection.executemany(
                "INSERT OR REPLACE INTO next_vectors SELECT unit, ?, ? FROM units WHERE unit = ?",
                [(num, vector, unit) for unit, vector in vectors],
            )

    def switch_embedder(self, name: str, dim: int) -> None:
        """Let the next embedder's vectors serve, all at once."""
        with self.db.write() as connection:
            connection.execute("DELETE FROM vectors")
            connection.execute("INSERT INTO vectors SELECT unit, embedder, vector FROM next_vectors")
            connection.execute("DELETE FROM next_vectors")
            write_meta(connection, "embedder", str(_embedder_num(connection, name, dim)))
            bump_epoch(connection)

    def due_jobs(self, now: int) -> list[Job]:
        """Queued work whose time has come."""
        with self.db.read() as connection:
            return jobs.due(connection, now)

    def finish_job(self, job: Job) -> None:
        """Take work that is done off the table."""
        with self.db.write() as connection:
            jobs.finish(connection, job)

    def fail_job(self, job: Job, error: str, now: int) -> None:
        """Put work that failed back, later, or among the dead letters."""
        with self.db.write() as connection:
            jobs.fail(connection, job, error, now)

    def backup(self, target: Path) -> int:
        """Copy the store to another file while it is in use; returns the copy's bytes."""
        if target.exists():
            raise InvalidInput("path", f"{target} exists", "name a new file")
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        try:
            with self.db.plain() as connection, closing(sqlite3.connect(part)) as copy:
                connection.backup(copy)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        return target.stat().st_size

    def numbers(self, ids: Sequence[str]) -> list[int]:
        """The numbers of these ids, where they exist."""
        with self.db.read() as connection:
            rows = (connection.execute("SELECT num FROM memories WHERE id = ?", (i,)).fetchone() for i in ids)
            return [row[0] for row in rows if row is not None]

    def places(self, ids: Sequence[str]) -> dict[str, int]:
        """The place in reading order of each of these ids, where it exists."""
        with self.db.read() as connection:
            found = {i: connection.execute("SELECT seq FROM memories WHERE id = ?", (i,)).fetchone() for i in ids}
            return {memory_id: row[0] for memory_id, row in found.items() if row is not None}

    def close(self) -> None:
        """Release the file."""
        self.db.close()


def _embedder_num(connection: sqlite3.Connection, name: str, dim: int) -> int:
    connection.execute("INSERT OR IGNORE INTO embedders (name, dim) VALUES (?, ?)", (name, dim))
    return int(connection.execute("SELECT num FROM embedders WHERE name = ?", (name,)).fetchone()[0])
