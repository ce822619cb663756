"""What holds for the whole file, and the mark by which other processes see that projections have changed."""

from __future__ import annotations

import sqlite3


def read_meta(connection: sqlite3.Connection, name: str, default: str = "") -> str:
    """A value that holds for the whole file."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return default if row is None else str(row[0])


def write_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Set a value that holds for the whole file."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def bump_epoch(connection: sqlite3.Connection) -> None:
    """Tell every process that something besides the log has changed, so that snapshots are read anew."""
    write_meta(connection, "epoch", str(int(read_meta(connection, "epoch", "0")) + 1))


def active_embedder(connection: sqlite3.Connection) -> int:
    """The number of the embedder whose vectors serve; 0 before one is chosen."""
    return int(read_meta(connection, "embedder", "0"))


def embedder_num(connection: sqlite3.Connection, name: str, dim: int) -> int:
    """The number of an embedder, made where it is new."""
    connection.execute("INSERT OR IGNORE INTO embedders (name, dim) VALUES (?, ?)", (name, dim))
    return int(connection.execute("SELECT num FROM embedders WHERE name = ?", (name,)).fetchone()[0])


def serving_name(connection: sqlite3.Connection) -> str:
    """The name of the embedder whose vectors serve."""
    row = connection.execute("SELECT name FROM embedders WHERE num = ?", (active_embedder(connection),)).fetchone()
    return "" if row is None else str(row[0])
