"""Titans: a memory that is trained while it reads, beside attention that sees little of the past.

After Behrouz et al. 2024, Titans: Learning to Memorize at Test Time. Three ways of joining them, each with persistent
tokens, which are learnt with the layer and always seen:

- `MemoryAsContext`: a segment is read by attention together with what the memory recalls of earlier ones;
- `MemoryAsGate`: memory and attention side by side, one the gate of the other;
- `MemoryAsLayer`: memory first, attention upon it.

Where the paper leaves the inside of a segment open, nothing here reads the future: a token sees what was recalled for
itself and those before it, and the memory that answers it last has learnt no later one. That a token is added to what
attention says of its segment is ours: where the paper has its residual connections could not be verified.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from mnemos.errors import InvalidInput
from mnemos.neural.attention import CausalAttention, KeysValues, join_heads, rotate, visible
from mnemos.neural.layer import NeuralMemory, NeuralState
from mnemos.neural.memory import MemoryLayer


class Beside(NamedTuple):
    """The states of a memory and of the attention beside it."""

    memory: NeuralState
    near: KeysValues


class InContext(NamedTuple):
    """The state of `MemoryAsContext`."""

    memory: NeuralState
    before: NeuralState
    """The memory as it was when the segment began, and what its convolution saw of the tokens that ask it."""
    near: KeysValues
    """Of this segment: what was recalled for each token, and the token."""


class PersistentAttention(CausalAttention):
    """Causal attention that also sees some learnt keys and values, however far it has come (no positions in them)."""

    def __init__(self, dim: int, *, persistent: int, **choices: Any) -> None:
        super().__init__(dim, **choices)
        if persistent < 1:
            raise InvalidInput("persistent", f"is {persistent}", "give at least 1")
        head = dim // self.heads
        self.known = nn.Parameter(torch.randn(2, self.heads, persistent, head) * head**-0.5)

    def _read(self, x: Tensor, state: KeysValues, write: Tensor | None) -> tuple[Tensor, KeysValues]:
        q, seen = self.see(x, state, write)
        y = self._with_known(q, rotate(q, state.keys.shape[2]), rotate(seen.keys, 0), seen)
        answer: Tensor = self.output(join_heads(y))
        return answer, self._kept(seen)

    def _with_known(self, q: Tensor, turned: Tensor, keys: Tensor, seen: KeysValues) -> Tensor:
        """One softmax over both; queries meet known keys as they are, and others turned by their places."""
        known_keys, known_values = (one.expand(q.shape[0], -1, -1, -1) for one in self.known)
        keys = torch.cat([_beside(known_keys, 0), _beside(keys, 1)], 2)
        mask = visible(q.shape[2], seen.keys.shape[2], self.window, q.device)
        mask = mask if seen.written is None else mask & seen.written[:, None, None]
        always = mask.new_ones(*mask.shape[:-1], known_keys.shape[2])
        values = torch.cat([known_values, seen.values], 2)
        return scaled_dot_product_attention(
            torch.cat([q, turned], -1), keys, values, torch.cat([always, mask], -1), scale=q.shape[-1] ** -0.5
        )


class Gated(MemoryLayer):
    """A memory and attention that are each other's gates: σ(norm(seen)) ⊙ σ(norm(recalled)), then a linear map.

    Both pass a logistic function, so that neither turns the sign of the other: were it the recalled part alone, a
    linear map could not read that part beside tokens of any sign. Which function the paper has, and whether it is
    applied to both, could not be verified.
    """

    def __init__(self, memory: NeuralMemory, attention: CausalAttention) -> None:
        super().__init__()
        self.dim, self.memory, self.attention = memory.dim, memory, attention
        self.norms = nn.ModuleList(nn.RMSNorm(self.dim, eps=1e-6) for _ in range(2))
        self.join = nn.Linear(self.dim, self.dim, bias=False)

    def joined(self, seen: Tensor, recalled: Tensor) -> Tensor:
        """The product of both, through the last map."""
        y: Tensor = self.join(self.norms[0](seen).sigmoid() * self.norms[1](recalled).sigmoid())
        return y


class MemoryAsGate(Gated):
    """o = σ(norm(attention(x))) ⊙ σ(norm(memory(x))), then a linear map."""

    def start(self, batch: int) -> Beside:
        """Fresh states."""
        return Beside(self.memory.start(batch), self.attention.start(batch))

    def step(self, x: Tensor, state: Beside, *, write: Tensor | None = None) -> tuple[Tensor, Beside]:
        """Read one token."""
        recalled, memory = self.memory.step(x, state.memory, write=write)
        seen, near = self.attention.step(x, state.near, write=write)
        return self.joined(seen, recalled), Beside(memory, near)

    def forward(self, x: Tensor, state: Beside | None = None, *, write: Tensor | None = None) -> tuple[Tensor, Beside]:
        """Read many tokens."""
        state = self.start(x.shape[0]) if state is None else state
        recalled, memory = self.memory(x, state.memory, write=write)
        seen, near = self.attention(x, state.near, write=write)
        return self.joined(seen, recalled), Beside(memory, near)


class MemoryAsLayer(MemoryLayer):
    """o = attention(norm(x + memory(x)))."""

    def __init__(self, memory: NeuralMemory, attention: CausalAttention) -> None:
        super().__init__()
        self.dim, self.memory, self.attention = memory.dim, memory, attention
        self.norm = nn.RMSNorm(self.dim, eps=1e-6)

    def start(self, batch: int) -> Beside:
        """Fresh states."""
        return Beside(self.memory.start(batch), self.attention.start(batch))

    def step(self, x: Tensor, state: Beside, *, write: Tensor | None = None) -> tuple[Tensor, Beside]:
        """Read one token."""
        recalled, memory = self.memory.step(x, state.memory, write=write)
        y, near = self.attention.step(self.norm(x + recalled), state.near, write=write)
        return y, Beside(memory, near)

    def forward(self, x: Tensor, state: Beside | None = None, *, write: Tensor | None = None) -> tuple[Tensor, Beside]:
        """Read many tokens."""
        state = self.start(x.shape[0]) if state is None else state
        recalled, memory = self.memory(x, state.memory, write=write)
        y, near = self.attention(self.norm(x + recalled), state.near, write=write)
        return y, Beside(memory, near)


class MemoryAsContext(Gated):
    """Segments: h = what the memory of earlier segments recalls, y = x + attention over [known, h, x], and the memory
    learns y; o = σ(norm(y)) ⊙ σ(norm(memory(y))), then a linear map.

    Args:
        memory: it is asked x, and told and asked y.
        attention: without a window; what its convolution saw of a segment reaches into the next.
        segment: tokens that attention sees together.
    """

    def __init__(self, memory: NeuralMemory, attention: CausalAttention, segment: int) -> None:
        super().__init__(memory, attention)
        if attention.window is not None or segment < 1:
            raise InvalidInput("segment", "must be positive, and the one bound of attention", "give no window")
        self.segment = segment

    def start(self, batch: int) -> InContext:
        """Fresh states."""
        memory = self.memory.start(batch)
        return InContext(memory, memory, self.attention.start(batch))

    def step(self, x: Tensor, state: InContext, *, write: Tensor | None = None) -> tuple[Tensor, InContext]:
        """Read one token; the last of a segment leaves attention with nothing but what it knows."""
        y, state = self._attended(x.unsqueeze(1), state, None if write is None else write.unsqueeze(1))
        recalled, memory = self.memory.step(y[:, 0], state.memory, write=write)
        return self.joined(y[:, 0], recalled), self._moved(state._replace(memory=memory))

    def forward(
        self, x: Tensor, state: InContext | None = None, *, write: Tensor | None = None
    ) -> tuple[Tensor, InContext]:
        """Read many tokens, segment by segment."""
        state, at, read = self.start(x.shape[0]) if state is None else state, 0, [x[:, :0]]
        while at < x.shape[1]:
            part = slice(at, at + self.segment - state.near.keys.shape[2] // 2)
            written = None if write is None else write[:, part]
            y, state = self._attended(x[:, part], state, written)
            recalled, memory = self.memory(y, state.memory, write=written)
            read.append(self.joined(y, recalled))
            state, at = self._moved(state._replace(memory=memory)), part.stop
        return torch.cat(read, 1), state

    def _attended(self, x: Tensor, state: InContext, write: Tensor | None) -> tuple[Tensor, InContext]:
        """Attention over what was recalled for each token and the token, one behind the other."""
        asking, seen = self.memory.told(x, state.before)
        recalled = self.memory.out(x, self.memory.recall(asking.q, state.before))
        both = torch.stack([recalled, x], 2).flatten(1, 2)
        y, near = self.attention(both, state.near, write=None if write is None else write.repeat_interleave(2, 1))
        return x + y[:, 1::2], state._replace(before=state.before._replace(seen=seen), near=near)

    def _moved(self, state: InContext) -> InContext:
        if state.near.keys.shape[2] // 2 < self.segment:
            return state
        fresh = self.attention.start(len(state.near.keys))._replace(recent=state.near.recent)
        return state._replace(before=state.before._replace(memory=state.memory.memory), near=fresh)


def _beside(keys: Tensor, place: int) -> Tensor:
    """Keys in one half of twice their width, zeros in the other."""
    parts = [torch.zeros_like(keys)] * 2
    parts[place] = keys
    return torch.cat(parts, -1)
