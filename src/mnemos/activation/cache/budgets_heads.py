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
        left, safe = wanted.sum(-1).cpu(), (room * self.floor).long()[:, None]
        over = left.sum(1) - room * scores.shape[1]
        if not bool((over > 1).any()):
            return left - _worst(scores, wanted & (left > safe).to(scores.device)[..., None]) * (over > 0)[:, None]
        scores = scores.masked_fill(wanted & (ranks(scores) < safe.to(scores.device)[..., None]), torch.inf)
        rows, heads, held = scores.shape
        together = ranks(scores.transpose(1, 2).reshape(rows, 1, -1)).view(rows, held, heads).transpose(1, 2)
        total = (room * heads).to(scores.device)[:, None, None]
        return ((together < total) & wanted).sum(-1).cpu()


def _worst(scores: Tensor, among: Tensor) -> Tensor:
    """In which head the worst token is, of equal ones the first: 1 there, else 0, [rows, heads], on the CPU."""
    scores = scores.clamp_max(torch.finfo(scores.dtype).max).masked_fill(~among, torch.inf)
    low = scores.transpose(1, 2).flatten(1).argmin(1, keepdim=True).cpu()
    return torch.zeros(scores.shape[:2], dtype=torch.int64).scatter_(1, low % scores.shape[1], 1)
