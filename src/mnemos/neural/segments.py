"""Memories that are written once a segment: read it with the memory as it was, then write what was read.

Inside a segment tokens attend to each other causally; what lies further back is reached through the memory alone. So
the state is bounded, and tokens of a segment are read in parallel, while segments follow one another.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mnemos.errors import InvalidInput
from mnemos.neural.attention import CausalAttention, KeysValues
from mnemos.neural.memory import MemoryLayer, State


class Reading(NamedTuple):
    """Where the reading stands: in a segment that is not full."""

    memory: State
    """What was kept of the segments before, and noted in this one."""
    near: KeysValues
    """What the next token of this segment attends to."""
    said: Tensor
    """The tokens of this segment with what was answered to them, [batch, 0 ≤ n < segment, dim]."""
    written: Tensor
    """bool [batch, n]: False for tokens that are not to be written."""


class SegmentMemory(MemoryLayer):
    """The frame of a segment memory; a memory of its own says how it begins, answers and stores.

    Args:
        dim: width of the tokens.
        heads: of every attention in it; divides `dim`.
        segment: tokens that are read before the memory is written.
        conv: kernel of a short convolution in the attention among the tokens of a segment; 0: none.

    Raises:
        InvalidInput: a size that is not positive, or heads that do not divide `dim`.
    """

    def __init__(self, dim: int, *, heads: int, segment: int, conv: int) -> None:
        super().__init__()
        if segment < 1:
            raise InvalidInput("segment", f"{segment} tokens are no segment", "give 1 or more")
        self.dim, self.segment = dim, segment
        self.marks: tuple[int, ...] = (segment,)
        self.local = CausalAttention(dim, heads=heads, conv=conv)

    def blank(self, batch: int) -> State:
        """The memory before anything was written."""
        raise NotImplementedError

    def answer(self, x: Tensor, near: Tensor, memory: State, written: Tensor) -> tuple[Tensor, State]:
        """What is said to tokens of one segment.

        Args:
            x: [batch, tokens, dim].
            near: what attention within the segment says to them, the same shape.
            memory: what was kept of the segments before.
            written: bool [batch, tokens].

        Returns: the same shape, and the memory with what is noted of these tokens, most often nothing.
        """
        raise NotImplementedError

    def store(self, memory: State, said: Tensor, written: Tensor) -> State:
        """Write a segment.

        Args:
            memory: what was kept before, with what was noted since; it is left as it is.
            said: its tokens with their answers, [batch, segment, dim].
            written: bool [batch, segment]. A sequence of which nothing is to be written keeps its memory.
        """
        raise NotImplementedError

    def start(self, batch: int) -> Reading:
        """A fresh memory, at the start of a segment."""
        near = self.local.start(batch)
        said = near.keys.new_zeros(batch, 0, self.dim)
        return Reading(self.blank(batch), near, said, said.new_zeros(batch, 0, dtype=torch.bool))

    def step(self, x: Tensor, state: Reading, *, write: Tensor | None = None) -> tuple[Tensor, Reading]:
        """Read one token, x [batch, dim]; the last of a segment writes it."""
        y, state = self.forward(x.unsqueeze(1), state, write=None if write is None else write.unsqueeze(1))
        return y.squeeze(1), state

    def forward(
        self, x: Tensor, state: Reading | None = None, *, write: Tensor | None = None
    ) -> tuple[Tensor, Reading]:
        """Read many tokens, x [batch, tokens, dim]: all of a segment at once, segment after segment."""
        state, read, at = self.start(x.shape[0]) if state is None else state, [x[:, :0]], 0
        while at < x.shape[1]:
            stands = state.said.shape[1]
            part = slice(at, at + min(mark for mark in self.marks if mark > stands) - stands)
            y, state = self._part(x[:, part], state, None if write is None else write[:, part])
            read.append(y)
            at += y.shape[1]
        return torch.cat(read, dim=1), state

    def _part(self, x: Tensor, state: Reading, write: Tensor | None) -> tuple[Tensor, Reading]:
        near, seen = self.local(x, state.near, write=write)
        now = x.new_ones(x.shape[:2], dtype=torch.bool) if write is None else write > 0
        y, memory = self.answer(x, near, state.memory, now)
        said, written = torch.cat([state.said, x + y], dim=1), torch.cat([state.written, now], dim=1)
        state = Reading(memory, seen, said, written)
        return y, self.reached(state) if said.shape[1] in self.marks else state

    def reached(self, state: Reading) -> Reading:
        """The last token of a segment is read: write it, and begin the next."""
        fresh = self.start(state.said.shape[0])
        near = fresh.near._replace(recent=state.near.recent)
        return fresh._replace(memory=self.store(state.memory, state.said, state.written), near=near)


def kept_unless(is_written: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Row by row: new [batch, ...] where anything was written, bool [batch], and old elsewhere."""
    return torch.where(is_written.view(-1, *[1] * (new.dim() - 1)), new, old)
