"""`NeuralMemory`: one layer, four choices. What remembers, what is aimed at, what is kept, how it learns."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from mnemos.errors import InvalidInput
from mnemos.neural.convolution import ShortConvolution
from mnemos.neural.features import Map, feature_map
from mnemos.neural.memory import MemoryLayer, State
from mnemos.neural.recurrence import Engine, MatrixRecurrence
from mnemos.neural.retentions import Retention, retention_of
from mnemos.neural.tokens import Gate, Tokens


class NeuralState(NamedTuple):
    """What a `NeuralMemory` carries."""

    memory: State
    """The engine's: weights, and what it learns with."""
    seen: Tensor | None
    """The last inputs of the short convolution, [batch, kernel − 1, width]; None without one."""


class NeuralMemory(MemoryLayer):
    """A memory that learns at test time to answer keys with values.

    For each token x of width `dim`: q, k, v and gates are linear in x (q, k, v through a short convolution where `conv`
    is not 0, q and k through `features`); the memory learns (k, v), is asked q, and the answer goes out through a norm,
    a gate and a linear map.

    Args:
        dim: width of tokens.
        heads: memories side by side.
        keys, values: widths of keys and values of a head; None: dim / heads.
        memory: what remembers: `matrix`.
        objective: what is aimed at: `dot`, `l2`.
        retention: what is kept: `none`, `scalar`, `channel`.
        learner: `gradient`, `delta`.
        features: what is done to q and k, see `features`.
        conv: kernel of the short convolution; 0: none.
        chunk: tokens of a chunk of `forward`.
        rate: upper end of the learning rate, which depends on the token; None: it is 1.
        tied: keys are 1 − decay (HGRN2).
        gated: whether the answer is multiplied by SiLU(Wx).

    Raises:
        InvalidInput: choices that do not go together, or a number out of range; it says which.
    """

    engine: Engine

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 1,
        keys: int | None = None,
        values: int | None = None,
        memory: str = "matrix",
        objective: str = "l2",
        retention: str | Retention = "none",
        learner: str = "delta",
        features: str | Map = "l2",
        conv: int = 0,
        chunk: int | None = None,
        rate: float | None = 1.0,
        tied: bool = False,
        gated: bool = True,
    ) -> None:
        super().__init__()
        if dim < 1 or heads < 1 or dim % heads:
            raise InvalidInput("heads", f"{heads} heads do not share {dim} channels", "give a divisor of dim")
        keys, values = keys or dim // heads, values or dim // heads
        self.dim, self.heads, self.tied = dim, heads, tied
        self.widths = [heads * keys, heads * keys, heads * values]
        self.features, features_of_key = feature_map(features, keys)
        self.keeps = retention_of(retention)
        self.project = nn.Linear(dim, sum(self.widths), bias=False)
        self.conv = ShortConvolution(sum(self.widths), conv) if conv else None
        self.decay = self.keeps.gate(dim, heads, features_of_key)
        self.rate = None if rate is None else Gate(dim, heads, rate)
        self.norm = nn.RMSNorm(values, eps=1e-6)
        self.gate = nn.Linear(dim, heads * values, bias=False) if gated else None
        self.join = nn.Linear(heads * values, dim, bias=False)
        size = chunk or (16 if self.keeps.decay == "channel" else 64)
        self.engine = MatrixRecurrence(heads, features_of_key, values, delta=learner == "delta", size=size)

    def start(self, batch: int) -> NeuralState:
        """A fresh state."""
        return NeuralState(self.engine.start(batch), None if self.conv is None else self.conv.start(batch))

    def step(self, x: Tensor, state: NeuralState, *, write: Tensor | None = None) -> tuple[Tensor, NeuralState]:
        """Read one token."""
        mixed, seen = self.project(x), state.seen
        if self.conv is not None:
            mixed, seen = self.conv.step(mixed, seen)
        answer, memory = self.engine.step(self.tokens(x, mixed, write), state.memory)
        return self.out(x, answer), NeuralState(memory, seen)

    def forward(
        self, x: Tensor, state: NeuralState | None = None, *, write: Tensor | None = None
    ) -> tuple[Tensor, NeuralState]:
        """Read many tokens, by chunks."""
        state = self.start(x.shape[0]) if state is None else state
        if not x.shape[1]:
            return x, state
        mixed, seen = self.project(x), state.seen
        if self.conv is not None:
            mixed, seen = self.conv(mixed, seen)
        answer, memory = self.engine.chunk(self.tokens(x, mixed, write), state.memory)
        return self.out(x, answer), NeuralState(memory, seen)

    def tokens(self, x: Tensor, mixed: Tensor, write: Tensor | None = None) -> Tokens:
        """What the memory is told of tokens [batch, (tokens,) dim] and of their projections."""
        q, k, v = (one.unflatten(-1, (self.heads, -1)).movedim(-2, 1) for one in mixed.split(self.widths, -1))
        log_decay = None if self.decay is None else self.decay(x).movedim(-2, 1)
        rate = q.new_ones(q.shape[:-1]) if self.rate is None else self.rate(x).movedim(-1, 1)
        q, k = self.features(q), self.features(k)
        if self.tied and log_decay is not None:
            k = -torch.expm1(log_decay)
        if write is not None:
            write = write.to(x).unsqueeze(1)
            rate = rate * write
            log_decay = None if log_decay is None else log_decay * write.unsqueeze(-1)
        return Tokens(q, k, v, rate, log_decay, write=write)

    def recall(self, x: Tensor, state: NeuralState) -> Tensor:
        """Ask a state without writing to it: [batch, tokens, dim] in and out. Nothing in `state` changes."""
        mixed = self.project(x)
        if self.conv is not None:
            mixed, _ = self.conv(mixed, state.seen)
        return self.out(x, self.engine.recall(self.tokens(x, mixed).q, state.memory))

    def out(self, x: Tensor, answer: Tensor) -> Tensor:
        """Answers [batch, heads, (tokens,) values] through norm, gate and the last map, as [batch, (tokens,) dim]."""
        answer = self.norm(answer).movedim(1, -2).flatten(-2)
        if self.gate is not None:
            answer = answer * silu(self.gate(x))
        y: Tensor = self.join(answer)
        return y
