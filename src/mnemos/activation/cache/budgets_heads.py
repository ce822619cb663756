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
        safe = (room * self.floor).long().to(scores.device)[:, None, None]
        wanted = scores > -torch.inf
        scores = scores.masked_fill(wanted & (ranks(scores) < safe), torch.inf)
        rows, heads, held = scores.shape
        together = ranks(scores.transpose(1, 2).reshape(rows, 1, -1)).view(rows, held, heads).transpose(1, 2)
        total = (room * heads).to(scores.device)[:, None, None]
        return ((together < total) & wanted).sum(-1).cpu()
