"""What the end of a prompt looks at is what its answer will look at.

Li, Huang, Yang, Venkitesh, Locatelli, Ye, Cai, Lewis, Chen 2024, "SnapKV: LLM Knows What You are Looking for Before
Generation".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from mnemos.activation.cache.policy import Look, Policy, Shown, registered
from mnemos.activation.cache.settings import whole


@registered
class SnapKV(Policy):
    """Keeps a prompt's last tokens and, before them, what these looked at most; once, when the prompt has been read.

    At prefill the attention of the last `window` queries is added up per token, and averaged over `pool` neighbours, so
    that what stays is stretches and not scattered words. At decoding nothing goes, so that the cache grows by every
    token that is made. A second prompt of a conversation is treated as the first one.

    The paper presumes that there is more room than the window takes. Where there is not, which is our part, the latest
    tokens get half of the room, and the rest are chosen as else.

    Args:
        window: how many of the last queries are observed.
        pool: over how many neighbours the attention is averaged, odd; 1: not at all.

    Raises:
        InvalidInput: one is no such number.
    """

    name = "snapkv"
    marks: Mapping[str, float] = {"seen": 0.0}
    steps = False

    def __init__(self, window: int = 32, pool: int = 5) -> None:
        self.looks = self.window = whole("window", window)
        self.pool = whole("pool", pool, odd=True)

    def look(self, look: Look) -> Mapping[str, Tensor]:
        """Add up the attention of the observed queries."""
        seen = look.weights.sum(2)
        return {"seen": seen if look.first else look.marks["seen"] + seen}

    def due(self, shown: Shown) -> Tensor:
        """After a prompt."""
        return shown.prefill

    def scores(self, shown: Shown) -> Tensor:
        """The latest first, then by attention."""
        room = shown.room
        latest = shown.latest(torch.where(room > self.window, self.window, (room + 1) // 2))
        seen = shown.mark("seen").masked_fill(latest, 0)
        pooled = avg_pool1d(seen, self.pool, stride=1, padding=self.pool // 2)
        return pooled.masked_fill(latest, torch.inf)
