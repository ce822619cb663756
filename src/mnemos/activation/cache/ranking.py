"""Which of several scores are the best."""

from __future__ import annotations

import torch
from torch import Tensor


def ranks(scores: Tensor) -> Tensor:
    """Which place each score takes in its list, the best 0, of equal ones the later first; [..., tokens]."""
    last = scores.shape[-1] - 1
    order = last - scores.flip(-1).argsort(dim=-1, descending=True, stable=True)
    places = torch.arange(last + 1, device=scores.device).expand_as(order)
    return torch.empty_like(order).scatter_(-1, order, places)
