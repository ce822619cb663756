"""The protocol of every memory layer: `step` one token, `forward` many, `start` afresh."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

State = Any
"""A tensor, or a (nested) named tuple, tuple, list or dict of tensors and None, the batch first in each.

It is never changed in place: whoever keeps a state has a fork of it.
"""


class MemoryLayer(nn.Module):
    """A causal layer that maps tokens to tokens, and carries what it has read in a state."""

    dim: int
    """Width of the tokens that go in and come out."""

    def start(self, batch: int) -> State:
        """A fresh state for so many sequences, on the device and in the number type of the parameters."""
        raise NotImplementedError

    def step(self, x: Tensor, state: State, *, write: Tensor | None = None) -> tuple[Tensor, State]:
        """Read one token: the recurrence as it is defined, in constant memory.

        Args:
            x: [batch, dim].
            state: of `start`, `step` or `forward`; it is left as it is.
            write: [batch], 1 where the token is written, 0 where the memory keeps what it has (it neither learns nor
                forgets; convolutions still see the token). None: written everywhere.

        Returns:
            What is read after the token is written, [batch, dim], and the state then.
        """
        raise NotImplementedError

    def forward(self, x: Tensor, state: State = None, *, write: Tensor | None = None) -> tuple[Tensor, State]:
        """Read many tokens in parallel. This one is a loop over `step`: layers that can do better override it.

        Args:
            x: [batch, tokens, dim], any number of tokens.
            state: what was read before; None: nothing.
            write: [batch, tokens], as in `step`.

        Returns:
            [batch, tokens, dim], and the state after the last token.
        """
        return self.unrolled(x, state, write=write)

    def unrolled(self, x: Tensor, state: State = None, *, write: Tensor | None = None) -> tuple[Tensor, State]:
        """What `forward` returns, by a plain loop over `step`."""
        state = self.start(x.shape[0]) if state is None else state
        read = []
        for at in range(x.shape[1]):
            y, state = self.step(x[:, at], state, write=None if write is None else write[:, at])
            read.append(y)
        return (torch.stack(read, 1) if read else x.new_zeros(x.shape)), state
