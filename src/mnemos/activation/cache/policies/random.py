"""Tokens are kept by chance: what any policy has to beat."""

from __future__ import annotations

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Policy, Shown, registered

FACTOR = 0x45D9F3B
"""An odd number that mixes bits well."""


@registered
class Random(Policy):
    """Every token has a lot of its own, the same at prefill and at every step of decoding; the highest lots stay.

    A lot depends on the seed, the layer, the head and the position, and on nothing else: neither on the other rows nor
    on padding, nor on how many calls it took to read the text.

    Args:
        seed: another one draws other lots.
        by_row: whether it also depends on which row of the first reading it is, so that a batch is many draws.
    """

    name = "random"

    def __init__(self, seed: int = 0, *, by_row: bool = False) -> None:
        self.seed, self.by_row = seed, by_row

    def scores(self, shown: Shown) -> Tensor:
        """The lots, 0 to 1."""
        heads = torch.arange(shown.positions.shape[1], device=shown.positions.device)[None, :, None]
        number = shown.positions.long() + (heads + 1) * 0x9E3779B1 + (shown.layer + 1) * 0x85EBCA77
        if self.by_row:
            number = number + (shown.rows.to(number.device)[:, None, None] + 1) * 0x27D4EB2F
        return _mixed(_mixed(number) + self.seed * 0xC2B2AE3D).double() / 2**32


def _mixed(number: Tensor) -> Tensor:
    """32 bits that depend on all bits of a number."""
    number = number & 0xFFFFFFFF
    for _ in range(2):
        number = ((number ^ (number >> 16)) * FACTOR) & 0xFFFFFFFF
    return number ^ (number >> 16)
