"""Room that is shared out between the heads of a layer, by how much they have to keep.

Feng, Lv, Cao, Xie, Zhou 2024, "Ada-KV: Optimizing KV Cache Eviction by Adaptive Budget Allocation for Efficient LLM
Inference".
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from mnemos.activation.cache.budgets import HIGHEST, ordered
from mnemos.activation.cache.settings import within


class AdaKV:
    """A layer keeps the best tokens of all its heads, as many as if each head kept its own best.

    A head whose attention is on few tokens leaves room to one that looks around. It goes with every policy whose scores
    can be compared between heads, as attention can, at prefill and wherever else tokens go.

    Args:
        floor: which share of an even part each head keeps in any case, 0 to 1.

    Raises:
        InvalidInput: it is no such share.
    """

    name: ClassVar[str] = "adakv"

    def __init__(self, floor: float = 0.2) -> None:
        self.floor = within("floor", floor, 0, 1)

    def rooms(self, room: Tensor, seen: Tensor, layer: int, layers: int) -> Tensor:
        """The same for every layer."""
        return room

    def counts(self, scores: Tensor, room: Tensor, counts: Tensor) -> Tensor:
        """How many of the best of all heads are of each; between equal ones the later stay."""
        wanted = scores > -torch.inf
        left, room = wanted.sum(-1), room.to(scores.device)[:, None]
        over = (left.sum(1, keepdim=True) - room * scores.shape[1]).clamp_min(0)
        most = int(over.max())
        if not most:
            return left.cpu()
        # of each head its worst, but none that it keeps in any case
        worst = ordered(scores.float()).masked_fill(~wanted, HIGHEST)
        worst = worst.topk(min(most, worst.shape[-1]), largest=False).values
        numbers = torch.arange(most, device=scores.device)
        free = (left - (room * self.floor).long())[..., None]
        worst = worst.masked_fill(numbers[: worst.shape[-1]] >= free, HIGHEST)
        heads = worst.flatten(1).topk(most, largest=False).indices // worst.shape[-1]
        return left.scatter_add(1, heads, -(numbers < over).long()).cpu()
