"""One layer of a `MemoryLM`: hashed n-grams where it has them, a mixer, and what stands where an MLP does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mnemos.errors import InvalidInput
from mnemos.neural.config import GMU
from mnemos.neural.memory import State
from mnemos.neural.mixers import built, feed_of, mixer_of
from mnemos.neural.ngrams import Engram
from mnemos.neural.shared import GatedMemoryUnit, last_map, published


class BlockState(NamedTuple):
    """What a block carries."""

    mixer: State
    """None where it shares another's memory."""
    engram: State


class Block(nn.Module):
    """x ← x + engram(x), x ← x + mixer(norm(x)), x ← x + feed(norm(x)), of which the first and last may be missing.

    Args:
        layer: as `config.described` gives it.
        number: of the layer, from 0.
        dim: width of tokens.
        vocabulary: how many tokens there are.
        before: the blocks before this one, of which one may share its memory.

    Raises:
        InvalidInput: choices that a layer does not have, or that do not go together; it says where.
    """

    def __init__(self, layer: Mapping[str, Any], number: int, dim: int, vocabulary: int, before: list[Block]) -> None:
        super().__init__()
        place = f"layers[{number}]"
        self.of: int | None = layer["of"] if layer["mixer"] == GMU else None
        self.shares = False
        mixer = {key: value for key, value in layer.items() if key not in ("feed", "engram")}
        self.mixer = mixer_of(mixer, dim, place) if self.of is None else _unit(before, self.of, dim, place)
        self.feed = feed_of(layer["feed"], dim, f"{place}.feed")
        self.norms = nn.ModuleList(nn.RMSNorm(dim, eps=1e-6) for _ in range(1 if self.feed is None else 2))
        self.engram: Engram | None = None
        if "engram" in layer:
            choices = {"seed": number, **layer["engram"]}
            with torch.device("cpu"):
                self.engram = built(Engram, choices, f"{place}.engram", dim, torch.arange(vocabulary))

    def start(self, batch: int) -> BlockState:
        """A fresh state."""
        mixer = None if isinstance(self.mixer, GatedMemoryUnit) else self.mixer.start(batch)
        return BlockState(mixer, None if self.engram is None else self.engram.start(batch))

    def forward(
        self, x: Tensor, ids: Tensor, state: BlockState, said: dict[int, Tensor], number: int, write: Tensor | None
    ) -> tuple[Tensor, BlockState]:
        """Read tokens.

        Args:
            x: [batch, tokens, dim].
            ids: [batch, tokens].
            state: of the block.
            said: by number, what memories said that are shared; this block adds its own, where it is one.
            number: of this block.
            write: [batch, tokens], 0 for padding; None: all are read.

        Returns:
            The new x, and the new state.
        """
        engram = state.engram
        if self.engram is not None:
            found, engram = self.engram(x, ids, engram)
            x = x + found
        y, mixer = self._mixed(self.norms[0](x), state.mixer, said, number, write)
        x = x + y
        if self.feed is not None:
            x = x + self.feed(self.norms[1](x))
        return x if write is None else x * write.unsqueeze(-1), BlockState(mixer, engram)

    def _mixed(
        self, x: Tensor, state: State, said: dict[int, Tensor], number: int, write: Tensor | None
    ) -> tuple[Tensor, State]:
        if isinstance(self.mixer, GatedMemoryUnit):
            return self.mixer(x, said[self.of or 0]), None
        if self.shares:
            said[number], y, state = published(self.mixer, x, state, write=write)
            return y, state
        if x.shape[1] != 1:
            y, state = self.mixer(x, state, write=write)
            return y, state
        y, state = self.mixer.step(x[:, 0], state, write=None if write is None else write[:, 0])
        return y.unsqueeze(1), state


def _unit(before: list[Block], of: int, dim: int, place: str) -> GatedMemoryUnit:
    """A unit on the memory of an earlier block, which then shares what it says."""
    memory = before[of].mixer
    if isinstance(memory, GatedMemoryUnit):
        raise InvalidInput(f"{place}.of", f"layer {of} has no memory of its own", "name the layer that it shares")
    before[of].shares = True
    last = last_map(memory)
    return GatedMemoryUnit(dim, None if last is None else last.in_features)
