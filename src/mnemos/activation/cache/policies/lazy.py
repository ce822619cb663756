"""Tokens that are looked at again and again, with pauses, outlast their pauses.

Zhang, Zhang, Ma, Zhang, Guo 2025, "LazyEviction: Lagged KV Eviction with Attention Pattern Observation for Efficient
Long Reasoning".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Look, Policy, Shown, registered
from mnemos.activation.cache.settings import whole, within


@registered
class LazyEviction(Policy):
    """Notes when each token was last looked at and its longest pause; tokens that pause longer than ever go.

    At decoding something goes every `window` steps only, so that a head holds up to `window - 1` tokens more than its
    room in between. A token that has been idle for a while is worth `2s(-idle / pause) * 2s(-1 / pause)`, with the
    logistic function s and its longest pause; the last `window` tokens stay. At prefill the last `window` queries are
    observed, and what is too much goes at once.

    Ours are the threshold, that both factors are multiplied, that a token which was never looked at again counts as one
    whose longest pause was 1, the work at prefill, and that the latest get half of a room that the window would fill.

    Args:
        window: tokens between two evictions.
        threshold: above which a weight, the mean of the query heads that share a head, is a look, 0 to 1.

    Raises:
        InvalidInput: one is no such number.
    """

    name = "lazy"
    marks: Mapping[str, float] = {"last": -1.0, "pause": 1.0}

    def __init__(self, window: int = 32, threshold: float = 1e-3) -> None:
        self.looks = self.window = whole("window", window)
        self.threshold = within("threshold", threshold, 0, 1)

    def look(self, look: Look) -> Mapping[str, Tensor]:
        """Note the looks of some queries, and the pauses between them; a token's first look is its coming."""
        at = look.at[:, None, :, None].float()
        looked = torch.where(look.weights > self.threshold, at, -1.0)
        first = torch.where(look.marks["last"] < 0, look.positions.float(), look.marks["last"])[:, :, None]
        last = torch.cat([first, looked], 2).cummax(2).values
        pauses = torch.where(looked >= 0, at - last[:, :, :-1], 0.0)
        return {"last": last[:, :, -1], "pause": torch.maximum(look.marks["pause"], pauses.amax(2))}

    def due(self, shown: Shown) -> Tensor:
        """After a prompt, and every so many steps."""
        return shown.prefill | (shown.seen % self.window == 0)

    def scores(self, shown: Shown) -> Tensor:
        """The latest first, then by what their pauses foretell."""
        latest = torch.where(shown.room > self.window, self.window, (shown.room + 1) // 2)
        idle = shown.seen.to(shown.positions.device)[:, None, None] - 1 - shown.mark("last")
        pause = shown.mark("pause").clamp_min(1)
        worth = 4 * torch.sigmoid(-idle / pause) * torch.sigmoid(-1 / pause)
        return worth.masked_fill(shown.latest(latest), torch.inf)
