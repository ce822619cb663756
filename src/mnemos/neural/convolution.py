"""Short causal convolutions: every channel sees its own last few tokens before a memory does."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu


class ShortConvolution(nn.Module):
    """A depthwise causal convolution and SiLU; the state is the tokens that the kernel still reaches."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.empty(width, kernel).uniform_(-1, 1) * kernel**-0.5)

    def start(self, batch: int) -> Tensor:
        """Nothing read: zeros, [batch, kernel − 1, width]."""
        return self.weight.new_zeros(batch, self.kernel - 1, self.weight.shape[0])

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One token [batch, width], and the new state."""
        seen = torch.cat([state, x.unsqueeze(1)], 1)
        return silu((seen * self.weight.t()).sum(1)), seen[:, 1:]

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [batch, tokens, width], and the new state."""
        seen = torch.cat([state, x], 1)
        parts = (seen[:, at : at + x.shape[1]] * self.weight[:, at] for at in range(self.kernel))
        return silu(sum(parts, torch.zeros_like(x))), seen[:, x.shape[1] :]
