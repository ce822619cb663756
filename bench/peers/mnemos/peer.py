# ruff: noqa: D102  (the methods are described once, in harness.Peer)
"""Mnemos, as installed."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from harness import main

from mnemos import Mnemos


class Peer:
    """One SQLite file, the bundled embedder, every signal."""

    packages = ("mnemos", "numpy", "tokenizers")

    def open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._memory = Mnemos(folder / "one.db")

    def add_all(self, messages: list[dict[str, Any]]) -> None:
        self._memory.add(messages, user_id="bench")

    def add(self, message: dict[str, Any]) -> None:
        self._memory.add(message, user_id="bench")

    def search(self, query: str) -> list[str]:
        return [hit.memory.text for hit in self._memory.search(query, user_id="bench", limit=10)]

    def close(self) -> None:
        self._memory.close()


if __name__ == "__main__":
    main(Peer)
