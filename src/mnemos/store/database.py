"""One SQLite file: opening it safely, transactions, and errors by name."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from mnemos.errors import NewerSchema, NotAStore, ReadOnlyStore, StoreBusy, StoreError, StoreFull
from mnemos.store.rawfile import RawFile
from mnemos.store.schema import APPLICATION_ID, MIGRATIONS

BUSY_TIMEOUT_MS = 15_000


class Database:
    """A connection that threads share behind one lock; processes share the file through SQLite's own locks."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.file = self.path.resolve()
        """Where it is, whatever the working directory becomes; SQLite keeps its other files beside this one."""
        self._lock = threading.RLock()
        self._depth = 0
        self.writes = 0
        """How often this connection has committed a write."""
        self.writing = 0
        """How many writes are open inside one another; for those that hold the lock."""
        with translate(self.path):
            self._connection = _connect(self.path)
            try:
                if _schema_version(self._connection, self.path) < len(MIGRATIONS):
                    with self.write():
                        _migrate(self._connection, self.path)
            except BaseException:
                self._connection.close()
                raise
            self.raw = RawFile(self.file) if self.file.is_file() else None

    @cached_property
    def folder(self) -> Path:
        """Where files that belong to the store lie: beside it; of a store without a file, in a folder for this while.

        It may not be there yet.
        """
        if self.raw is not None:
            return self.file.with_name(self.file.name + ".d")
        made = Path(tempfile.mkdtemp(prefix="mnemos-"))
        self._remove_folder = weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        return made

    _remove_folder: weakref.finalize[..., Database] | None = None

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A consistent view of the file over several statements."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk when the block ends, undone whole when it raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            self.writing += 1
            try:
                yield connection
            finally:
                self.writing -= 1
        self.writes += 1

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, translate(self.path):
            if self._depth:
                yield self._connection
                return
            self._connection.execute(begin)
            self._depth = 1
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0

    @contextlib.contextmanager
    def plain(self) -> Iterator[sqlite3.Connection]:
        """The connection outside any transaction, for pragmas, VACUUM and backup."""
        with self._lock, translate(self.path):
            yield self._connection

    @contextlib.contextmanager
    def apart(self) -> Iterator[sqlite3.Connection]:
        """A consistent view of the file on a connection of its own, for reading that takes long."""
        with translate(self.path):
            if self.raw is None:
                with self.read() as connection:
                    yield connection
                return
            with self._lock:
                # fails where the store is closed
                self._connection.execute("SELECT 1")
            with contextlib.closing(_connect(self.file)) as connection:
                connection.execute("BEGIN")
                yield connection

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        with self.plain() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        with self._lock, translate(self.path):
            self._connection.close()
            if self.raw is not None:
                self.raw.release()
            if self._remove_folder is not None:
                self._remove_folder()


@contextlib.contextmanager
def translate(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into Mnemos's, each with its mend."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        if "closed" in str(error):
            raise StoreError(f"{path}: this store is closed; open it again with Mnemos(path)") from error
        raise
    except sqlite3.DatabaseError as error:
        raise _translated(error, path) from error


def _translated(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_NOTADB":
        return NotAStore(f"{path}: not a Mnemos store; give the path of a store, or of a new file")
    if name.startswith("SQLITE_CORRUPT"):
        return NotAStore(f"{path}: the file is damaged ({error}); restore a backup, or export what can be read")
    if name.startswith("SQLITE_READONLY"):
        return ReadOnlyStore(f"{path}: cannot be written; give the process write access to the file and its folder")
    if name == "SQLITE_CANTOPEN" or name.startswith("SQLITE_CANTOPEN_"):
        return ReadOnlyStore(f"{path}: cannot be opened ({error}); check that its folder exists and can be written")
    if name == "SQLITE_FULL":
        return StoreFull(f"{path}: no room for this write, nothing was changed; free disk space and try again")
    if name.startswith("SQLITE_IOERR") and name.endswith("READ"):
        return StoreError(f"{path}: the file could not be read ({name}); check the disk, or restore a backup")
    if name.startswith("SQLITE_IOERR"):
        return StoreFull(f"{path}: the disk refused a write ({name}); free space or lift the file size limit")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusy(f"{path}: another process has been writing for too long; try again")
    return StoreError(f"{path}: {error}")


def _connect(path: Path) -> sqlite3.Connection:
    if path.is_dir():
        raise NotAStore(f"{path}: is a folder; give the path of a file")
    if not path.parent.is_dir():
        raise StoreError(f"{path}: its folder does not exist; create {path.parent} first")
    if path.exists() and not os.access(path, os.W_OK):
        raise ReadOnlyStore(f"{path}: cannot be written; give the process write access to the file and its folder")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        _refuse_foreign(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.create_function("casefold", 1, _casefold, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    # in this order: whoever makes the store just now commits both at once
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise NotAStore(f"{path}: an SQLite file, but not a Mnemos store; give another path")


def _schema_version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise NewerSchema(
            f"{path}: written by a newer Mnemos (schema {version}, this one reads up to {len(MIGRATIONS)}); "
            "upgrade with pip install -U mnemos"
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = _schema_version(connection, path)
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        for statement in split_statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def split_statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one, so that they run inside the caller's transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError(f"unfinished statement in a migration: {statement[:80]!r}")


def _casefold(text: object) -> str | None:
    return text.casefold() if isinstance(text, str) else None
