"""The SQLite store: one file, safe under `kill -9`, many readers and one writer across processes."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from mnemos.errors import InvalidInput
from mnemos.store import jobs
from mnemos.store.artifact_upkeep import carry, problems, sweep
from mnemos.store.candidates import Candidates
from mnemos.store.checking import Checker, Problem
from mnemos.store.database import Database, translate
from mnemos.store.deriving import DerivedWriter
from mnemos.store.erasing import Eraser
from mnemos.store.feedback import Factors
from mnemos.store.history import Historian
from mnemos.store.items import Items
from mnemos.store.jobs import Job
from mnemos.store.meta import active_embedder, bump_epoch, embedder_num, read_meta, write_meta
from mnemos.store.portable import Porter
from mnemos.store.reading import Reader
from mnemos.store.writing import Writer

_PASSAGES = "units u JOIN memories m ON m.num = u.unit >> 20 LEFT JOIN log l ON l.seq = m.said"
_WORDS = "coalesce(substr(coalesce(m.text, l.text), u.first + 1, u.last - u.first), '')"


class SqliteStore(Writer, Items, DerivedWriter, Reader, Historian, Factors, Candidates, Eraser, Checker, Porter):
    """Everything durable. Each base class is one thing that a store does; they share the connection `db`."""

    def __init__(self, path: str | os.PathLike[str], *, embedder: str, dim: int, analyzer: str, now: int) -> None:
        self.db = Database(path)
        with self.db.read() as connection:
            if active_embedder(connection):
                return
        with self.db.write() as connection:
            if active_embedder(connection) == 0:
                write_meta(connection, "embedder", str(embedder_num(connection, embedder, dim)))
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

    def want_vectors(self, now: int) -> None:
        """Queue the making of vectors: a change to another embedder, or those that are missing."""
        with self.db.write() as connection:
            jobs.enqueue(connection, jobs.REEMBED, None, now)

    def vectors_missing(self) -> bool:
        """Whether a passage has no vector of the embedder that serves."""
        query = "SELECT EXISTS (SELECT 1 FROM units u WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.unit = u.unit))"
        with self.db.read() as connection:
            return bool(connection.execute(query).fetchone()[0])

    def unembedded(self, name: str, dim: int, limit: int) -> list[tuple[int, str]]:
        """Passages that an embedder has not embedded yet: their numbers and words."""
        with self.db.write() as connection:
            num = embedder_num(connection, name, dim)
            connection.execute("DELETE FROM next_vectors WHERE embedder <> ?", (num,))
            rows = connection.execute(
                f"SELECT u.unit, {_WORDS} FROM {_PASSAGES} WHERE {_lacking(_table_for(connection, num))} LIMIT ?",
                (limit,),
            )
            return rows.fetchall()

    def keep_vectors(self, name: str, dim: int, vectors: Iterable[tuple[int, bytes, str]]) -> None:
        """Keep vectors for passages that still exist and say what they said when they were embedded."""
        with self.db.write() as connection:
            num = embedder_num(connection, name, dim)
            connection.executemany(
                f"INSERT OR REPLACE INTO {_table_for(connection, num)} SELECT u.unit, ?, ? FROM {_PASSAGES} "
                f"WHERE u.unit = ? AND {_WORDS} = ?",
                [(num, vector, unit, text) for unit, vector, text in vectors],
            )
            if num == active_embedder(connection):
                bump_epoch(connection)

    def switch_embedder(self, name: str, dim: int) -> bool:
        """Let an embedder's vectors serve, all at once; False where passages have come that it has not embedded."""
        with self.db.write() as connection:
            num = embedder_num(connection, name, dim)
            table = _table_for(connection, num)
            if connection.execute(f"SELECT 1 FROM {_PASSAGES} WHERE {_lacking(table)}").fetchone():
                return False
            if table == "next_vectors":
                connection.execute("DELETE FROM vectors")
                connection.execute("INSERT INTO vectors SELECT unit, embedder, vector FROM next_vectors")
                connection.execute("DELETE FROM next_vectors")
                write_meta(connection, "embedder", str(num))
                bump_epoch(connection)
            return True

    def due_jobs(self, now: int, after: int = 0) -> list[Job]:
        """Some of the queued work whose time has come, from the job after `after`."""
        with self.db.read() as connection:
            return jobs.due(connection, now, after)

    def is_queued(self, job: Job) -> bool:
        """Whether work still waits, and was not taken off or queued anew since it was read."""
        with self.db.read() as connection:
            return connection.execute("SELECT 1 FROM jobs WHERE num = ?", (job.num,)).fetchone() is not None

    def finish_job(self, job: Job) -> None:
        """Take work that is done off the table."""
        with self.db.write() as connection:
            jobs.finish(connection, job)

    def fail_job(self, job: Job, error: str, now: int, wait: float = 0.0, most: int = jobs.MAX_ATTEMPTS) -> None:
        """Put work that failed back, later, or among the dead letters."""
        with self.db.write() as connection:
            jobs.fail(connection, job, error, now, wait, most)

    def backup(self, target: Path) -> int:
        """Copy the store, and the files of its artifacts, while it is in use; returns the copy's bytes."""
        folder = target.with_name(target.name + ".d")
        for place in (target, folder):
            if place.exists():
                raise InvalidInput("path", f"{place} exists", "name a new file")
        if not target.parent.is_dir():
            raise InvalidInput("path", f"{target.parent} is not a folder", "create it first")
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        try:
            with translate(target), closing(sqlite3.connect(part, isolation_level=None)) as copy:
                with self.db.plain() as connection:
                    connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
                copy.execute("PRAGMA foreign_keys = ON")
                copy.execute("PRAGMA secure_delete = ON")
                size = carry(copy, self.db.folder, folder)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.rename(target)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            part.unlink(missing_ok=True)
        return target.stat().st_size + size

    def check_artifacts(self) -> list[Problem]:
        """Every disagreement between rows and files of artifacts; empty when all is well."""
        return [Problem("artifacts", subject, problem) for subject, problem in problems(self.db)]

    def sweep_artifacts(self, *, thorough: bool = False) -> int:
        """Remove artifacts without files and files without artifacts; returns how many there were."""
        return sweep(self.db, thorough=thorough)

    def numbers(self, ids: Sequence[str]) -> list[int]:
        """The numbers of these ids, where they exist."""
        with self.db.read() as connection:
            rows = (connection.execute("SELECT num FROM memories WHERE id = ?", (i,)).fetchone() for i in ids)
            return [row[0] for row in rows if row is not None]

    def hidden(self, ids: Sequence[str]) -> bool:
        """Whether one of these memories waits to be derived again."""
        query = "SELECT 1 FROM memories WHERE id = ? AND hidden = 1"
        with self.db.read() as connection:
            return any(connection.execute(query, (memory_id,)).fetchone() for memory_id in ids)

    def close(self) -> None:
        """Release the file."""
        self.db.close()


def _table_for(connection: sqlite3.Connection, embedder: int) -> str:
    """Where an embedder's vectors go: those that serve, or those of a change that is under way."""
    return "vectors" if embedder == active_embedder(connection) else "next_vectors"


def _lacking(table: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {table} v WHERE v.unit = u.unit)"
