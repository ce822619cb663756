"""The tokens that a window looks back to, and how much each of them counts at each token of a chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mnemos.neural.tokens import Tokens


class Past(NamedTuple):
    """Pairs to learn, the latest last; those that are not there yet count for nothing."""

    k: Tensor
    """[batch, heads, length, keys]."""
    v: Tensor
    """[batch, heads, length, values]."""
    weight: Tensor
    """[batch, heads, length]."""
    threshold: Tensor | None
    """[batch, heads, length]."""

    @classmethod
    def empty(cls, like: Tensor, batch: int, heads: int, length: int, keys: int, values: int, threshold: bool) -> Past:
        """Of a length, but of nothing; device and number type as `like`."""
        none = like.new_zeros(batch, heads, length)
        k, v = (none.unsqueeze(-1).expand(-1, -1, -1, width) for width in (keys, values))
        return cls(k, v, none, none + 1 if threshold else None)

    @classmethod
    def of(cls, tokens: Tokens) -> Past:
        """The pairs of some tokens; those that are not written count for nothing."""
        weight = torch.ones_like(tokens.rate) if tokens.weight is None else tokens.weight
        weight = weight if tokens.write is None else weight * tokens.write
        return cls(tokens.k, tokens.v, weight, tokens.threshold)

    def then(self, tokens: Tokens) -> Past:
        """These, and after them those of some tokens."""
        return _each(lambda old, new: torch.cat([old, new], 2), self, Past.of(tokens))

    def moved(self, tokens: Tokens, every: Past) -> Past:
        """As many as these, the last of those that were written; `every` is `self.then(tokens)`."""
        length = self.k.shape[2]
        if tokens.write is None:
            return _each(lambda one, _: one[:, :, -length:], every, every)
        last = _written(tokens.write, length).topk(length, -1).indices.sort(-1).values
        return _each(lambda one, _: _picked(one, last), every, every)

    def band(self, tokens: Tokens, every: Past) -> Tensor:
        """How much each of `every`, `self.then(tokens)`, counts in the window of each token.

        Returns:
            [batch, heads, tokens, those].
        """
        length = self.k.shape[2]
        if tokens.write is None:
            order = torch.arange(every.k.shape[2], device=every.k.device).expand(1, 1, -1)
        else:
            order = torch.cat([tokens.write.new_ones(*tokens.write.shape[:2], length), tokens.write], -1).cumsum(-1)
        age = order[..., length:].unsqueeze(-1) - order.unsqueeze(-2)
        return every.weight.unsqueeze(-2) * ((age >= 0) & (age <= length))


def _written(write: Tensor, length: int) -> Tensor:
    """The place of each pair of the past and of tokens, and less than any for what is not written."""
    place = torch.arange(length + write.shape[-1], device=write.device)
    kept = torch.cat([write.new_ones(*write.shape[:-1], length), write], -1)
    return place.where(kept > 0, place - 2 * len(place))


def _picked(one: Tensor, at: Tensor) -> Tensor:
    """[batch, heads, all, ...] at places [batch, 1, some]."""
    at = at.expand(one.shape[0], one.shape[1], -1)
    return one.gather(2, at if one.dim() == 3 else at.unsqueeze(-1).expand(-1, -1, -1, one.shape[-1]))


def _each(join: Callable[[Tensor, Tensor], Tensor], left: Past, right: Past) -> Past:
    limit = None
    if left.threshold is not None and right.threshold is not None:
        limit = join(left.threshold, right.threshold)
    return Past(join(left.k, right.k), join(left.v, right.v), join(left.weight, right.weight), limit)
