"""`serve.db`: what the server itself has to remember. It never holds a word of a memory."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnemos.errors import ReadOnlyStore, StoreError
from mnemos.store.database import translate

BUSY_MS = 10_000

TABLES = """
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,                             -- SHA-256 of the secret, which is 256 bits of chance
    tenant TEXT NOT NULL,
    scopes TEXT NOT NULL,                             -- JSON list
    namespaces TEXT,                                  -- JSON list of namespaces; NULL: all of the tenant
    trust REAL NOT NULL,
    name TEXT,
    created_at INTEGER NOT NULL,                      -- microseconds UTC, as all times here
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
) STRICT;

-- Long work that outlives its request, and the server.
CREATE TABLE jobs (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    key TEXT,                                         -- the key that asked for it
    channel TEXT NOT NULL,                            -- the surface
    namespaces TEXT,                                  -- what that key was bound to
    trust REAL NOT NULL,
    kind TEXT NOT NULL,
    params TEXT NOT NULL,                             -- JSON
    mark TEXT,                                        -- of the request that came with an Idempotency-Key
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,              -- how often it was begun and not ended by a shutdown
    progress TEXT NOT NULL,                           -- JSON
    result TEXT,                                      -- JSON
    error TEXT,                                       -- JSON of a problem
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_state ON jobs (state, num);
CREATE INDEX jobs_tenant ON jobs (tenant, num);

-- What was answered to a request with an Idempotency-Key: no bodies, only what is needed to answer it again.
CREATE TABLE answered (
    key BLOB PRIMARY KEY,                             -- SHA-256 over tenant, key and Idempotency-Key
    request BLOB NOT NULL,                            -- SHA-256 over method, path and body
    status INTEGER,                                   -- NULL while the first request is in hand
    detail TEXT,                                      -- JSON: ids and counts
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answered_at ON answered (at);

-- The conversations that went through the proxy, by a digest of how they begin.
CREATE TABLE conversations (
    name BLOB PRIMARY KEY,
    began INTEGER NOT NULL,
    heard INTEGER NOT NULL                            -- last
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_heard ON conversations (heard);
"""
MIGRATIONS = (TABLES,)
"""In order; a released one is never edited."""


class Ledger:
    """The open file; used by many threads, and by the command line while the server runs."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(folder / "serve.db", os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(
                folder / "serve.db", check_same_thread=False, isolation_level=None, timeout=BUSY_MS / 1000
            )
        except (OSError, sqlite3.OperationalError) as error:
            raise ReadOnlyStore(f"{folder}: cannot be written ({error}); choose another folder") from None
        self._lock = threading.RLock()
        self._file = folder / "serve.db"
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._migrate(folder)

    def _migrate(self, folder: Path) -> None:
        with self.write() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(MIGRATIONS):
                self._connection.close()
                raise StoreError(f"{folder}/serve.db was written by a newer release of Mnemos; upgrade this one")
            for number, script in enumerate(MIGRATIONS[version:], version + 1):
                for statement in _statements(script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that change nothing."""
        with self._lock, translate(self._file):
            yield self._connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """The connection inside one transaction, which is on disk at the end."""
        with self._lock, translate(self._file):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def is_usable(self) -> bool:
        """Whether the file answers."""
        try:
            with self.read() as connection:
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except StoreError:
            return False
        return True

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
