"""What the heads of one layer hold, flat: the tokens of every row and head one after another, and how many each has.

Heads need not hold equally many tokens, nor rows, and nothing is filled up: what is not held takes no bytes. Where all
hold equally many, the flat tensors are seen as [rows, heads, tokens, dimensions] without a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol, Self

import torch
from torch import Tensor

NOWHERE = -1
"""The position of a slot in which there is no token."""


@dataclass(frozen=True, slots=True)
class Joint:
    """How tokens that come are put behind those that each head has.

    Either everything is even (`index` is None) and `before` tokens stand in each of `lists` heads, or `index` says from
    where in (what was there, what comes) each token of the new whole is taken.
    """

    lists: int
    before: int
    index: Tensor | None

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

    def read(self) -> Tensor:
        """All of them."""
        return self.tensor

    def joined(self, new: Tensor, joint: Joint, positions: Tensor) -> Exact:
        """With tokens that came."""
        return Exact(joint(self.tensor, new))

    def taken(self, index: Tensor, positions: Tensor) -> Exact:
        """Some of them."""
        return Exact(self.tensor.index_select(0, index))

    def settled(self, counts: Tensor) -> Exact:
        """As it is."""
        return self

    def tensors(self) -> Mapping[str, Tensor]:
        """The one tensor."""
        return {"exact": self.tensor}

    def restored(self, tensors: Mapping[str, Tensor]) -> Exact:
        """The one tensor again."""
        return Exact(tensors["exact"])


Storing = Callable[[Tensor, Literal["keys", "values"], int], Stored]
"""Makes of an empty tensor, [0, dimensions], how the keys or values of a layer (its number) are to be kept."""


def exactly(empty: Tensor, which: Literal["keys", "values"], layer: int) -> Stored:
    """Keep all as the model made it."""
    return Exact(empty)


@dataclass(frozen=True)
class Held:
    """The tokens that each head of each row of a layer holds. It is never changed; every step makes another one."""

    counts: Tensor
    """Tokens of each head, [rows, heads], int64, on the CPU whatever the device of the rest."""
    keys: Stored
    """Turned to the places at which they were read."""
    values: Stored
    positions: Tensor
    """Which token of its row each is, padding not counted, [tokens], int32, ascending in each head."""
    marks: Mapping[str, Tensor]
    """Numbers that a policy has each token carry, each [tokens], float32."""

    @classmethod
    def nothing(cls, rows: int, heads: int, keys: Stored, values: Stored, marks: Mapping[str, float]) -> Held:
        """No tokens yet.

        Args:
            rows: of the batch.
            heads: that have keys and values.
            keys: none, in the way in which they are to be kept.
            values: the same of values.
            marks: names of numbers that tokens are to carry.
        """
        device = keys.read().device
        counts = torch.zeros(rows, heads, dtype=torch.int64)
        nowhere = torch.empty(0, dtype=torch.int32, device=device)
        return cls(counts, keys, values, nowhere, {name: torch.empty(0, device=device) for name in marks})

    @cached_property
    def widest(self) -> int:
        """Tokens of the head that holds most."""
        return int(self.counts.max()) if self.counts.numel() else 0

    @cached_property
    def is_even(self) -> bool:
        """Whether all heads hold equally many."""
        return bool((self.counts == self.widest).all())

    @cached_property
    def slots(self) -> Tensor:
        """Where each head's tokens lie in what is flat, [rows, heads, widest]; -1 where there is none."""
        counts = self.counts.flatten()
        starts = counts.cumsum(0) - counts
        steps = torch.arange(self.widest)
        slots = torch.where(steps < counts[:, None], starts[:, None] + steps, NOWHERE)
        return slots.view(*self.counts.shape, self.widest).to(self.positions.device)

    def shaped(self, flat: Tensor, empty: float = 0) -> Tensor:
        """Something flat, [tokens, ...], as [rows, heads, widest, ...], with `empty` where there is no token."""
        if self.is_even:
            return flat.view(*self.counts.shape, self.widest, *flat.shape[1:])
        if not len(flat):
            return flat.new_full((*self.counts.shape, self.widest, *flat.shape[1:]), empty)
        shaped = flat[self.slots.clamp_min(0)]
        missing = self.slots == NOWHERE
        return shaped.masked_fill_(missing.view(*missing.shape, *[1] * (flat.dim() - 1)), empty)

    def flat(self, shaped: Tensor) -> Tensor:
        """The inverse of `shaped`."""
        return shaped.flatten(0, 2) if self.is_even else shaped[self.slots != NOWHERE]

    def added(
        self, keys: Tensor, values: Tensor, positions: Tensor, initial: Mapping[str, float], *, full: bool = False
    ) -> Held:
        """With tokens that came behind those that are there.

        Args:
            keys: [rows, heads, new, dimensions].
            values: the same of values.
            positions: [rows, new]; -1: padding, which is not held at all.
            initial: the number that each new token carries at first, by name.
            full: it is known that none of them is padding.
        """
        rows, heads, new, _ = keys.shape
        spread = positions[:, None].expand(rows, heads, new).flatten().to(self.positions)
        full = self.is_even and (full or bool((positions != NOWHERE).all()))
        joint = Joint(rows * heads, self.widest, None if full else self._behind(positions, heads))
        counts = self.counts + (new if full else (positions != NOWHERE).sum(1, keepdim=True).cpu())
        whole = joint(self.positions, spread)
        held = Held(
            counts,
            self.keys.joined(keys.reshape(-1, keys.shape[-1]), joint, whole),
            self.values.joined(values.reshape(-1, values.shape[-1]), joint, whole),
            whole,
            {name: joint(old, old.new_full(spread.shape, initial[name])) for name, old in self.marks.items()},
        )
        return held._all_hold(self.widest + new) if full else held

    def taken(self, index: Tensor, counts: Tensor) -> Held:
        """Some tokens only; what is not among them is let go.

        Args:
            index: where they lie in what is flat, row after row, head after head, ascending in each head, [tokens].
            counts: how many each head keeps, [rows, heads], on the CPU.
        """
        positions = self.positions.index_select(0, index)
        return Held(
            counts,
            self.keys.taken(index, positions),
            self.values.taken(index, positions),
            positions,
            {name: mark.index_select(0, index) for name, mark in self.marks.items()},
        )

    def without(self, slots: Tensor) -> Held:
        """Where all heads hold equally many: each lets one token go.

        Args:
            slots: which of its own, [rows, heads].
        """
        left = torch.arange(self.widest - 1, device=slots.device)
        starts = torch.arange(0, slots.numel() * self.widest, self.widest, device=slots.device)[:, None]
        index = left + (left >= slots.view(-1, 1)) + starts
        return self.taken(index.flatten(), self.counts - 1)._all_hold(self.widest - 1)

    def picked(self, rows: Tensor) -> Held:
        """Other rows: each is one of those that are there, [rows], on the CPU."""
        slots = self.slots[rows.to(self.slots.device)]
        return self.taken(slots[slots != NOWHERE], self.counts[rows])

    def marked(self, marks: Mapping[str, Tensor]) -> Held:
        """With other numbers, each [rows, heads, widest]."""
        return replace(self, marks={**self.marks, **{name: self.flat(mark).float() for name, mark in marks.items()}})

    def settled(self) -> Held:
        """After a reading, when all have been looked at and some have gone."""
        keys, values = self.keys.settled(self.counts), self.values.settled(self.counts)
        return self if keys is self.keys and values is self.values else replace(self, keys=keys, values=values)

    @property
    def tensors(self) -> list[Tensor]:
        """All that takes bytes."""
        kept = [*self.keys.tensors().values(), *self.values.tensors().values()]
        return [self.counts, *kept, self.positions, *self.marks.values()]

    def _all_hold(self, count: int) -> Held:
        """Note that all heads hold so many, which need not be counted then."""
        self.__dict__.update(widest=count, is_even=True)
        return self

    def _behind(self, positions: Tensor, heads: int) -> Tensor:
        """From where in (what is there, what comes) each token of the new whole is taken."""
        rows, new = positions.shape
        arriving = torch.where(positions.cpu() != NOWHERE, torch.arange(new), NOWHERE)[:, None].expand(rows, heads, new)
        lists = torch.arange(rows * heads).view(rows, heads, 1)
        behind = torch.where(arriving == NOWHERE, NOWHERE, int(self.counts.sum()) + lists * new + arriving)
        both = torch.cat([self.slots.cpu(), behind], -1)
        return both[both != NOWHERE].to(self.positions.device)
