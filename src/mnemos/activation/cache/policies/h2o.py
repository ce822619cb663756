"""A few tokens get most of the attention, and go on getting it.

Zhang, Sheng, Zhou, Chen, Zheng, Cai, Song, Tian, Ré, Barrett, Wang, Chen 2023, "H2O: Heavy-Hitter Oracle for Efficient
Generative Inference of Large Language Models".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Look, Policy, Shown, registered
from mnemos.activation.cache.settings import within


@registered
class H2O(Policy):
    """Keeps the heavy hitters, which were given most attention in all since they came, and the latest tokens.

    At prefill the attention of all queries counts, and what is too much goes at once. At decoding each query adds to
    it, and at every step the one that has least goes, as the paper's greedy rule has it; it never comes back.

    Args:
        heavy: which share of the room is for heavy hitters, 0 to 1; the rest, rounded up, is for the latest tokens.

    Raises:
        InvalidInput: it is no such share.
    """

    name = "h2o"
    looks = None
    marks: Mapping[str, float] = {"seen": 0.0}

    def __init__(self, heavy: float = 0.5) -> None:
        self.heavy = within("heavy", heavy, 0, 1)

    def look(self, look: Look) -> Mapping[str, Tensor]:
        """Add up all attention."""
        return {"seen": look.marks["seen"] + look.weights.sum(2)}

    def scores(self, shown: Shown) -> Tensor:
        """The latest first, then by attention."""
        latest = shown.room - (shown.room * self.heavy).long()
        return shown.mark("seen").masked_fill(shown.latest(latest), torch.inf)
