"""Memory Caching: what a memory was at the end of each segment is kept, and asked again beside what it is now.

After A. Behrouz and others, "Memory Caching: RNNs with Growing Memory" (2026). Capacity grows with what was read, in
between a recurrent layer's and attention's. The equations are transcriptions by third parties that agree with each
other. Not verified: how the segment that is being read is scored (here by the mean of its tokens so far, so that none
sees what comes), and over what the weights of `sparse` are normalised (here over the chosen segments and the present).
Scores are divided by √dim, and the layer's norm follows the sum of answers; both are ours.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnemos.errors import InvalidInput
from mnemos.neural.choosing import Engine
from mnemos.neural.layer import NeuralMemory, NeuralState
from mnemos.neural.memories import MATRIX, Vector
from mnemos.neural.memory import MemoryLayer, State
from mnemos.neural.periodic import Periodic, PeriodicState
from mnemos.neural.tokens import Tokens
from mnemos.neural.trained import Trained, TrainedState
from mnemos.neural.tree import mapped

WAYS = ("residual", "gated", "soup", "sparse")


class CachedState(NamedTuple):
    """A memory as it is and as it was."""

    online: NeuralState
    kept: State
    """What can be read of the memory at the end of each segment: as its own state, [batch, segments, ...] each."""
    means: Tensor
    """[batch, segments, dim]: the mean token of each segment."""
    total: Tensor
    """[batch, dim]: the sum of the present segment's tokens that were written."""
    weight: Tensor
    """[batch]: how many those are."""
    place: Tensor
    """[batch], the same for all: how many tokens of the present segment were read."""


class CachedMemory(MemoryLayer):
    """A memory that also reads its former states M_1..M_n, those of segment ends, and not only the present one M.

    - `residual`: M(q) + Σ M_i(q). With a matrix that is one matrix again, so that it gains capacity in deep ones only.
    - `gated`: Σ γ_i M_i(q), γ = softmax over segments and the present of ⟨x W_u, mean token of the segment⟩.
    - `soup`: one memory of the averaged weights Σ γ_i M_i is read (what is averaged is what the state holds); the same
      as `gated` where reading is linear, otherwise tokens are read one by one, also by `forward`: averaging needs the
      weights at each token.
    - `sparse`: `gated` over the best `top` segments and the present. `step` reads those alone; `forward`, in parallel,
      reads all of them and drops the others.

    Args:
        memory: what is cached; its projections, norm and gate are used.
        how: one of the four.
        segment: tokens after which the state is kept. Where memories are trained by chunks, a multiple of their chunk.
        top: segments that a token reads, for `sparse`.
        restarts: whether each segment begins with a fresh memory; otherwise it goes on from what it was.

    Raises:
        InvalidInput: an unknown `how`, a number below 1, or a layer that is no `NeuralMemory`.
    """

    def __init__(
        self,
        memory: NeuralMemory,
        *,
        how: str = "gated",
        segment: int = 256,
        top: int = 2,
        restarts: bool = False,
    ) -> None:
        super().__init__()
        if how not in WAYS:
            raise InvalidInput("how", f"{how!r} is not known", f"choose of {', '.join(WAYS)}")
        if segment < 1 or top < 1:
            raise InvalidInput("segment" if segment < 1 else "top", "is below 1", "give a whole number from 1 on")
        if not isinstance(memory, NeuralMemory):
            raise InvalidInput(
                "memory", f"is a {type(memory).__name__}", "only the states of a NeuralMemory are cached"
            )
        self.memory, self.dim = memory, memory.dim
        self.segment, self.top, self.restarts = segment, top, restarts
        self.how = "gated" if how == "soup" and _is_read_linearly(memory.engine) else how
        self.asking = None if how == "residual" else nn.Linear(self.dim, self.dim, bias=False)

    def start(self, batch: int) -> CachedState:
        """A fresh state, with no segment behind it."""
        online = self.memory.start(batch)
        kept = mapped(lambda one: one.unsqueeze(1)[:, :0], readable(online.memory))
        nothing = self.memory.join.weight.new_zeros(batch, 0, self.dim)
        total = nothing.new_zeros(batch, self.dim)
        return CachedState(online, kept, nothing, total, total[:, 0], total[:, 0].to(torch.int64))

    def step(self, x: Tensor, state: CachedState, *, write: Tensor | None = None) -> tuple[Tensor, CachedState]:
        """Read one token; see `MemoryLayer.step`. What is kept grows with each segment's end."""
        y, state = self(x.unsqueeze(1), state, write=None if write is None else write.unsqueeze(1))
        return y.squeeze(1), state

    def forward(
        self, x: Tensor, state: CachedState | None = None, *, write: Tensor | None = None
    ) -> tuple[Tensor, CachedState]:
        """Read many tokens, a segment at a time; see `MemoryLayer.forward`."""
        state = self.start(x.shape[0]) if state is None else state
        if not x.shape[1]:
            return x, state
        tokens, seen = self.memory.told(x, state.online, write=write)
        write = x.new_ones(x.shape[:2]) if write is None else write.to(x)
        answers, at, place = [], 0, int(state.place[0])
        while at < x.shape[1]:
            end = min(x.shape[1], at + (1 if self.how == "soup" else self.segment - place))
            told = mapped(lambda one, part=slice(at, end): one[:, :, part], tokens)
            answer, state = self._read(x[:, at:end], told, write[:, at:end], state)
            place += end - at
            if place == self.segment:
                state, place = self._turned(state), 0
            answers.append(answer)
            at = end
        online = state.online._replace(seen=seen)
        place_now = torch.full_like(state.place, place)
        return self.memory.out(x, torch.cat(answers, 2)), state._replace(online=online, place=place_now)

    def _read(self, x: Tensor, tokens: Tokens, write: Tensor, state: CachedState) -> tuple[Tensor, CachedState]:
        """Tokens of one segment: answers before the norm, and the state, in which the segment may be complete."""
        own, memory = self.memory.engine.chunk(tokens, state.online.memory)
        totals = state.total.unsqueeze(1) + (x * write.unsqueeze(-1)).cumsum(1)
        counts = state.weight.unsqueeze(1) + write.cumsum(1)
        weights = self._weights(x, state.means, totals / counts.clamp(min=1).unsqueeze(-1))
        after = state._replace(online=state.online._replace(memory=memory), total=totals[:, -1], weight=counts[:, -1])
        if self.how == "soup":
            return self.memory.engine.recall(tokens.q, souped(weights[:, 0], state.kept, memory)), after
        former, present = weights[..., :-1], weights[..., -1]
        return present[:, None, :, None] * own + self._recalled(tokens.q, former, state.kept), after

    def _weights(self, x: Tensor, means: Tensor, present: Tensor) -> Tensor:
        """γ, [batch, tokens, segments + 1], the present one last, for x and its segment's mean so far of that shape."""
        if self.asking is None:
            return x.new_ones(*x.shape[:2], means.shape[1] + 1)
        asked = self.asking(x) * self.dim**-0.5
        former, now = asked @ means.mT, (asked * present).sum(-1, keepdim=True)
        if self.how == "sparse" and means.shape[1] > self.top:
            best, which = former.topk(self.top, -1)
            former = torch.full_like(former, -math.inf).scatter(-1, which, best)
        return torch.cat([former, now], -1).softmax(-1)

    def _recalled(self, q: Tensor, weights: Tensor, kept: State) -> Tensor:
        """Σ over segments of weights [batch, tokens, segments] times answers: [batch, heads, tokens, values]."""
        if self.how == "sparse" and q.shape[2] == 1 and weights.shape[-1] > self.top:
            which = weights[:, 0].topk(self.top, -1).indices
            rows = torch.arange(len(q), device=q.device).unsqueeze(1)
            kept, weights = mapped(lambda one: one[rows, which], kept), weights.gather(-1, which.unsqueeze(1))
        batch, count = len(q), weights.shape[-1]
        if not count:
            return q.new_zeros(())
        asked = q.unsqueeze(1).expand(-1, count, -1, -1, -1).flatten(0, 1)
        answers = self.memory.engine.recall(asked, mapped(lambda one: one.flatten(0, 1), kept))
        return torch.einsum("bts,bshtv->bhtv", weights, answers.reshape(batch, count, *answers.shape[1:]))

    def _turned(self, state: CachedState) -> CachedState:
        """The state after a segment's end: what the memory is has been kept, and a new segment begins."""
        online, mean = state.online, state.total / state.weight.clamp(min=1).unsqueeze(-1)
        kept = mapped(lambda one, new: torch.cat([one, new.unsqueeze(1)], 1), state.kept, readable(online.memory))
        if self.restarts:
            online = online._replace(memory=self.memory.engine.start(len(mean)))
        means = torch.cat([state.means, mean.unsqueeze(1)], 1)
        return CachedState(
            online, kept, means, torch.zeros_like(mean), torch.zeros_like(state.weight), torch.zeros_like(state.place)
        )


def readable(memory: State) -> State:
    """The part of an engine's state that is read: not what the memory learns with, such as momentum."""
    if isinstance(memory, TrainedState):
        return memory._replace(momentum=(), past=None)
    return memory._replace(gathered=()) if isinstance(memory, PeriodicState) else memory


def souped(weights: Tensor, kept: State, present: State) -> State:
    """One memory of averaged weights.

    Args:
        weights: [batch, segments + 1], the present one last.
        kept: [batch, segments, ...] each.
        present: [batch, ...] each.

    Returns:
        As `present`, of what is read.
    """

    def averaged(former: Tensor, now: Tensor) -> Tensor:
        if not now.is_floating_point():
            return now
        return torch.einsum("bs,bs...->b...", weights, torch.cat([former, now.unsqueeze(1)], 1))

    return mapped(averaged, kept, readable(present))


def _is_read_linearly(engine: Engine) -> bool:
    """Whether an answer is linear in what the state holds."""
    if isinstance(engine, Trained | Periodic):
        return engine.retention.linear and engine.memory in (MATRIX, Vector())
    return True
