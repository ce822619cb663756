"""The LSTM: a vector that gates write, keep and show; the oldest baseline of a memory of constant size.

"Long Short-Term Memory" (Hochreiter and Schmidhuber, 1997), with the forget gate of "Learning to Forget" (Gers et al.,
1999).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mnemos.errors import InvalidInput
from mnemos.neural.memory import MemoryLayer


class Cell(NamedTuple):
    """What an LSTM remembers."""

    hidden: Tensor
    """[batch, width], each entry between −1 and 1: what was shown last."""
    cell: Tensor
    """[batch, width]: what is kept."""


class LSTM(MemoryLayer):
    """One layer of LSTM, projected back to the width of the tokens.

    Args:
        dim: width of the tokens.
        width: of the memory; None: `dim`. The state is twice as large.

    Raises:
        InvalidInput: a width that is not positive.
    """

    def __init__(self, dim: int, *, width: int | None = None) -> None:
        super().__init__()
        width = dim if width is None else width
        if min(dim, width) < 1:
            raise InvalidInput("dim" if dim < 1 else "width", "a layer of no width holds nothing", "give 1 or more")
        self.dim, self.width = dim, width
        self.cells = nn.LSTM(dim, width, batch_first=True)
        self.output = nn.Linear(width, dim, bias=False)

    def start(self, batch: int) -> Cell:
        """Zeros."""
        nothing = self.output.weight.new_zeros(batch, self.width)
        return Cell(nothing, nothing)

    def step(self, x: Tensor, state: Cell, *, write: Tensor | None = None) -> tuple[Tensor, Cell]:
        """Read one token, x [batch, dim]."""
        wx, wh, bx, bh = (
            getattr(self.cells, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        put, keep, new, show = (linear(x, wx, bx) + linear(state.hidden, wh, bh)).chunk(4, dim=-1)
        cell = keep.sigmoid() * state.cell + put.sigmoid() * new.tanh()
        now = Cell(show.sigmoid() * cell.tanh(), cell)
        if write is not None:
            now = Cell(*(torch.where(write[:, None] > 0, a, b) for a, b in zip(now, state, strict=True)))
        return self.output(now.hidden), now

    def forward(self, x: Tensor, state: Cell | None = None, *, write: Tensor | None = None) -> tuple[Tensor, Cell]:
        """Read many tokens, x [batch, tokens, dim], one after another all the same.

        An LSTM has no parallel form, only a faster loop, and that one only where every token is written.
        """
        if write is not None or not x.shape[1]:
            return self.unrolled(x, state, write=write)
        state = self.start(x.shape[0]) if state is None else state
        hidden, last = self.cells(x, (state.hidden.unsqueeze(0), state.cell.unsqueeze(0)))
        return self.output(hidden), Cell(last[0].squeeze(0), last[1].squeeze(0))
