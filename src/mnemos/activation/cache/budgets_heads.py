"""Room that is shared out between the heads of a layer, by how much they have to keep.

Feng, Lv, Cao, Xie, Zhou 2024, "Ada-KV: Optimizing KV Cache Eviction by Adaptive Budget Allocation for Efficient LLM
Inference".
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from mnemos.activation.cache.budgets import ranks
from mnemos.activation.cache.settings import within

FEW = 16
"""How many tokens are found one by one; more are found by sorting all."""


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
        safe, total = (room * self.floor).long(), room * scores.shape[1]
        over = left.sum(1, keepdim=True) - total
        most = int(over.max())
        if most <= FEW:
            high = scores.clamp_max(torch.finfo(scores.dtype).max).masked_fill(~wanted, torch.inf)
            return _without_worst(high, left, safe, over, most).cpu()
        scores = scores.masked_fill(wanted & (ranks(scores) < safe[..., None]), torch.inf)
        rows, heads, held = scores.shape
        together = ranks(scores.transpose(1, 2).reshape(rows, 1, -1)).view(rows, held, heads).transpose(1, 2)
        return ((together < total[..., None]) & wanted).sum(-1).cpu()


def _without_worst(scores: Tensor, left: Tensor, safe: Tensor, over: Tensor, most: int) -> Tensor:
    """What each head has left when a few tokens go, one by one: always the worst, of equal ones the first.

    Args:
        scores: of each token, [rows, heads, held], finite; infinity where there is none.
        left: how many there are, [rows, heads].
        safe: how many each head keeps in any case, [rows, 1].
        over: how many are to go, [rows, 1].
        most: of any row.
    """
    rows, heads, _ = scores.shape
    flat = scores.transpose(1, 2).reshape(rows, -1)
    for gone in range(most):
        free = (left > safe)[:, None].expand(rows, flat.shape[1] // heads, heads).reshape(rows, -1)
        low = flat.masked_fill(~free, torch.inf).argmin(1, keepdim=True)
        left = left.scatter_add(1, low % heads, -(over > gone).long())
        flat = flat.scatter(1, low, torch.inf)
    return left
