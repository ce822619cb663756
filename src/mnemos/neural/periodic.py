"""Memories that learn at a frequency of their own: they gather gradients, and change after every so many tokens.

Between two changes the weights stand still, so that all tokens of a period are read at once, exactly as one by one.
After Behrouz et al. 2025, Nested Learning: the continuum memory system, where each level updates after its own number
of tokens; what its levels aim at in the paper's models could not be verified: here it is any objective of keys and
values.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnemos.neural.memories import Memory
from mnemos.neural.objectives import Objective
from mnemos.neural.retentions import Retention
from mnemos.neural.tokens import Tokens
from mnemos.neural.trained import Weights, factors_at, first_weights, recalled


class PeriodicState(NamedTuple):
    """What such a memory holds."""

    raw: Weights
    """[batch, heads, inputs, outputs] each, as at the last change; the retention's link makes weights of them."""
    gathered: Weights
    """What the next change adds, as `raw`."""
    log_decay: Tensor
    """By what it multiplies, [batch, heads]."""
    since: Tensor
    """Tokens written since the last change, [batch], below the period."""


class Periodic(nn.Module):
    """Any memory and objective, no decay by channels, and a learner that steps once a period."""

    def __init__(
        self,
        heads: int,
        keys: int,
        values: int,
        *,
        memory: Memory,
        objective: Objective,
        retention: Retention,
        period: int,
    ) -> None:
        super().__init__()
        self.memory, self.objective, self.retention, self.period = memory, objective, retention, period
        self.first = first_weights(memory, retention, heads, keys, values)

    def start(self, batch: int) -> PeriodicState:
        """The weights that were learnt to start from."""
        raw = tuple(one.expand(batch, -1, -1, -1) for one in self.first)
        none = raw[0].new_zeros(batch, raw[0].shape[1])
        count = torch.zeros(batch, dtype=torch.long, device=none.device)
        return PeriodicState(raw, tuple(torch.zeros_like(one) for one in raw), none, count)

    def recall(self, q: Tensor, state: PeriodicState) -> Tensor:
        """Read without writing."""
        return recalled(self.memory, self.retention, state.raw, q)

    def step(self, tokens: Tokens, state: PeriodicState) -> tuple[Tensor, PeriodicState]:
        """Write one token, and read with what is known by then."""
        lone = tokens.each(lambda one: one.unsqueeze(2))
        written = torch.ones_like(state.since) if tokens.write is None else (tokens.write[:, 0] > 0).long()
        state = self._gathered(lone, state, written)
        due = state.since == self.period
        state = self._changed(state, due)
        return self.recall(lone.q, state).squeeze(2), state

    def chunk(self, tokens: Tokens, state: PeriodicState) -> tuple[Tensor, PeriodicState]:
        """Write tokens, and read at each: period by period, but token by token where sequences are not in step."""
        if tokens.write is not None or bool((state.since != state.since[0]).any()):
            return self._unrolled(tokens, state)
        read, at, length = [], 0, tokens.q.shape[2]
        count = int(state.since[0])
        while at < length:
            now = tokens.between(at, at + self.period - count)
            state = self._gathered(now, state, torch.full_like(state.since, now.q.shape[2]))
            at, count = at + now.q.shape[2], count + now.q.shape[2]
            if count < self.period:
                read.append(self.recall(now.q, state))
                break
            read.append(self.recall(now.q[:, :, :-1], state))
            state, count = self._changed(state, torch.ones_like(state.since, dtype=torch.bool)), 0
            read.append(self.recall(now.q[:, :, -1:], state))
        return torch.cat(read, 2), state

    def _unrolled(self, tokens: Tokens, state: PeriodicState) -> tuple[Tensor, PeriodicState]:
        read = []
        for at in range(tokens.q.shape[2]):
            y, state = self.step(tokens.each(lambda one, at=at: one[:, :, at]), state)  # type: ignore[misc]
            read.append(y)
        return torch.stack(read, 2), state

    def _gathered(self, tokens: Tokens, state: PeriodicState, written: Tensor) -> PeriodicState:
        """What tokens of one period add, each at the weights of its start."""
        weights = [self.retention.weights(raw) for raw in state.raw]
        factors = factors_at(self.memory, self.objective, weights, tokens)
        rate, gathered = tokens.rate.unsqueeze(-1), []
        for old, (a, delta) in zip(state.gathered, factors, strict=True):
            gathered.append(old - self.memory.gradient(a * rate, delta))
        decay = state.log_decay if tokens.log_decay is None else state.log_decay + tokens.log_decay.sum((-1, -2))
        return state._replace(gathered=tuple(gathered), log_decay=decay, since=state.since + written)

    def _changed(self, state: PeriodicState, due: Tensor) -> PeriodicState:
        """The weights change in the sequences that are due, [batch]."""
        at = due[:, None, None, None]
        decay = state.log_decay.exp()[..., None, None]
        pairs = list(zip(state.raw, state.gathered, strict=True))
        return PeriodicState(
            tuple(torch.where(at, decay * raw + new, raw) for raw, new in pairs),
            tuple(new.masked_fill(at, 0) for _, new in pairs),
            state.log_decay.masked_fill(due[:, None], 0),
            state.since.masked_fill(due, 0),
        )
