"""Of a subtask that is done, only what came of it is needed.

Luo, Morgan, Li, Zhao, Ngo, Schroeder, Yang, Ben-Kish, O'Brien, Glass 2025, "Beyond Context Limits: Subconscious Threads
for Long-Horizon Reasoning" (TIM and TIMRUN).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Policy, Shown, registered
from mnemos.activation.cache.settings import whole
from mnemos.activation.cache.turning import side_by_side
from mnemos.errors import InvalidInput

LEAST = torch.iinfo(torch.int64).min


@registered
class SubtaskPruning(Policy):
    """Lets go of lists of subtasks that are done, their opening and closing tokens too; they may be nested.

    The model writes a task as its thought, its list of subtasks, each a task again, and its conclusion. At prefill and
    at decoding, a list goes by rule when it is closed and `pending` others were closed after it, whatever the budget,
    and so thought and conclusion of its task stay. Where the budget has too little room all the same, which is our
    part, the latest tokens stay. A list that was closed but never opened is none.

    The paper reads its lists from JSON; here single tokens open and close them. It also makes the keys behind a gap
    again, for the places that have become free; here, where `close` is said, keys are turned to them, which is the same
    but for what they still know of the gap. A layer with a window counts the closed lists that it holds.

    Args:
        opens: ids of tokens that open a list.
        closes: ids of tokens that close the innermost open list.
        pending: how many of the lists closed last stay, 0 or more.
        close: whether what is left moves together.

    Raises:
        InvalidInput: an id is none, or both opens and closes; or pending is no such number.
    """

    name = "tim"
    marks: Mapping[str, float] = {"token": -1.0}
    tokens = True
    prunes = True

    def __init__(
        self, opens: Collection[int] = (), closes: Collection[int] = (), pending: int = 1, *, close: bool = False
    ) -> None:
        both = [*opens, *closes]
        if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for one in both):
            raise InvalidInput("opens", "are not ids of tokens", "give whole numbers, 0 or more")
        if set(opens) & set(closes):
            raise InvalidInput("closes", "has tokens that open a list too", "give other tokens for each")
        self.opens, self.closes = tuple(opens), tuple(closes)
        self.pending, self.moves = whole("pending", pending, 0), close

    def scores(self, shown: Shown) -> Tensor:
        """The later the better; what is in a list that goes, goes."""
        token = shown.mark("token").long()
        there = shown.positions >= 0
        opens, closes = (torch.isin(token, token.new_tensor(ids)) & there for ids in (self.opens, self.closes))
        depth = (opens.long() - closes.long()).cumsum(-1)
        least = depth.cummin(-1).values.clamp_max(0)
        before = torch.cat([torch.zeros_like(least[..., :1]), least[..., :-1]], -1)
        if shown.window is None:
            closes = closes & (depth >= before)
            depth = (opens.long() - closes.long()).cumsum(-1)
        past = closes.flip(-1).cumsum(-1).flip(-1) > self.pending
        gone = past & (_lowest_from(depth.masked_fill(~past, -LEAST - 1)) < depth + closes.long())
        return shown.positions.float().masked_fill(gone, -torch.inf)

    def places(self, positions: Tensor, at: Tensor) -> Tensor | None:
        """Side by side, if they move."""
        return side_by_side(positions, at) if self.moves else None


def _lowest_from(depth: Tensor) -> Tensor:
    """The lowest depth from each token on."""
    return depth.flip(-1).cummin(-1).values.flip(-1)
