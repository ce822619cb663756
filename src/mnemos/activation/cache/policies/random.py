"""Tokens are kept by chance: what any policy has to beat."""

from __future__ import annotations

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Policy, Shown, registered

FIRST, SECOND = 0x45D9F3B, 0x119DE1F3
"""Odd numbers that mix bits well."""


@registered
class Random(Policy):
    """Every token has a lot of its own, the same at prefill and at every step of decoding; the highest lots stay.

    A lot depends on the seed, the layer, the head and the position, and on nothing else: neither on the other rows nor
    on padding, nor on how many calls it took to read the text.

    Args:
        seed: another one draws other lots.
    """

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def scores(self, shown: Shown) -> Tensor:
        """The lots, 0 to 1."""
        heads = torch.arange(shown.positions.shape[1], device=shown.positions.device)[None, :, None]
        number = shown.positions.long() + (heads + 1) * 0x9E3779B1 + (shown.layer + 1) * 0x85EBCA77
        return _mixed(_mixed(number) + self.seed * 0xC2B2AE3D).double() / 2**32


def _mixed(number: Tensor) -> Tensor:
    """32 bits that depend on all bits of a number."""
    number = number & 0xFFFFFFFF
    for factor in (FIRST, SECOND):
        number = ((number ^ (number >> 16)) * factor) & 0xFFFFFFFF
    return number ^ (number >> 16)
