"""titans-pytorch's memory, of the same model: two layers, four times as wide, momentum, decay, frozen for 16 tokens.

Its `chunk_size` is how many tokens share one update. With 1 it learns at every token, as Mnemos' Titans does; with 16
it does less work, and learns at every 16th alone.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from reading import Layer, main
from titans_pytorch import NeuralMemory
from torch import Tensor

FROZEN = 16
"""Tokens whose gradients are taken at the same weights."""


def memory(chunk: int) -> Callable[[int, int], Layer]:
    """A layer whose updates take in so many tokens."""

    def make(width: int, heads: int) -> Layer:
        layer = NeuralMemory(width, chunk_size=chunk, batch_size=FROZEN, heads=heads, dim_head=width // heads)

        def read(x: Tensor) -> Tensor:
            return layer(x)[0]

        def step(x: Tensor) -> Tensor:
            state, said = None, []
            for at in range(x.shape[1]):
                y, state = layer(x[:, at : at + 1], state=state)
                said.append(y)
            return torch.cat(said, 1)

        return read, step

    return make


main(
    {"titans-pytorch": memory(1), "titans-pytorch, updates of 16": memory(FROZEN)},
    ("titans-pytorch", "torch"),
)
