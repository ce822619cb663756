"""What is known to be needed is kept: the other end, for tasks whose answer's place is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Policy, Shown, registered
from mnemos.errors import InvalidInput


@registered
class Oracle(Policy):
    """Keeps the positions that it was told, at prefill and at decoding; what room is left goes to the latest tokens.

    Args:
        positions: of a row's tokens, padding not counted: one list for all rows, or one list for each.

    Raises:
        InvalidInput: a position is negative, or there are lists for other rows than are read.
    """

    name = "oracle"

    def __init__(self, positions: Sequence[int] | Sequence[Sequence[int]] = ()) -> None:
        given: list[Any] = list(positions)
        self._each = bool(given) and not isinstance(given[0], int)
        lists = [list(one) for one in given] if self._each else [given]
        if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for some in lists for one in some):
            raise InvalidInput("positions", "are not positions of tokens", "give whole numbers, 0 or more")
        self._lists: list[list[int]] = lists

    def scores(self, shown: Shown) -> Tensor:
        """1 for what is wanted, 0 for the rest."""
        rows = shown.rows.tolist() if self._each else [0] * len(shown.rows)
        if max(rows, default=0) >= len(self._lists):
            problem = f"has lists for {len(self._lists)} rows, and {max(rows) + 1} are read"
            raise InvalidInput("positions", problem, "give one for each, or one for all")
        wanted = [torch.isin(shown.positions[at], _tensor(self._lists[row], shown)) for at, row in enumerate(rows)]
        return torch.stack(wanted).float()


def _tensor(numbers: list[int], shown: Shown) -> Tensor:
    return torch.tensor(numbers, dtype=shown.positions.dtype, device=shown.positions.device)
