"""Products of tokens with the queries, or the weights, of their own head, where heads may hold different numbers.

All is flat: the tokens of one list (a head of a row) follow those of the list before. No token is copied.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def with_queries(tokens: Tensor, queries: Tensor, sizes: Sequence[int]) -> Tensor:
    """Each token times the queries of its list, [tokens, queries].

    Args:
        tokens: [tokens, dimensions].
        queries: [lists, queries, dimensions].
        sizes: tokens of each list.
    """
    if len(set(sizes)) == 1:
        return (tokens.view(len(sizes), sizes[0], tokens.shape[1]) @ queries.mT).flatten(0, 1)
    return torch.cat([own @ query for own, query in zip(torch.split(tokens, [*sizes]), queries.mT, strict=True)])


def weighted(tokens: Tensor, weights: Tensor, sizes: Sequence[int]) -> Tensor:
    """The sum of the tokens of each list by their weights, [lists, queries, dimensions].

    Args:
        tokens: [tokens, dimensions].
        weights: [tokens, queries].
        sizes: tokens of each list.
    """
    if len(set(sizes)) == 1:
        shape = len(sizes), sizes[0]
        return weights.view(*shape, weights.shape[1]).mT @ tokens.view(*shape, tokens.shape[1])
    parts = zip(torch.split(tokens, [*sizes]), torch.split(weights, [*sizes]), strict=True)
    return torch.stack([weight.mT @ own for own, weight in parts])


def chosen(rows: Tensor, index: Tensor) -> Tensor:
    """Some rows, [chosen, ...]; of a single column much faster as a list of numbers."""
    if rows.dim() == 2 and rows.shape[1] == 1:
        return rows[:, 0].index_select(0, index)[:, None]
    return rows.index_select(0, index)
