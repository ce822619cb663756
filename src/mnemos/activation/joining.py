"""Blocks become one text: put one after the other, and repaired where they do not know each other.

What is put first is exact as it is: the opening and the block that was read right after it, or a longer beginning of a
context that was read whole. Later blocks have not seen the earlier; a repair reads part of them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mnemos.activation.models import Decoder, Layers
from mnemos.activation.repair import repair
from mnemos.activation.rotation import Angles, put_on

ROOM = 1024
"""Tokens that may follow the memories before it matters that frequencies change with the length of the text."""


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Keys and values of a whole context."""

    layers: Layers
    """Keys at the places -n to -1 where `before`, else 0 to n - 1."""
    whole: Layers | None
    """Keys that stand nowhere, and values, where all of it was just made exact; to be kept."""
    cost: float
    exact: int
    before: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """How a context is to be joined."""

    share: float
    """Part of the later blocks' (token, layer) pairs that may be computed again, 0 to 1."""
    exact: int
    """Tokens at the beginning that are exact."""
    lossless: int
    """Tokens at the beginning that are exact to the last bit of the model's number type, as no int8 or int4 is."""
    following: int
    """Tokens that will be read after it at once."""
    keep: bool
    """Whether the whole is wanted where all of it becomes exact."""


def steady(decoder: Decoder, length: int) -> bool:
    """Whether a text of so many tokens has the frequencies of a short one, so that only distances matter in it."""
    one = torch.tensor([1], device=decoder.device)
    for kind in set(decoder.layer_types):
        short, long = decoder.rotation.angles(one, 2, kind), decoder.rotation.angles(one, length, kind)
        if not torch.equal(short.cos, long.cos) or not torch.equal(short.sin, long.sin):
            return False
    return True


def join(decoder: Decoder, parts: Sequence[Layers], ids: Tensor, wish: Wish) -> Joined:
    """Put parts one after the other.

    Args:
        decoder: the model that made them.
        parts: keys that stand nowhere, and values, each [heads, tokens, dimensions], in their order; not changed.
        ids: token ids of all parts, [tokens].
        wish: what to reuse, and to repair.
    """
    if not len(ids):
        return Joined([], None, 0.0, 0, True)
    layers = _in_a_row(decoder, parts)
    length = len(ids) + wish.following
    before = steady(decoder, length + ROOM)
    depth = len(layers)
    complete = wish.share >= (depth - 1) / depth
    # with other frequencies even the first block is not what it was; a first token sees only itself
    exact = (wish.lossless if complete else wish.exact) if before else min(1, wish.lossless)
    places = torch.arange(len(ids), device=decoder.device)
    if not wish.share or exact == len(ids):
        placed = decoder.placed(layers, places - len(ids) if before else places, length)
        return Joined(placed, None, 0.0, exact, before)
    made = repair(decoder, decoder.placed(layers, places, length), ids, exact, wish.share, following=wish.following)
    whole = decoder.unplaced(made.layers, places, length) if complete and before and wish.keep else None
    return Joined(
        _shifted(decoder, made.layers, -len(ids), length) if before else made.layers, whole, made.cost, exact, before
    )


def _in_a_row(decoder: Decoder, parts: Sequence[Layers]) -> Layers:
    """One pair of tensors a layer, where the model computes."""
    return [
        (
            torch.cat([part[number][0].to(decoder.device) for part in parts], 1),
            torch.cat([part[number][1].to(decoder.device) for part in parts], 1),
        )
        for number in range(len(parts[0]))
    ]


def _shifted(decoder: Decoder, layers: Layers, by: int, length: int) -> Layers:
    """Keys turned on by as many places."""
    moved = []
    for (keys, values), kind in zip(layers, decoder.layer_types, strict=True):
        turn = decoder.rotation.angles(torch.tensor([by], device=decoder.device), length, kind)
        size = (turn.cos.square() + turn.sin.square()).sqrt()
        moved.append((put_on(keys, Angles(turn.cos / size, turn.sin / size)), values))
    return moved
