# ruff: noqa: D102  (the methods are described once, in harness.Peer)
"""sqlite-vec with Mnemos' vectors: only the store differs. One exact vector search, no other signal.

Through apsw, because many builds of Python cannot load SQLite extensions.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import apsw
import sqlite_vec
from harness import main

from mnemos.embed.static import StaticEmbedder

INSERT = "INSERT INTO vectors(user, rowid, embedding) VALUES ('bench', ?, ?)"
SEARCH = """SELECT turns.text FROM vectors JOIN turns ON turns.rowid = vectors.rowid
            WHERE vectors.embedding MATCH ? AND vectors.user = 'bench' AND k = 10 ORDER BY distance"""


class Peer:
    """One SQLite file, as durable as Mnemos': WAL, full synchronous."""

    packages = ("sqlite-vec", "apsw")

    def open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._embedder = StaticEmbedder.bundled()
        self._db = apsw.Connection(str(folder / "one.db"))
        self._db.enable_load_extension(True)
        self._db.load_extension(sqlite_vec.loadable_path())
        self._db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS turns(rowid INTEGER PRIMARY KEY, user TEXT, text TEXT)")
        self._db.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS vectors USING vec0"
            f"(user TEXT PARTITION KEY, embedding float[{self._embedder.dim}])"
        )

    def add_all(self, messages: list[dict[str, Any]]) -> None:
        texts = [message["content"] for message in messages]
        with self._db:
            for text, vector in zip(texts, self._embedder.embed(texts), strict=True):
                self._db.execute("INSERT INTO turns(user, text) VALUES ('bench', ?)", (text,))
                row = self._db.last_insert_rowid()
                self._db.execute(INSERT, (row, vector.tobytes()))

    def add(self, message: dict[str, Any]) -> None:
        self.add_all([message])

    def search(self, query: str) -> list[str]:
        vector = self._embedder.embed([query])[0]
        return [text for (text,) in self._db.execute(SEARCH, (vector.tobytes(),))]

    def close(self) -> None:
        self._db.close()


if __name__ == "__main__":
    main(Peer)
