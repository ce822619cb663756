"""Where tokens lie in a storage that has a little room, so that one can come and another go without a copy of the rest.

A token that comes is written where there is room, and what goes leaves room. The order of tokens is told by where each
lies, which are small numbers. No more than one slot in sixteen is room, and one; else what is held is copied together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

ROOM = 32
"""One slot for so many tokens is made as room for those to come, and one."""


@dataclass(frozen=True)
class Layout:
    """Where the tokens of some lists (heads of rows) lie, and which slots are free. It is never changed."""

    counts: Tensor
    """Tokens of each list, [lists], on the CPU."""
    sizes: Tensor
    """Slots of each list, which follow those of the list before, [lists], on the CPU."""
    order: Tensor
    """For every list where its tokens lie, in their order, and then its free slots, [slots], int32."""

    @classmethod
    def roomy(cls, counts: Tensor, device: torch.device) -> Layout:
        """Tokens in their order, and room after those of each list."""
        sizes = counts + counts // ROOM + 1
        return cls(counts, sizes, torch.arange(int(sizes.sum()), dtype=torch.int32, device=device))

    @cached_property
    def square(self) -> tuple[int, int] | None:
        """Tokens and slots of each list, if all have equally many."""
        (first, *others), (size, *sizes) = self.counts.tolist(), self.sizes.tolist()
        return (first, size) if others.count(first) == len(others) and sizes.count(size) == len(sizes) else None

    @cached_property
    def places(self) -> Tensor:
        """Where each token lies, [tokens], int64."""
        if self.square:
            count, size = self.square
            return self.order.view(-1, size)[:, :count].flatten().long()
        return self.order.index_select(0, self._ranked).long()

    @cached_property
    def last(self) -> Tensor:
        """Where the last token of each list lies, [lists], int64."""
        if self.square:
            count, size = self.square
            return self.order.view(-1, size)[:, count - 1].long()
        return self.order[(self._starts + self.counts - 1).to(self.order.device)].long()

    @cached_property
    def slots(self) -> list[int]:
        """Slots of each list."""
        found: list[int] = self.sizes.tolist()
        return found

    def with_one_more(self) -> Layout | None:
        """With one more token in every list; None: some list has no room."""
        if not self.square and bool((self.counts == self.sizes).any()):
            return None
        if self.square and self.square[0] == self.square[1]:
            return None
        found = Layout(self.counts + 1, self.sizes, self.order)
        if self.square:
            found.__dict__["square"] = self.square[0] + 1, self.square[1]
        return found

    def without(self, tokens: Tensor, left: Tensor) -> Layout:
        """Where `square`: with one token less in every list.

        Args:
            tokens: which of each list goes, [lists, 1].
            left: which stay, [lists, tokens].
        """
        assert self.square is not None
        count, size = self.square
        order = self.order.view(-1, size)
        order = torch.cat([order.gather(1, left), order.gather(1, tokens), order[:, count:]], 1)
        found = Layout(self.counts - 1, self.sizes, order.flatten())
        found.__dict__["square"] = count - 1, size
        return found

    def taken(self, index: Tensor, counts: Tensor) -> Layout | None:
        """With some tokens only; None: there is too much room then, so that they are to be copied together.

        Args:
            index: which, list after list, in their order, [tokens].
            counts: how many of each list, [lists], on the CPU.
        """
        if int((self.sizes - counts).sum()) > 2 * int((counts // ROOM + 1).sum()):
            return None
        device = self.order.device
        stays = torch.zeros(len(self.order), dtype=torch.bool, device=device)
        stays[self._ranked[index]] = True
        starts = self._starts.to(device).repeat_interleave(self.sizes.to(device))
        first, slots = stays.long().cumsum(0), torch.arange(len(stays), device=device)
        before = (first - stays.long())[self._starts.to(device)].repeat_interleave(self.sizes.to(device))
        behind = counts.to(device).repeat_interleave(self.sizes.to(device)) + slots - (first - before)
        target = torch.where(stays, starts + first - before - 1, behind)
        return Layout(counts, self.sizes, torch.empty_like(self.order).scatter_(0, target, self.order))

    def spacious(self, tokens: Tensor) -> Tensor:
        """A new storage with all slots, in which tokens lie first in each list and the rest is 0.

        Args:
            tokens: list after list, one less of each than there are here, [tokens, ...].
        """
        with torch.inference_mode(False):
            # what is made in inference mode could not be written to outside of it
            whole = torch.zeros(len(self.order), *tokens.shape[1:], dtype=tokens.dtype, device=tokens.device)
        if self.square:
            (count, size), rest = self.square, tokens.shape[1:]
            whole.view(-1, size, *rest)[:, : count - 1] = tokens.view(len(self.counts), count - 1, *rest)
            return whole
        parts = torch.split(whole, self.slots), torch.split(tokens, (self.counts - 1).tolist())
        for part, mine in zip(*parts, strict=True):
            part[: len(mine)] = mine
        return whole

    @cached_property
    def _starts(self) -> Tensor:
        return self.sizes.cumsum(0) - self.sizes

    @cached_property
    def _ranked(self) -> Tensor:
        """Where in `order` each token is told, [tokens]."""
        behind = self._starts - (self.counts.cumsum(0) - self.counts)
        return (torch.arange(int(self.counts.sum())) + behind.repeat_interleave(self.counts)).to(self.order.device)
