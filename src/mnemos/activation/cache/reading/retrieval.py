"""A policy by which nothing goes, and little is read: what it cuts old tokens into, and which blocks it brings back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mnemos.activation.cache.budgets import best_first
from mnemos.activation.cache.policy import Policy, Shown


@dataclass(frozen=True, slots=True)
class Leaving:
    """Tokens of one row that are no longer among the latest, and those that came after them."""

    keys: Tensor
    """[heads, tokens, dimensions]."""
    marks: Mapping[str, Tensor]
    """What each carries, by name, [heads, tokens]."""
    count: int
    """How many of them may leave, the first ones."""
    used: int
    """How many of the first tokens lie before the place that the last cut was made for (see `Cuts`)."""


class Cuts(NamedTuple):
    """How tokens are cut into blocks."""

    sizes: Sequence[int]
    """Of the blocks that begin with the first token; what they do not cover stays for now."""
    used: int = 0
    """A cut may be made before the place that called for it: how many tokens lie between the last of them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What some queries of one row may choose from."""

    queries: Tensor
    """Of the new tokens of the row, turned to their places, [heads, sharing, queries, dimensions]."""
    index: Tensor
    """By what blocks are found, [blocks, heads, vectors, dimensions]."""
    sizes: Tensor
    """Tokens of each block, [blocks]."""
    room: int
    """How many tokens may be brought back for each head."""
    recent: tuple[int, ...]
    """What the last choice asked to be told, blocks by number."""
    scaling: float
    """By which the model multiplies products of queries and keys."""
    layer: int
    layers: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which blocks are brought back."""

    blocks: Tensor
    """[heads, queries, blocks], bool; one query stands for all."""
    recent: tuple[int, ...] = ()
    """What the next choice is to be told."""


class Retrieval(Policy):
    """Base of the policies that read.

    The budget says how many tokens a step looks at, besides those that it brings: the first `sinks`, the latest, which
    get the share `latest` of the rest, those that wait for the others of their block, and what there is room for of the
    blocks that rest. A text that is
    read in one go is looked at whole; to read a long one piece by piece, call `generate` with `prefill_chunk_size`.
    """

    sinks: int = 4
    """How many of the first tokens are always read."""
    latest: float = 0.5
    """Which share of the rest of the room is the latest tokens'."""
    surprises: int = 0
    """With how many tokens before it the surprise of each has to be compared; by how many standard deviations it is
    above their mean, tokens then carry as the mark "surprise"; 0: that is not needed."""

    def due(self, shown: Shown) -> Tensor:
        """Nothing ever goes."""
        return torch.zeros_like(shown.prefill)

    def shares(self, room: int) -> tuple[int, int]:
        """How many of so many tokens are the first ones, and the latest."""
        sinks = min(self.sinks, room)
        return sinks, min(room - sinks, max(1, round((room - sinks) * self.latest)))

    def cuts(self, leaving: Leaving) -> Cuts:
        """How the tokens that leave are cut into blocks; it may not depend on when it is asked."""
        raise NotImplementedError

    def index(self, keys: Tensor, marks: Mapping[str, Tensor]) -> Tensor:
        """By what a block is found, [heads, vectors, dimensions], as many vectors for every block.

        Args:
            keys: of its tokens, [heads, tokens, dimensions].
            marks: what they carry, each [heads, tokens].
        """
        raise NotImplementedError

    def chosen(self, wanted: Wanted) -> Chosen:
        """Which blocks some queries get; it is not asked where there is room for all."""
        raise NotImplementedError


def best(scores: Tensor, count: int) -> Tensor:
    """The so many highest of each list, of equal ones the later; [..., blocks], bool."""
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, best_first(scores)[..., :count], True)
