"""HMT: sensory tokens of the last segment, one recalled vector for this one, and a long shelf of segment vectors.

"HMT: Hierarchical Memory Transformer for Efficient Long Context Language Processing" (He et al., 2024).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnemos.errors import InvalidInput
from mnemos.neural.attention import KeysValues
from mnemos.neural.segments import Reading, SegmentMemory


class Shelf(NamedTuple):
    """What HMT keeps of the segments before."""

    vectors: Tensor
    """One for each segment, oldest first, [batch, 0 ≤ n ≤ shelf, dim]."""
    held: Tensor
    """bool [batch, n]: False for segments of which nothing was to be written."""
    recalled: Tensor
    """What was recalled for the segment that is being read, [batch, dim]; not used before its head is read."""


class HMT(SegmentMemory):
    """Segments that recall, by what their head is about, the segments that came before.

    A segment is read by causal attention that also sees the last `sensory` tokens of the one before. Once its head is
    read, a learned prompt T, appended to it, says what the segment is about: s = T + attention(T). Over the shelf M the
    recalled vector is p = softmax(Q(s) K(M)ᵀ/√d) M, or T while the shelf is empty; it takes a place among the tokens
    and is read by all that follow. At the end p, appended once more, says what the segment was: p + attention(p) goes
    on the shelf, the oldest vector comes off it.

    After the paper and its code, but for two things. There a whole model reads the segment, and vectors are its last
    hidden states; here a layer does, so that every layer has a shelf of its own. And there p also stands before the
    head that it was made of, so that a token is told of tokens behind it; here only what follows the head sees it.

    Args:
        dim: width of tokens and vectors.
        heads: of the attention within a segment; divides `dim`.
        segment: tokens of a segment.
        head: how many of them say what it is about; None: half. Below `segment`.
        sensory: tokens of the last segment that are still seen, 0 to `segment`.
        shelf: vectors that are kept.
        width: of the queries and keys that search the shelf; None: `dim`.
        conv: kernel of a short convolution in the attention within a segment; 0: none.

    Raises:
        InvalidInput: a size out of its range, or heads that do not divide `dim`.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 1,
        segment: int = 64,
        head: int | None = None,
        sensory: int = 8,
        shelf: int = 100,
        width: int | None = None,
        conv: int = 0,
    ) -> None:
        super().__init__(dim, heads=heads, segment=segment, conv=conv)
        head = segment // 2 if head is None else head
        if not 1 <= head < segment:
            raise InvalidInput("head", f"{head} of {segment} tokens", "give at least 1 and leave some to the rest")
        if not 0 <= sensory <= segment:
            raise InvalidInput("sensory", f"{sensory} of the last {segment} tokens", f"give 0 to {segment}")
        if shelf < 1:
            raise InvalidInput("shelf", f"{shelf} vectors recall nothing", "give 1 or more")
        self.head, self.sensory, self.shelf, self.marks = head, sensory, shelf, (head, segment)
        self.prompt = nn.Parameter(torch.randn(dim) / dim**0.5)
        self.query = nn.Linear(dim, width or dim, bias=False)
        self.key = nn.Linear(dim, width or dim, bias=False)

    def blank(self, batch: int) -> Shelf:
        """An empty shelf."""
        vectors = self.prompt.new_zeros(batch, 0, self.dim)
        return Shelf(vectors, vectors.new_zeros(batch, 0, dtype=torch.bool), self.prompt.repeat(batch, 1))

    def answer(self, x: Tensor, near: Tensor, memory: Shelf, written: Tensor) -> tuple[Tensor, Shelf]:
        """Attention says it all: what is recalled is among what it sees."""
        return near, memory

    def recall(self, about: Tensor, memory: Shelf) -> Tensor:
        """The shelf as it bears on a vector [batch, dim], in the same shape; the prompt where nothing is held."""
        scores = self.query(about).unsqueeze(1) @ self.key(memory.vectors).transpose(1, 2) / self.key.out_features**0.5
        is_held = torch.cat([memory.held, ~memory.held.any(1, keepdim=True)], dim=1)
        scores = torch.cat([scores.squeeze(1), scores.new_zeros(len(about), 1)], dim=1)
        weights = scores.masked_fill(~is_held, torch.finfo(scores.dtype).min).softmax(dim=-1)
        return (weights[:, :-1, None] * memory.vectors).sum(1) + weights[:, -1:] * self.prompt

    def reached(self, state: Reading) -> Reading:
        """At the end of the head recall, at the end of the segment shelve."""
        shelf: Shelf = state.memory
        if state.said.shape[1] == self.head:
            recalled = self.recall(self._summed(self.prompt.repeat(len(state.said), 1), state.near), shelf)
            near = self._beside(recalled, state.near)
            return state._replace(memory=shelf._replace(recalled=recalled), near=near)
        vectors = torch.cat([shelf.vectors, self._summed(shelf.recalled, state.near).unsqueeze(1)], dim=1)
        held = torch.cat([shelf.held, state.written.any(1, keepdim=True)], dim=1)
        kept = shelf._replace(vectors=vectors[:, -self.shelf :], held=held[:, -self.shelf :])
        return self.start(len(state.said))._replace(memory=kept, near=self._last(state.near))

    def _summed(self, prompt: Tensor, near: KeysValues) -> Tensor:
        """A prompt [batch, dim] and what it reads at the end of the tokens so far, itself among them."""
        said, _ = self.local.step(prompt, near._replace(recent=self._unread(near)))
        return prompt + said

    def _beside(self, vector: Tensor, near: KeysValues) -> KeysValues:
        """The tokens so far and a vector [batch, dim] after them; short convolutions do not see it."""
        _, seen = self.local.see(vector.unsqueeze(1), near._replace(recent=self._unread(near)))
        return seen._replace(recent=near.recent)

    def _unread(self, near: KeysValues) -> Tensor | None:
        return None if self.local.conv is None else self.local.conv.start(near.keys.shape[0])

    def _last(self, near: KeysValues) -> KeysValues:
        """The sensory tokens: the last ones of a segment, and those before the recalled vector if they reach so far."""
        first = near.keys.shape[2] - self.sensory
        written = None if near.written is None else near.written[:, first:]
        return KeysValues(near.keys[:, :, first:], near.values[:, :, first:], written, near.recent)
