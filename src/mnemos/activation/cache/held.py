"""What the heads of one layer hold, flat: the tokens of every row and head one after another, and how many each has.

Heads need not hold equally many tokens, nor rows, and nothing is filled up: what is not held takes no bytes. Where all
hold equally many, the flat tensors are seen as [rows, heads, tokens, dimensions] without a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from mnemos.activation.cache.laid import Layout
from mnemos.activation.cache.products import chosen
from mnemos.activation.cache.stored import Exact, Joint, Stored, Storing, exactly

__all__ = ["NOWHERE", "Exact", "Held", "Joint", "Stored", "Storing", "exactly"]

NOWHERE = -1
"""The position of a slot in which there is no token."""


@dataclass(frozen=True)
class Held:
    """The tokens that each head of each row of a layer holds.

    Every step makes another one, which takes over the storage of the one before: only the latest can go on.
    """

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

    @cached_property
    def _filled(self) -> Tensor:
        """Where in [rows · heads · widest] each token stands, [tokens]."""
        counts = self.counts.flatten()
        empty = torch.arange(len(counts)) * self.widest - (counts.cumsum(0) - counts)
        return (torch.arange(int(counts.sum())) + empty.repeat_interleave(counts)).to(self.positions.device)

    def shaped(self, flat: Tensor, empty: float = 0) -> Tensor:
        """Something flat, [tokens, ...], as [rows, heads, widest, ...], with `empty` where there is no token."""
        if self.is_even:
            return flat.view(*self.counts.shape, self.widest, *flat.shape[1:])
        shaped = flat.new_full((self.counts.numel() * self.widest, *flat.shape[1:]), empty)
        return shaped.index_copy_(0, self._filled, flat).view(*self.counts.shape, self.widest, *flat.shape[1:])

    def flat(self, shaped: Tensor) -> Tensor:
        """The inverse of `shaped`."""
        flat = shaped.flatten(0, 2)
        return flat if self.is_even else chosen(flat, self._filled)

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
        whole_rows = full or bool((positions != NOWHERE).all())
        full = self.is_even and whole_rows
        counts = self.counts + (new if whole_rows else (positions != NOWHERE).sum(1, keepdim=True).cpu())
        index = None if full else self._behind(positions, heads)
        layout = self._with_one_more(counts) if whole_rows and new == 1 else None
        joint = Joint(rows * heads, self.widest, index, layout)
        whole = joint(self.positions, spread)
        held = Held(
            counts,
            self.keys.joined(keys.reshape(-1, keys.shape[-1]), joint, whole),
            self.values.joined(values.reshape(-1, values.shape[-1]), joint, whole),
            whole,
            {name: joint(old, old.new_full(spread.shape, initial[name])) for name, old in self.marks.items()},
        )
        return held._all_hold(self.widest + new) if full else held

    @property
    def layout(self) -> Layout | None:
        """Where keys and values lie, if there is room among them."""
        keys, values = self.keys, self.values
        shared = isinstance(keys, Exact) and isinstance(values, Exact) and keys.layout is values.layout
        return keys.layout if shared and isinstance(keys, Exact) else None

    def tight(self) -> Held:
        """The same, and no room."""
        if self.layout is None:
            return self
        return replace(self, keys=Exact(self.keys.read()), values=Exact(self.values.read()))

    def taken(self, index: Tensor, counts: Tensor) -> Held:
        """Some tokens only; what is not among them is let go, or leaves a little room for others.

        Args:
            index: where they lie in what is flat, row after row, head after head, ascending in each head, [tokens].
            counts: how many each head keeps, [rows, heads], on the CPU.
        """
        layout = None if self.layout is None else self.layout.taken(index, counts.flatten())
        return self._copied(index, counts) if layout is None else self._left(index, counts, layout)

    def without(self, slots: Tensor) -> Held:
        """Where all heads hold equally many: each lets one token go.

        Args:
            slots: which of its own, [rows, heads].
        """
        left = torch.arange(self.widest - 1, device=slots.device)
        starts = torch.arange(0, slots.numel() * self.widest, self.widest, device=slots.device)[:, None]
        own = left + (left >= slots.view(-1, 1))
        index, counts, layout = (own + starts).flatten(), self.counts - 1, self.layout
        if layout is None or layout.square is None:
            return self.taken(index, counts)._all_hold(self.widest - 1)
        return self._left(index, counts, layout.without(slots.view(-1, 1), own))._all_hold(self.widest - 1)

    def picked(self, rows: Tensor) -> Held:
        """Other rows: each is one of those that are there, [rows], on the CPU."""
        slots = self.slots[rows.to(self.slots.device)]
        return self._copied(slots[slots != NOWHERE], self.counts[rows])

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

    def _copied(self, index: Tensor, counts: Tensor) -> Held:
        """Some tokens, in storages of their own."""
        positions = self.positions.index_select(0, index)
        keys, values = self.keys.taken(index, positions), self.values.taken(index, positions)
        return Held(counts, keys, values, positions, self._marks_of(index))

    def _left(self, index: Tensor, counts: Tensor, layout: Layout) -> Held:
        """Some tokens, where they lie."""
        assert isinstance(self.keys, Exact)
        assert isinstance(self.values, Exact)
        keys, values = Exact(self.keys.tensor, layout), Exact(self.values.tensor, layout)
        return Held(counts, keys, values, self.positions.index_select(0, index), self._marks_of(index))

    def _marks_of(self, index: Tensor) -> Mapping[str, Tensor]:
        return {name: mark.index_select(0, index) for name, mark in self.marks.items()}

    def _with_one_more(self, counts: Tensor) -> Layout | None:
        """Where tokens lie when each head has got one more; None: how they are kept makes no room."""
        if not isinstance(self.keys, Exact) or not isinstance(self.values, Exact):
            return None
        found = None if self.layout is None else self.layout.with_one_more()
        return found or Layout.roomy(counts.flatten(), self.positions.device)

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
