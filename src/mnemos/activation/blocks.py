"""A block: what a model made of one text, kept so that the text need not be read again."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from mnemos.activation.fingerprint import Fingerprint
from mnemos.activation.models import Decoder, Layers
from mnemos.errors import InvalidInput, MnemosError


class BlockRefused(InvalidInput):
    """A block that another model made, or that was made of another text or after other sinks.

    `differences` names each part that differs, in words.
    """

    def __init__(self, differences: list[str]) -> None:
        super().__init__("block", f"it does not fit: {'; '.join(differences)}", "encode the memory again")
        self.differences = tuple(differences)


class BlockDamaged(MnemosError):
    """A file that holds no block that can be read: missing, cut off, damaged, or of another kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Keys and values of one text, as one model read it.

    Raises:
        InvalidInput: ids and layers do not belong together, or there are none.
    """

    ids: Tensor
    """Its token ids, [tokens], int64."""
    layers: Layers
    """Of each layer, keys that stand nowhere (without rotation) and values, each [heads, tokens, dimensions]."""
    fingerprint: Fingerprint
    """The model that read it."""
    after: tuple[int, ...] = ()
    """Token ids that stood before it when it was read (sinks); it began at the place `len(after)`."""
    seconds: float = 0.0
    """How long it took to read."""

    def __post_init__(self) -> None:
        if self.ids.dim() != 1 or not len(self.ids) or self.ids.dtype != torch.int64:
            raise InvalidInput("ids", "not a list of token ids", "give a tensor [tokens] of int64 with one or more")
        if not self.layers:
            raise InvalidInput("layers", "there are none", "read the text with the model")
        for number, (keys, values) in enumerate(self.layers):
            if keys.dim() != 3 or values.dim() != 3 or keys.shape[:2] != values.shape[:2]:
                problem = f"keys {tuple(keys.shape)} and values {tuple(values.shape)}"
                raise InvalidInput(f"layers[{number}]", problem, "give each as [heads, tokens, dimensions]")
            if keys.shape[1] != len(self.ids):
                raise InvalidInput(f"layers[{number}]", f"{keys.shape[1]} tokens for {len(self.ids)} ids", "read again")

    def __len__(self) -> int:
        """How many tokens it has."""
        return len(self.ids)

    @property
    def bytes(self) -> int:
        """What its keys and values take in memory."""
        return sum(kept.numel() * kept.element_size() for pair in self.layers for kept in pair)


def read_block(decoder: Decoder, fingerprint: Fingerprint, ids: Tensor, after: tuple[int, ...] = ()) -> Block:
    """Read a text once.

    Args:
        decoder: the model.
        fingerprint: of that model.
        ids: token ids of the text, [tokens].
        after: token ids to put before it, so that its first tokens need not serve as attention sinks.
    """
    before = torch.tensor(after, dtype=torch.int64)
    whole = torch.cat([before, ids.to("cpu", torch.int64)])
    begun = time.perf_counter()
    read = decoder.read(whole)
    layers = decoder.unplaced(read, torch.arange(len(whole), device=decoder.device), len(whole))
    own = [(keys[:, len(after) :].clone(), values[:, len(after) :].clone()) for keys, values in layers]
    if decoder.device.type == "cuda":
        torch.cuda.synchronize(decoder.device)
    return Block(whole[len(after) :], own, fingerprint, after, time.perf_counter() - begun)


def misfits(block: Block, ids: Tensor | None, after: tuple[int, ...] | None) -> list[str]:
    """Where a block is of another text, or was read after other sinks, in words; none of the text is told."""
    said = []
    if ids is not None and not torch.equal(block.ids, ids.to("cpu", torch.int64)):
        alike = _alike(block.ids.tolist(), ids.tolist())
        said.append(f"token ids: made of {len(block.ids)}, asked for {len(ids)}, alike in the first {alike}")
    if after is not None and block.after != after:
        said.append(f"positions: read after {len(block.after)} sinks, asked for one after {len(after)}, or other ones")
    return said


def _alike(one: list[int], other: list[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))
