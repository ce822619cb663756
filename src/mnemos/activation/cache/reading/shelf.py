"""The blocks of one row of one layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mnemos.activation.cache.reading.rest import Rest, Resting
from mnemos.activation.cache.reading.retrieval import Chosen

SIDES = ("keys", "values")


@dataclass(frozen=True, slots=True)
class Block:
    """Tokens that follow each other, at rest; every head has the same."""

    start: int
    """The position of the first in its row."""
    size: int
    keys: Resting
    """[heads, tokens, dimensions]."""
    values: Resting


@dataclass(frozen=True, slots=True)
class Back:
    """What is brought back for a row."""

    keys: Tensor
    """[heads, tokens, dimensions]."""
    values: Tensor
    positions: Tensor
    """[heads, tokens], int32; -1: for other heads only."""
    allowed: Tensor | None
    """Which queries may look at which, [heads, queries, tokens]; None: all at all that their head has."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Blocks in their order, and what they are found by. It is never changed."""

    blocks: tuple[Block, ...] = ()
    index: Tensor | None = None
    """[blocks, heads, vectors, dimensions]."""
    recent: tuple[int, ...] = ()
    """What the last choice asked to be told."""
    used: int = 0
    """What the last cut asked to be told."""

    @property
    def sizes(self) -> Tensor:
        """Tokens of each block, [blocks]."""
        return torch.tensor([block.size for block in self.blocks], dtype=torch.int64)

    def with_(self, blocks: list[Block], index: list[Tensor], used: int) -> Shelf:
        """With more blocks behind."""
        if not blocks:
            return self
        before = [] if self.index is None else [self.index]
        more = torch.cat([*before, torch.stack(index)])
        return replace(self, blocks=(*self.blocks, *blocks), index=more, used=used)

    def back(self, chosen: Chosen, like: Tensor) -> Back | None:
        """Bring blocks back; only what a head has chosen is read.

        Args:
            chosen: which.
            like: any tensor of the type and on the device of the model's keys.
        """
        heads = chosen.blocks.any(1)
        numbers = heads.any(0).nonzero()[:, 0].tolist()
        if not numbers:
            return None
        parts = list(self._parts(numbers, heads, like))
        keys, values, positions = (torch.cat(part, 1) for part in zip(*parts, strict=True))
        allowed = None
        if chosen.blocks.shape[1] > 1:
            sizes = self.sizes[numbers].to(chosen.blocks.device)
            allowed = chosen.blocks[:, :, numbers].repeat_interleave(sizes, -1)
        return Back(keys, values, positions, allowed)

    @property
    def tensors(self) -> list[Tensor]:
        """All that takes memory."""
        kept = [tensor for block in self.blocks for side in (block.keys, block.values) for tensor in side.tensors]
        return kept if self.index is None else [*kept, self.index]

    def told(self) -> dict[str, Tensor]:
        """All of it, by name; what rests in a file is read."""
        blocks = torch.tensor([(block.start, block.size) for block in self.blocks], dtype=torch.int64).view(-1, 2)
        numbers = {"blocks": blocks, "recent": torch.tensor(self.recent, dtype=torch.int64)}
        if self.index is None:
            return numbers
        keys, values = (torch.cat([getattr(block, side).read() for block in self.blocks], 1) for side in SIDES)
        return {**numbers, "used": torch.tensor(self.used), "keys": keys, "values": values, "index": self.index}

    @classmethod
    def of(cls, told: Mapping[str, Tensor], rest: Rest, like: Tensor) -> Shelf:
        """The inverse of `told`.

        Raises:
            KeyError, ValueError: the tensors do not belong together.
        """
        numbers = told["blocks"].tolist()
        if not numbers:
            return cls(recent=tuple(told["recent"].tolist()))
        keys, values = (torch.split(told[side], [size for _, size in numbers], 1) for side in SIDES)
        parts = zip(numbers, keys, values, strict=True)
        blocks = [Block(start, size, rest.put(key), rest.put(value)) for (start, size), key, value in parts]
        index = told["index"].to(like.device)
        if len(index) != len(blocks):
            raise ValueError("there are not as many blocks as what they are found by")
        return cls(tuple(blocks), index, tuple(told["recent"].tolist()), int(told["used"]))

    def _parts(self, numbers: list[int], heads: Tensor, like: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for number in numbers:
            block, own = self.blocks[number], heads[:, number]
            positions = torch.arange(block.start, block.start + block.size, dtype=torch.int32, device=like.device)
            spread = torch.where(own.to(like.device)[:, None], positions, -1)
            yield _of(block.keys, own, like), _of(block.values, own, like), spread


def _of(resting: Resting, heads: Tensor, like: Tensor) -> Tensor:
    """A block's keys or values for some heads, 0 for the others."""
    whole = resting.read()
    if bool(heads.all()):
        return whole.to(like.device)
    some = torch.zeros_like(whole)
    own = heads.cpu()
    some[own] = whole[own]
    return some.to(like.device)
