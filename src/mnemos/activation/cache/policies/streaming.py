"""The first tokens, on which attention rests, and the latest.

Xiao, Tian, Chen, Han, Lewis 2023, "Efficient Streaming Language Models with Attention Sinks".
"""

from __future__ import annotations

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Policy, Shown, registered
from mnemos.activation.cache.settings import whole
from mnemos.activation.cache.turning import side_by_side


@registered
class StreamingLLM(Policy):
    """Keeps the sinks and the latest tokens, at prefill and at every step of decoding.

    As in the paper, distances are counted in the cache and not in the text: queries see the tokens that are left as if
    they stood side by side. So the sinks move along, and no distance is ever longer than the cache.

    Args:
        sinks: how many of a row's first tokens stay.
        close: whether what is left moves together; False: tokens keep their true distances, which is not the paper's
            way, and works with models of any kind of positions.

    Raises:
        InvalidInput: sinks is negative.
    """

    name = "streaming"

    def __init__(self, sinks: int = 4, *, close: bool = True) -> None:
        self.sinks, self.moves = whole("sinks", sinks, 0), close

    def scores(self, shown: Shown) -> Tensor:
        """Sinks first, then the later the better."""
        return shown.positions.float().masked_fill(shown.positions < self.sinks, torch.inf)

    def places(self, positions: Tensor, at: Tensor) -> Tensor | None:
        """Side by side, counted back from the first query, which stays where it is."""
        return side_by_side(positions, at) if self.moves else None
