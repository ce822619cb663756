"""A store of keys or values of which the older ones are in few bits and the latest exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from mnemos.activation.cache.held import Joint
from mnemos.activation.cache.products import chosen, weighted, with_queries


class Codes(Protocol):
    """Coded tokens, one after another."""

    def read(self, dtype: torch.dtype) -> Tensor:
        """All of them decoded, [tokens, dimensions]."""
        ...

    def products(self, queries: Tensor, sizes: Sequence[int]) -> Tensor:
        """Each times the queries of its head, as `with_queries` has it."""
        ...

    def weighted(self, weights: Tensor, sizes: Sequence[int]) -> Tensor:
        """The sum of those of each head by their weights, as in products.py."""
        ...

    def taken(self, index: Tensor) -> Self:
        """Some of them, as they were coded."""
        ...

    def and_(self, more: Self, order: Tensor) -> Self:
        """With others, in this order of (these, the others), [tokens]."""
        ...

    def tensors(self) -> Mapping[str, Tensor]:
        """All that they consist of."""
        ...

    def restored(self, tensors: Mapping[str, Tensor]) -> Self:
        """Of what `tensors` told."""
        ...


@dataclass(frozen=True, slots=True)
class Coding:
    """When a store codes what it holds, and how."""

    leaving: Callable[[Tensor], Tensor]
    """How many of the exact tokens of each head are to be coded, the oldest, when it has so many: both [heads]."""
    code: Callable[[Tensor, Tensor], Codes]
    """Codes tokens, [tokens, dimensions], of which it is told the head, [tokens]: those of a head of a row stand
    together, in their order."""


@dataclass(frozen=True, slots=True)
class Coded:
    """Keys or values, some coded and some exact.

    New tokens come exact, and so are they read by the step that brings them; only what is left after that step, when
    what had to go is gone, is coded. So nothing is coded that does not stay.
    """

    coding: Coding
    is_coded: Tensor
    """Which tokens are, [tokens], bool."""
    coded: Codes
    """Those, in order."""
    exact: Tensor
    """The others, [others, dimensions]."""

    @classmethod
    def nothing(cls, coding: Coding, coded: Codes, empty: Tensor) -> Coded:
        """No tokens yet; `empty`, [0, dimensions], and `coded` have none."""
        return cls(coding, torch.empty(0, dtype=torch.bool, device=empty.device), coded, empty)

    def read(self) -> Tensor:
        """All of them, in order."""
        coded = self.coded.read(self.exact.dtype)
        if not len(self.exact) or not len(coded):
            return self.exact if len(self.exact) else coded
        return torch.cat([coded, self.exact]).index_select(0, self._rows())

    def joined(self, new: Tensor, joint: Joint, positions: Tensor) -> Coded:
        """With tokens that came, exact."""
        old = len(self.is_coded)
        source = joint(_numbers(old, new), _numbers(len(new), new) + old)
        coded = torch.cat([self.is_coded, self.is_coded.new_zeros(len(new))])
        row = (~coded).cumsum(0) - 1
        is_coded = coded[source]
        return replace(
            self, is_coded=is_coded, exact=torch.cat([self.exact, new]).index_select(0, row[source[~is_coded]])
        )

    def taken(self, index: Tensor, positions: Tensor) -> Coded:
        """Some of them: coded ones as they were coded, exact ones exact."""
        is_coded = self.is_coded[index]
        first, second = self.is_coded.cumsum(0) - 1, (~self.is_coded).cumsum(0) - 1
        coded = self.coded.taken(first[index[is_coded]])
        exact = self.exact.index_select(0, second[index[~is_coded]])
        return replace(self, is_coded=is_coded, coded=coded, exact=exact)

    def settled(self, counts: Tensor) -> Coded:
        """With what is old enough coded."""
        lists = torch.arange(counts.numel()).repeat_interleave(counts.flatten()).to(self.is_coded.device)
        exact = ~self.is_coded
        waiting = torch.bincount(lists[exact], minlength=counts.numel())
        leaving = self.coding.leaving(waiting)
        if not bool(leaving.any()):
            return self
        rank = _numbers(len(self.exact), exact) - (waiting.cumsum(0) - waiting)[lists[exact]]
        goes = rank < leaving[lists[exact]]
        old, new = self.is_coded.nonzero()[:, 0], exact.nonzero()[:, 0][goes]
        fresh = self.coding.code(self.exact[goes], lists[new] % counts.shape[1])
        is_coded = self.is_coded.clone()
        is_coded[new] = True
        both = torch.cat([old, new])
        order = torch.empty_like(both)
        order[(is_coded.cumsum(0) - 1)[both]] = _numbers(len(both), both)
        coded = self.coded.and_(fresh, order)
        return replace(self, is_coded=is_coded, coded=coded, exact=self.exact[~goes])

    def products(self, queries: Tensor, counts: Tensor) -> Tensor:
        """With queries; nothing is decoded as a whole."""
        coded, exact = self._sizes(counts)
        if not sum(coded):
            return with_queries(self.exact, queries, exact)
        found = torch.cat([self.coded.products(queries, coded), with_queries(self.exact, queries, exact)])
        return chosen(found, self._rows())

    def weighted(self, weights: Tensor, counts: Tensor) -> Tensor:
        """By weights."""
        coded, exact = self._sizes(counts)
        if not sum(coded):
            return weighted(self.exact, weights, exact)
        # of coded ones first, as `_rows` tells where they stand then
        sorted_ = torch.empty_like(weights).index_copy_(0, self._rows(), weights)
        first, second = sorted_[: sum(coded)], sorted_[sum(coded) :]
        return self.coded.weighted(first, coded) + weighted(self.exact, second, exact)

    def _rows(self) -> Tensor:
        """Where each token stands among the coded ones and, after them, the exact ones, [tokens]."""
        first = self.is_coded.cumsum(0)
        return torch.where(self.is_coded, first - 1, _numbers(len(first), first) - first + first[-1])

    def _sizes(self, counts: Tensor) -> tuple[list[int], list[int]]:
        """How many of each head are coded, and how many exact."""
        ends = counts.flatten().cumsum(0)
        sums = torch.cat([self.is_coded.new_zeros(1, dtype=torch.int64), self.is_coded.cumsum(0)]).cpu()
        coded = sums[ends] - sums[ends - counts.flatten()]
        return coded.tolist(), (counts.flatten() - coded).tolist()

    def tensors(self) -> Mapping[str, Tensor]:
        """All that it consists of."""
        return {"is_coded": self.is_coded, "exact": self.exact, **self.coded.tensors()}

    def restored(self, tensors: Mapping[str, Tensor]) -> Coded:
        """Of what `tensors` told."""
        coded = self.coded.restored(tensors)
        return replace(self, is_coded=tensors["is_coded"], coded=coded, exact=tensors["exact"])


def _numbers(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, device=like.device)
