# ruff: noqa: D102  (the methods are described once, in harness.Peer)
"""LanceDB with Mnemos' vectors: only the store differs. One exact vector search, no other signal."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import lancedb
from harness import main

from mnemos.embed.static import StaticEmbedder


class Peer:
    """A table of texts and vectors, compacted after each import."""

    packages = ("lancedb", "pyarrow")

    def open(self, folder: Path) -> None:
        self._embedder = StaticEmbedder.bundled()
        self._database = lancedb.connect(str(folder))
        known = "turns" in self._database.list_tables().tables
        self._table = self._database.open_table("turns") if known else None

    def add_all(self, messages: list[dict[str, Any]]) -> None:
        self._write(messages)
        self._table.optimize(cleanup_older_than=timedelta(0))

    def add(self, message: dict[str, Any]) -> None:
        self._write([message])

    def _write(self, messages: list[dict[str, Any]]) -> None:
        texts = [message["content"] for message in messages]
        vectors = self._embedder.embed(texts)
        rows = [{"user": "bench", "text": text, "vector": vector} for text, vector in zip(texts, vectors, strict=True)]
        if self._table is None:
            self._table = self._database.create_table("turns", rows)
        else:
            self._table.add(rows)

    def search(self, query: str) -> list[str]:
        vector = self._embedder.embed([query])[0]
        found = self._table.search(vector).distance_type("dot").where("user = 'bench'").limit(10)
        return [row["text"] for row in found.select(["text", "_distance"]).to_list()]

    def close(self) -> None:
        self._table = None


if __name__ == "__main__":
    main(Peer)
