"""Memories whose recurrence is linear, so that chunks of any size read exactly what `step` reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from mnemos.neural import kernels
from mnemos.neural.matrix import delta_chunk, delta_step, linear_chunk, linear_step
from mnemos.neural.tokens import Tokens


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
        """Write tokens, and read at each: by a kernel where there is one, see `kernels`."""
        found = kernels.chunk(tokens, state, delta=self.delta)
        if found is not None:
            return found
        q, k, v, rate, log_decay, *_ = tokens
        if self.delta:
            return delta_chunk(q, k, v, rate, log_decay, state, self.size)
        return linear_chunk(q, k, rate.unsqueeze(-1) * v, log_decay, state, self.size)

    def recall(self, q: Tensor, state: Tensor) -> Tensor:
        """Read without writing."""
        return q @ state


class VectorRecurrence(nn.Module):
    """A vector for each head, [batch, heads, 1, keys]: m ← e^g m + β k ⊙ v, or, as `delta`, m ← e^g m, then
    m ← m + β k ⊙ (v − k ⊙ m)."""

    empty: Tensor

    def __init__(self, heads: int, keys: int, *, delta: bool) -> None:
        super().__init__()
        self.delta = delta
        self.register_buffer("empty", torch.zeros(heads, 1, keys), persistent=False)

    def start(self, batch: int) -> Tensor:
        """Zeros."""
        return self.empty.expand(batch, -1, -1, -1)

    def step(self, tokens: Tokens, state: Tensor) -> tuple[Tensor, Tensor]:
        """Write one token, and read."""
        keep, add = self._affine(tokens)
        state = keep.unsqueeze(-2) * state + add.unsqueeze(-2)
        return tokens.q * state.squeeze(-2), state

    def chunk(self, tokens: Tokens, state: Tensor) -> tuple[Tensor, Tensor]:
        """Write tokens, and read at each."""
        keep, add = self._affine(tokens)
        states = affine_scan(keep, torch.cat([add[:, :, :1] + keep[:, :, :1] * state, add[:, :, 1:]], 2))
        return tokens.q * states, states[:, :, -1:]

    def recall(self, q: Tensor, state: Tensor) -> Tensor:
        """Read without writing."""
        return q * state

    def _affine(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """What each token multiplies the state by, and what it adds to it."""
        rate = tokens.rate.unsqueeze(-1)
        keep = torch.ones_like(tokens.k) if tokens.log_decay is None else tokens.log_decay.exp().expand_as(tokens.k)
        return keep * (1 - rate * tokens.k.square()) if self.delta else keep, rate * tokens.k * tokens.v


def affine_scan(keep: Tensor, add: Tensor) -> Tensor:
    """All m_t = keep_t m_{t−1} + add_t from m_{−1} = 0, [..., tokens, width], in as many passes as tokens has bits.

    Each pass doubles how far back a token has taken in those before it; no logarithm, so any sign will do.
    """
    reach = 1
    while reach < add.shape[-2]:
        back = (0, 0, reach, 0)
        add = add + keep * pad(add[..., :-reach, :], back)
        keep = keep * pad(keep[..., :-reach, :], back)
        reach *= 2
    return add
