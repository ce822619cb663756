"""How the keys or the values of a layer are kept, flat: those of every row and head one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import torch
from torch import Tensor

from mnemos.activation.cache.laid import Layout
from mnemos.activation.cache.products import chosen, weighted, with_queries


@dataclass(frozen=True, slots=True)
class Joint:
    """How tokens that come are put behind those that each head has.

    Either everything is even (`index` is None) and `before` tokens stand in each of `lists` heads, or `index` says from
    where in (what was there, what comes) each token of the new whole is taken.
    """

    lists: int
    before: int
    index: Tensor | None
    layout: Layout | None = None
    """Where tokens lie then, if one comes to each head; None: one after another."""

    def __call__(self, old: Tensor, new: Tensor) -> Tensor:
        """One flat tensor of two; a new storage always."""
        if self.index is not None:
            return torch.cat([old, new])[self.index]
        shape = (self.lists, -1, *old.shape[1:])
        halves = [old.view(self.lists, self.before, *old.shape[1:]), new.view(shape)]
        return torch.cat(halves, 1).flatten(0, 1)


class Stored(Protocol):
    """How the keys or the values of a layer are kept: exactly, or smaller. All tensors are [tokens, dimensions]."""

    def read(self) -> Tensor:
        """All of them, in the type that the model computes in."""
        ...

    def joined(self, new: Tensor, joint: Joint, positions: Tensor) -> Self:
        """With tokens that came; `positions` are those of the whole, [tokens]."""
        ...

    def taken(self, index: Tensor, positions: Tensor) -> Self:
        """Some of them, in a storage of their own; `positions` are those of what is taken."""
        ...

    def settled(self, counts: Tensor) -> Self:
        """After a reading, when all have been looked at and some have gone: what can be made smaller is.

        Args:
            counts: tokens of each head, [rows, heads], on the CPU.
        """
        ...

    def products(self, queries: Tensor, counts: Tensor) -> Tensor:
        """Every token times the queries of its head, [tokens, queries], float32; for a model that computes in it.

        Args:
            queries: [heads of all rows, queries, dimensions].
            counts: tokens of each head, [rows, heads], on the CPU.
        """
        ...

    def weighted(self, weights: Tensor, counts: Tensor) -> Tensor:
        """The sum of the tokens of each head by their weights, [heads of all rows, queries, dimensions], float32.

        Args:
            weights: [tokens, queries].
            counts: tokens of each head, [rows, heads], on the CPU.
        """
        ...

    def tensors(self) -> Mapping[str, Tensor]:
        """All that it consists of, by name: what it is saved as, and what its bytes are."""
        ...

    def restored(self, tensors: Mapping[str, Tensor]) -> Self:
        """The same kind, of what `tensors` told.

        Raises:
            KeyError, ValueError: they are those of another kind.
        """
        ...


@dataclass(frozen=True, slots=True)
class Exact:
    """Keys or values as the model made them."""

    tensor: Tensor
    layout: Layout | None = None
    """Where in it tokens lie; None: one after another, and there is no room."""

    def read(self) -> Tensor:
        """All of them."""
        return self.tensor if self.layout is None else self.tensor.index_select(0, self.layout.places)

    def joined(self, new: Tensor, joint: Joint, positions: Tensor) -> Exact:
        """With tokens that came; where there is room, nothing else is touched."""
        layout = joint.layout
        if layout is None:
            return Exact(joint(self.read(), new))
        has_room = self.layout is not None and self.layout.order is layout.order
        tensor = self.tensor if has_room else layout.spacious(self.read())
        return Exact(tensor.index_copy_(0, layout.last, new), layout)

    def taken(self, index: Tensor, positions: Tensor) -> Exact:
        """Some of them."""
        return Exact(self.tensor.index_select(0, index if self.layout is None else self.layout.places[index]))

    def changed(self, index: Tensor, tokens: Tensor) -> Exact:
        """With some of them changed, in the same storage."""
        self.tensor.index_copy_(0, index if self.layout is None else self.layout.places[index], tokens)
        return self

    def settled(self, counts: Tensor) -> Exact:
        """As it is."""
        return self

    def products(self, queries: Tensor, counts: Tensor) -> Tensor:
        """With queries."""
        if self.layout is None:
            return with_queries(self.tensor, queries, counts.flatten().tolist())
        return chosen(with_queries(self.tensor, queries, self.layout.slots), self.layout.places)

    def weighted(self, weights: Tensor, counts: Tensor) -> Tensor:
        """By weights; free slots have none."""
        if self.layout is None:
            return weighted(self.tensor, weights, counts.flatten().tolist())
        wide = weights.new_zeros(len(self.tensor), weights.shape[1])
        return weighted(self.tensor, wide.index_copy_(0, self.layout.places, weights), self.layout.slots)

    def tensors(self) -> Mapping[str, Tensor]:
        """The one tensor, and where in it tokens lie."""
        return {"exact": self.tensor} if self.layout is None else {"exact": self.tensor, "order": self.layout.order}

    def restored(self, tensors: Mapping[str, Tensor]) -> Exact:
        """The one tensor again."""
        return Exact(tensors["exact"])


Storing = Callable[[Tensor, Literal["keys", "values"], int], Stored]
"""Makes of an empty tensor, [0, dimensions], how the keys or values of a layer (its number) are to be kept."""


def exactly(empty: Tensor, which: Literal["keys", "values"], layer: int) -> Stored:
    """Keep all as the model made it."""
    return Exact(empty)
