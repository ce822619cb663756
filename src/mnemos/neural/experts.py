"""A feed-forward layer of very many one-neuron experts, of which each token finds its few by product keys.

After X. O. He, "Mixture of A Million Experts" (2024), called PEER. Norm of queries: see `keys`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mnemos.neural.keys import KeyedLookup, table


class PEER(nn.Module):
    """Σ over heads and their best experts j of softmax(score)_j · GELU(⟨u_j, x⟩) · w_j.

    Args:
        dim: width of tokens and answers.
        side: there are side² experts.
        top: experts of each head.
        heads: queries of a token; the experts are common to all heads.
        key_dim: width of a query; even.

    Raises:
        InvalidInput: as of `ProductKeys`.
    """

    def __init__(self, dim: int, *, side: int = 64, top: int = 8, heads: int = 4, key_dim: int = 64) -> None:
        super().__init__()
        self.lookup = KeyedLookup(dim, side, top, heads, key_dim)
        self.inward, self.outward = table(side**2, dim), table(side**2, dim)

    def forward(self, x: Tensor) -> Tensor:
        """What the experts of each token of x [..., dim] say together, in the same shape."""
        weights, places = (one.flatten(-2) for one in self.lookup(x))
        firing = F.gelu(torch.einsum("...d,...kd->...k", x, self.inward(places)))
        return torch.einsum("...k,...kd->...d", weights * firing, self.outward(places))
