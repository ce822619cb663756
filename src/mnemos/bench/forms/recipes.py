"""How each of the benchmark's small models is made: all that decides about its weights, in one record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import torch
import transformers
from transformers import LlamaConfig

from mnemos.bench.forms.tasks import VOCABULARY, Task

FORMAT = 1
"""Changes when the same recipe would give other weights."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A stock Llama and how it learns its task. Two equal recipes make the same weights on the same machine."""

    task: Task
    layers: int
    heads: int = 2
    width: int = 64
    stages: tuple[int, ...] = (2, 4, 8)
    """Pairs in a text, from easy to hard; the next stage begins once the running loss is below `passed`."""
    questions: int = 0
    """Asked in each text at least: where there are fewer pairs, every key several times."""
    seed: int = 0
    batch: int = 64
    rate: float = 3e-3
    """Learning rate of AdamW, after a warm-up."""
    deviation: float = 0.1
    """Of the initial weights; the library's own 0.02 is too little for so narrow a model."""
    passed: float = 0.15
    learned: float = 0.01
    """The running loss of the last stage at which the learning rate begins to fall to nothing."""
    settling: int = 400
    """Steps over which it falls."""
    most: int = 6000
    """Steps before it is given up."""
    start: Recipe | None = None
    """A model with fewer layers to begin from; see `grown`."""

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.task}, {self.layers} layers"

    @property
    def key(self) -> str:
        """16 hexadecimal digits: equal where recipe and versions are."""
        made: dict[str, Any] = {"format": FORMAT, "recipe": asdict(self)}
        made |= {"torch": torch.__version__, "transformers": transformers.__version__}
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16]

    def config(self) -> LlamaConfig:
        """Of the model."""
        return LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=self.width,
            intermediate_size=2 * self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            max_position_embeddings=256,
            tie_word_embeddings=False,
            initializer_range=self.deviation,
            bos_token_id=0,
            eos_token_id=None,
            pad_token_id=None,
        )


RECALL = Recipe("recall", layers=2, heads=1, stages=(2, 4, 8, 16), questions=16)
"""16 pairs, 90k parameters."""
UPDATE_3 = Recipe("update", layers=3)
"""8 keys of which half are changed, 131k parameters."""
UPDATE_6 = Recipe("update", layers=6, start=UPDATE_3, rate=1e-3)
"""The same with 6 layers, 255k parameters."""
