"""Memories whose recurrence is linear, so that chunks of any size read exactly what `step` reads."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from mnemos.neural.matrix import delta_chunk, delta_step, linear_chunk, linear_step
from mnemos.neural.memory import State
from mnemos.neural.tokens import Tokens


class Engine(Protocol):
    """What learns inside a `NeuralMemory`: it sees queries, keys, values and gates, and holds the state."""

    def start(self, batch: int) -> State:
        """A fresh state."""
        ...

    def step(self, tokens: Tokens, state: State) -> tuple[Tensor, State]:
        """Write one token, and read: [batch, heads, values]."""
        ...

    def chunk(self, tokens: Tokens, state: State) -> tuple[Tensor, State]:
        """Write at least one token, and read at each: [batch, heads, tokens, values]."""
        ...

    def recall(self, q: Tensor, state: State) -> Tensor:
        """Read without writing: [batch, heads, tokens, keys] as [batch, heads, tokens, values]."""
        ...


class MatrixRecurrence(nn.Module):
    """A matrix for each head, [batch, heads, keys, values]; see `matrix` for the two recurrences."""

    empty: Tensor

    def __init__(self, heads: int, keys: int, values: int, *, delta: bool, size: int) -> None:
        super().__init__()
        self.delta, self.size = delta, size
        self.register_buffer("empty", torch.zeros(heads, keys, values), persistent=False)

    def start(self, batch: int) -> Tensor:
        """Zeros."""
        return self.empty.expand(batch, -1, -1, -1)

    def step(self, tokens: Tokens, state: Tensor) -> tuple[Tensor, Tensor]:
        """Write one token, and read."""
        q, k, v, rate, log_decay, *_ = tokens
        if self.delta:
            return delta_step(q, k, v, rate, log_decay, state)
        return linear_step(q, k, rate.unsqueeze(-1) * v, log_decay, state)

    def chunk(self, tokens: Tokens, state: Tensor) -> tuple[Tensor, Tensor]:
        """Write tokens, and read at each."""
        q, k, v, rate, log_decay, *_ = tokens
        if self.delta:
            return delta_chunk(q, k, v, rate, log_decay, state, self.size)
        return linear_chunk(q, k, rate.unsqueeze(-1) * v, log_decay, state, self.size)

    def recall(self, q: Tensor, state: Tensor) -> Tensor:
        """Read without writing."""
        return q @ state
