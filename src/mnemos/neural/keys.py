"""Product keys: the best few of n² values, found by looking at 2n half-keys.

After G. Lample and others, "Large Memory Layers with Product Keys" (2019), and with the gate of V.-P. Berges and
others, "Memory Layers at Scale" (2024), called Memory+. Queries are normalised one by one, by layer norm, where the
first paper uses batch norm, so that a token's answer does not depend on its batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mnemos.errors import InvalidInput


class ProductKeys(nn.Module):
    """An index of side² keys, each the pair of a first and a second half-key.

    Args:
        dim: width of a query; even.
        side: half-keys of each kind.
        top: how many keys are found for a query; at most `side`.
        heads: independent sets of half-keys, each asked by queries of its own.

    Raises:
        InvalidInput: `dim` is odd, or `top` is not between 1 and `side`.
    """

    def __init__(self, dim: int, side: int, top: int, heads: int = 1) -> None:
        super().__init__()
        if dim < 2 or dim % 2:
            raise InvalidInput("dim", f"is {dim}", "a query is cut in two halves, so give an even width")
        if not 1 <= top <= side:
            raise InvalidInput("top", f"is {top}", f"between 1 and the {side} half-keys of a kind")
        self.side, self.top = side, top
        self.halves = nn.Parameter(torch.randn(heads, 2, side, dim // 2) * (dim // 2) ** -0.5)

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """The best keys of all side², exactly: a pair among them has both halves among the best halves.

        Args:
            queries: [..., heads, dim].

        Returns:
            Scores, falling, and places in 0..side²-1, both [..., heads, top].
        """
        scores = torch.einsum("...hpd,hpnd->...hpn", queries.reshape(*queries.shape[:-1], 2, -1), self.halves)
        best, at = scores.topk(self.top, -1)
        sums = best[..., 0, :, None] + best[..., 1, None, :]
        found, pair = sums.flatten(-2).topk(self.top, -1)
        first, second = at[..., 0, :].gather(-1, pair // self.top), at[..., 1, :].gather(-1, pair % self.top)
        return found, first * self.side + second


class KeyedLookup(nn.Module):
    """Tokens to weights and places: the half that all memories over product keys share.

    Args:
        dim: width of a token.
        side, top, heads: as of `ProductKeys`.
        key_dim: width of a query.
    """

    def __init__(self, dim: int, side: int, top: int, heads: int, key_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_query = nn.Linear(dim, heads * key_dim, bias=False)
        self.norm = nn.LayerNorm(key_dim)
        self.keys = ProductKeys(key_dim, side, top, heads)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """For x [..., dim], weights that sum to 1 in each head, and places, both [..., heads, top]."""
        scores, places = self.keys(self.norm(self.to_query(x).unflatten(-1, (self.heads, -1))))
        return scores.softmax(-1), places


class ProductKeyMemory(nn.Module):
    """A large table of values, of which each token reads a few: much to know at little computation.

    Args:
        dim: width of tokens and answers.
        side: the table has side² values.
        top: values read by each head.
        heads: queries of a token.
        key_dim: width of a query; even.
        is_gated: Memory+: the answer is gated by the token and projected.
        values: the table of another such memory, to be shared between layers; None: an own one.

    Raises:
        InvalidInput: as of `ProductKeys`, or a shared table is of another shape.
    """

    def __init__(
        self,
        dim: int,
        *,
        side: int = 64,
        top: int = 8,
        heads: int = 4,
        key_dim: int = 64,
        is_gated: bool = True,
        values: nn.Embedding | None = None,
    ) -> None:
        super().__init__()
        self.lookup = KeyedLookup(dim, side, top, heads, key_dim)
        self.values = table(side**2, dim) if values is None else values
        if self.values.weight.shape != (side**2, dim):
            raise InvalidInput("values", f"are {tuple(self.values.weight.shape)}", f"share a table {(side**2, dim)}")
        self.gate = nn.Linear(dim, dim, bias=False) if is_gated else None
        self.to_answer = nn.Linear(dim, dim, bias=False) if is_gated else None

    def forward(self, x: Tensor) -> Tensor:
        """What is known to each token of x [..., dim], in the same shape."""
        weights, places = (one.flatten(-2).flatten(0, -2) for one in self.lookup(x))
        read = F.embedding_bag(places, self.values.weight, per_sample_weights=weights, mode="sum").view_as(x)
        if self.gate is None or self.to_answer is None:
            return read
        answer: Tensor = self.to_answer(read * F.silu(self.gate(x)))
        return answer


def table(rows: int, dim: int) -> nn.Embedding:
    """A table of values whose rows have length about 1."""
    made = nn.Embedding(rows, dim)
    nn.init.normal_(made.weight, std=dim**-0.5)
    return made


def usage(weights: Tensor, places: Tensor, rows: int) -> tuple[float, float]:
    """How evenly a table is read: (share of rows that are read at all, divergence of the reading from an even one).

    Args:
        weights: [..., heads, top], of any number of tokens.
        places: the same shape.
        rows: of the table.

    Returns:
        0..1, and 0..ln(rows) nats, where 0 is even.
    """
    read = torch.zeros(rows, dtype=torch.float64, device=weights.device)
    read.index_add_(0, places.flatten(), weights.detach().flatten().to(read.dtype))
    share = read / read.sum()
    return float((read > 0).double().mean()), float(torch.special.xlogy(share, share * rows).sum())
