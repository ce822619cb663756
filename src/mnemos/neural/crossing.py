"""Cross-attention: tokens read another sequence, or a memory of slots."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mnemos.neural.attention import check_heads, join_heads, split_heads


class CrossAttention(nn.Module):
    """Tokens read another sequence: queries from the one, keys and values from the other.

    Args:
        dim: width of both.
        heads: how many heads share it; divides `dim`.
    """

    def __init__(self, dim: int, heads: int = 1) -> None:
        super().__init__()
        check_heads(dim, heads)
        self.dim, self.heads = dim, heads
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=False)

    def weights(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each of x [batch, tokens, dim] reads each of context [batch, others, dim], by head.

        Args:
            x: the readers.
            context: what they read.
            mask: True where reading is allowed, broadcast to [batch, heads, tokens, others]; None: everywhere. A
                reader that may read nothing has weights of zero.

        Returns: [batch, heads, tokens, others]; each row sums to one or is zero.
        """
        q, k = split_heads(self.query(x), self.heads), split_heads(self.key(context), self.heads)
        scores: Tensor = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if mask is None:
            return scores.softmax(dim=-1)
        found = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
        return found * mask

    def read(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What x reads in context, [batch, tokens, dim], and with which weights; see `weights`."""
        weights = self.weights(x, context, mask)
        said: Tensor = self.output(join_heads(weights @ split_heads(self.value(context), self.heads)))
        return said, weights

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """What x [batch, tokens, dim] reads in context [batch, others, dim]: [batch, tokens, dim]; see `weights`."""
        return self.read(x, context, mask)[0]
