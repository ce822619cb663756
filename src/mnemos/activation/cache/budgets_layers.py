"""Room that is shared out between layers: the lower look around, and the higher know where to look.

Cai, Zhang, Gao, Liu, Li, Liu, Lu, Xiong, Dong, Hu, Xiao 2024, "PyramidKV: Dynamic KV Cache Compression based on
Pyramidal Information Funneling".
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from mnemos.activation.cache.budgets import Spread, Uniform
from mnemos.activation.cache.settings import whole, within


class PyramidKV:
    """Each layer gets less than the one below it, by equal steps; all together as much as if all got the same.

    Every layer gets the window. Of what is left the highest gets `1 / slope` of an even part, and the lowest as much
    more than that part as the highest gets less. Where that would be more than there are tokens, the lowest gets as
    many as there are, and the highest the rest; where there is no more room than the window, all get the same. The
    paper uses it with SnapKV at prefill; it goes with every policy, at prefill and wherever else tokens go.

    Args:
        slope: how much less the highest layer gets, 1 (the same) or more.
        window: the window of SnapKV, or what else every layer is to have.
        heads: how a layer's room is shared out between its heads; None: every head gets the same.

    Raises:
        InvalidInput: slope or window is no such number.
    """

    name: ClassVar[str] = "pyramidkv"

    def __init__(self, slope: float = 20.0, window: int = 32, heads: Spread | None = None) -> None:
        self.slope = within("slope", slope, 1, 1e6)
        self.window, self.heads = whole("window", window, 0), heads or Uniform()

    def rooms(self, room: Tensor, seen: Tensor, layer: int, layers: int) -> Tensor:
        """A layer's part; what rounding takes from one layer goes to the next."""
        if layers == 1:
            return room
        window = room.clamp_max(self.window)
        shared = (room - window).double()
        lowest = torch.minimum(2 * shared - (shared / self.slope).maximum(1.0 - window), (seen - window).double())
        step = 2 * (lowest - shared) / (layers - 1)

        def below(layer: int) -> Tensor:
            """What all layers below one get together."""
            return (layer * (window + lowest) - step * (layer * (layer - 1) / 2) + 1e-6).floor().long()

        return torch.where((shared > 0) & (room < seen), below(layer + 1) - below(layer), room)

    def counts(self, scores: Tensor, room: Tensor, counts: Tensor) -> Tensor:
        """As the heads share it."""
        return self.heads.counts(scores, room, counts)
