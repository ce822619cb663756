"""Rotary positions: taken off a model's keys, and put on again for another place.

Keys are kept as if they stood nowhere, so that a block can be put anywhere with one rotation. The angles come from the
model's own rotary module, so every scaling that it knows (linear, dynamic, llama3, YaRN, longrope) holds here too, with
the frequencies that a sequence of that length gets.

Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding".
"""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Angles:
    """Cosines and sines of some positions: float32, [tokens, rotated dimensions]; YaRN's factor is in both."""

    cos: Tensor
    sin: Tensor


class Rotation:
    """The rotary positions of one model.

    Args:
        rotary: the model's rotary module. It is only asked of what kind it is.
    """

    def __init__(self, rotary: Any) -> None:
        self._pristine: nn.Module = type(rotary)(rotary.config)
        self._typed = "layer_type" in inspect.signature(rotary.forward).parameters

    def fresh(self, device: torch.device) -> nn.Module:
        """A rotary module that has seen no text yet: dynamic scaling remembers the longest that it saw."""
        return copy.deepcopy(self._pristine).to(device)

    def angles(self, positions: Tensor, length: int, layer_type: str) -> Angles:
        """The angles of positions in a sequence of so many tokens.

        Args:
            positions: whole numbers below `length`, [tokens].
            length: tokens of the whole sequence; dynamic scaling chooses its frequencies by it.
            layer_type: the kind of attention layer; some models rotate them differently.
        """
        device = positions.device
        # one more position at the end says how long the sequence is
        asked = torch.cat([positions, torch.tensor([length - 1], device=device)])[None]
        rotary = self.fresh(device)
        settings = {"layer_type": layer_type} if self._typed else {}
        with torch.no_grad():
            cos, sin = rotary(torch.zeros(1, dtype=torch.float32, device=device), asked, **settings)
        return Angles(cos[0, :-1].float(), sin[0, :-1].float())


def put_on(keys: Tensor, angles: Angles) -> Tensor:
    """Keys at their places.

    Args:
        keys: keys that stand nowhere, [heads, tokens, dimensions]; dimensions beyond the rotated ones stay.
        angles: of each token.
    """
    turned, rest = _split(keys, angles)
    return torch.cat([turned * angles.cos + _half_turn(turned) * angles.sin, rest], -1).to(keys.dtype)


def take_off(keys: Tensor, angles: Angles) -> Tensor:
    """Keys without their places; the inverse of `put_on`."""
    turned, rest = _split(keys, angles)
    size = angles.cos.square() + angles.sin.square()
    return torch.cat([(turned * angles.cos - _half_turn(turned) * angles.sin) / size, rest], -1).to(keys.dtype)


def _split(keys: Tensor, angles: Angles) -> tuple[Tensor, Tensor]:
    turned = angles.cos.shape[-1]
    return keys[..., :turned].float(), keys[..., turned:].float()


def _half_turn(pairs: Tensor) -> Tensor:
    """A quarter turn of each pair (i, i + n/2) of dimensions."""
    first, second = pairs.chunk(2, -1)
    return torch.cat([-second, first], -1)
