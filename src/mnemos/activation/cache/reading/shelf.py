"""The blocks of one row of one layer: where they are cut, where their tokens rest, and what they are found by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mnemos.activation.cache.held import NOWHERE
from mnemos.activation.cache.reading.rest import Rest, Resting
from mnemos.activation.cache.reading.retrieval import Chosen

Side = tuple[tuple[int, int, Resting], ...]
"""What rests of keys, or of values: which token is the first, how many, and they themselves, [heads, tokens, …]."""


class Block(NamedTuple):
    """Tokens that follow each other; every head has the same."""

    start: int
    """The position of the first in its row."""
    size: int


@dataclass(frozen=True, slots=True)
class Back:
    """What is brought back for a row."""

    keys: Tensor
    """[heads, tokens, dimensions]; each head has its own tokens, in their order."""
    values: Tensor
    positions: Tensor
    """[heads, tokens], int32; -1 where a head has fewer than another."""
    allowed: Tensor | None
    """Which queries may look at which, [heads, queries, tokens]; None: all at all that their head has."""


def _none() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Blocks in their order, without gaps. It is never changed."""

    start: int = 0
    """The position of the first token."""
    sizes: Tensor = field(default_factory=_none)
    """Tokens of each block, [blocks], on the CPU."""
    keys: Side = ()
    values: Side = ()
    index: Tensor | None = None
    """[blocks, heads, vectors, dimensions]."""
    recent: tuple[int, ...] = ()
    """What the last choice asked to be told."""
    used: int = 0
    """What the last cut asked to be told."""

    @property
    def blocks(self) -> list[Block]:
        """Where each begins, and its tokens."""
        starts = (self.start + self.sizes.cumsum(0) - self.sizes).tolist()
        return [Block(start, size) for start, size in zip(starts, self.sizes.tolist(), strict=True)]

    @property
    def count(self) -> int:
        """Tokens in all."""
        return int(self.sizes.sum())

    def with_(self, sizes: Tensor, keys: Resting, values: Resting, index: Tensor, used: int) -> Shelf:
        """With more blocks behind.

        Args:
            sizes: tokens of each, [blocks].
            keys: of all of them, [heads, tokens, dimensions].
            values: the same.
            index: what each is found by, [blocks, heads, vectors, dimensions].
            used: what the next cut is to be told.
        """
        at, more = self.count, int(sizes.sum())
        return replace(
            self,
            sizes=torch.cat([self.sizes, sizes]),
            keys=(*self.keys, (at, more, keys)),
            values=(*self.values, (at, more, values)),
            index=index if self.index is None else torch.cat([self.index, index]),
            used=used,
        )

    def back(self, chosen: Chosen, like: Tensor) -> Back | None:
        """Bring blocks back; of what rests, only what a head has chosen is read.

        Args:
            chosen: which.
            like: any tensor of the type and on the device of the model's keys.
        """
        blocks = chosen.blocks.cpu()
        wanted = blocks.any(1).repeat_interleave(self.sizes, -1)
        numbers = pad_sequence([head.nonzero()[:, 0] for head in wanted], batch_first=True, padding_value=NOWHERE)
        if not numbers.numel():
            return None
        there = numbers != NOWHERE
        positions = torch.where(there, numbers + self.start, NOWHERE).int()
        allowed = None
        if blocks.shape[1] > 1:
            block = torch.repeat_interleave(self.sizes)[numbers.clamp_min(0)]
            allowed = blocks.gather(2, block[:, None].expand(-1, blocks.shape[1], -1)) & there[:, None]
            allowed = allowed.to(like.device)
        keys, values = (_read(side, numbers, self.count).to(like.device) for side in (self.keys, self.values))
        return Back(keys, values, positions.to(like.device), allowed)

    @property
    def tensors(self) -> list[Tensor]:
        """All that takes memory."""
        kept = [tensor for side in (self.keys, self.values) for _, _, one in side for tensor in one.tensors]
        return kept if self.index is None else [*kept, self.index, self.sizes]

    def told(self) -> dict[str, Tensor]:
        """All of it, by name; what rests in a file is read."""
        told = {"sizes": self.sizes, "recent": torch.tensor(self.recent, dtype=torch.int64)}
        if self.index is None:
            return told
        keys, values = (torch.cat([one.read() for _, _, one in side], 1) for side in (self.keys, self.values))
        numbers = torch.tensor([self.start, self.used])
        return {**told, "numbers": numbers, "keys": keys, "values": values, "index": self.index}

    @classmethod
    def of(cls, told: Mapping[str, Tensor], rest: Rest, like: Tensor) -> Shelf:
        """The inverse of `told`.

        Raises:
            KeyError, ValueError: the tensors do not belong together.
        """
        sizes, recent = told["sizes"], tuple(told["recent"].tolist())
        if not len(sizes):
            return cls(recent=recent)
        keys, values, (start, used) = told["keys"], told["values"], told["numbers"].tolist()
        if {keys.shape[1], values.shape[1]} != {int(sizes.sum())} or len(told["index"]) != len(sizes):
            raise ValueError("what rests is not what its blocks say")
        shelf = cls(start=start, recent=recent)
        return shelf.with_(sizes, rest.put(keys), rest.put(values), told["index"].to(like.device), used)


def _read(side: Side, numbers: Tensor, count: int) -> Tensor:
    """Some tokens of each head, [heads, tokens, dimensions]; 0 where the number is -1.

    Args:
        side: where they rest.
        numbers: which, [heads, tokens], ascending.
        count: how many there are.
    """
    if numbers.shape[1] == count and bool((numbers[:, 0] == 0).all()) and bool((numbers[:, -1] != NOWHERE).all()):
        return torch.cat([one.read() for _, _, one in side], 1)
    first = side[0][2].read()
    found = first.new_zeros(*numbers.shape, first.shape[-1])
    for start, size, one in side:
        head, place = ((numbers >= start) & (numbers < start + size)).nonzero(as_tuple=True)
        if len(head):
            found[head, place] = one.read()[head, numbers[head, place] - start]
    return found
