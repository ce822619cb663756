"""What the store's tests share: dumps of every table, raw bytes, and a second embedder."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a store."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


@contextmanager
def broken(path: Path, foreign_keys: bool = False) -> Iterator[sqlite3.Connection]:
    """A raw connection with which to break a store on purpose."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")
        with connection:
            yield connection


def raw_bytes(path: Path) -> bytes:
    """Everything that the store's files hold."""
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-journal")]
    return b"\n".join(file.read_bytes() for file in files if file.exists())


class HashingEmbedder:
    """A deterministic embedder of another dimension: words hashed onto a few axes."""

    def __init__(self, name: str = "hashing-32", dim: int = 32) -> None:
        self.name = name
        self.dim = dim
        self.calls = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
                row[int.from_bytes(digest, "big") % self.dim] += 1
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths > 0, lengths, 1)
