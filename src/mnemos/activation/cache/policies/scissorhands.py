"""What mattered lately will matter: tokens that are hardly looked at for a while go.

Liu, Desai, Liao, Wang, Xie, Xu, Kyrillidis, Shrivastava 2023, "Scissorhands: Exploiting the Persistence of Importance
Hypothesis for LLM KV Cache Compression at Test Time".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.budgets import ranks
from mnemos.activation.cache.policy import Look, Policy, Shown, registered
from mnemos.activation.cache.settings import whole, within

BITS = 24
"""How many yes or no a float32 holds as a whole number."""


@registered
class Scissorhands(Policy):
    """Counts, over the last queries, how often each token got less than the mean attention; those of most counts go.

    At prefill the last `history` queries count, and a head is brought down to its room. At decoding every query counts,
    and once a head has no more room, a part of it goes at once, so that room is made only every so many steps. The
    latest tokens stay. Each token carries its history as bits, one for each query.

    The numbers are ours, and so is that a prompt is cut to the room and not below. The paper also gives more room to
    higher layers; here a spread does such things.

    Args:
        history: how many of the last queries count.
        recent: how many of the latest tokens stay.
        drop: which share of the room is made free at once while decoding, 0 (one token) to 0.9.

    Raises:
        InvalidInput: one is no such number.
    """

    name = "scissorhands"

    def __init__(self, history: int = 96, recent: int = 10, drop: float = 0.1) -> None:
        self.looks = self.history = whole("history", history)
        self.recent, self.drop = whole("recent", recent, 0), within("drop", drop, 0, 0.9)
        self.marks = {f"below{number}": 0.0 for number in range(-(-history // BITS))}

    def look(self, look: Look) -> Mapping[str, Tensor]:
        """Write one bit for each query, over that of the query `history` before it."""
        at, keys = look.at[:, None, :, None], look.positions[:, :, None]
        visible = (keys >= 0) & (keys <= at) & (keys > at - (look.window or torch.inf))
        below = visible & (look.weights * visible.sum(-1, keepdim=True) < 1)
        turn = look.at % self.history
        found = {}
        for number, name in enumerate(self.marks):
            mine = (look.at >= 0) & (turn // BITS == number)
            bits = torch.where(mine, 1 << (turn % BITS), 0)
            written = (below * bits[:, None, :, None]).sum(2)
            found[name] = (look.marks[name].long() & ~bits.sum(1)[:, None, None]) | written
        return found

    def scores(self, shown: Shown) -> Tensor:
        """The latest first, then by how seldom they were below the mean; what goes at once is told to go."""
        marks = [shown.mark(name).long() for name in self.marks]
        below = torch.stack([mark >> bit & 1 for mark in marks for bit in range(BITS)]).sum(0)
        scores = shown.only((-below).float().masked_fill(shown.latest(self.recent), torch.inf))
        left = shown.room - torch.where(shown.prefill[:, None], 0, (shown.room * self.drop).long())
        return scores.masked_fill(ranks(scores) >= left.to(scores.device)[..., None], -torch.inf)
