"""A layer that keeps the first and the latest tokens at hand, and brings back of the others what its queries want."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import pad

from mnemos.activation.cache.held import NOWHERE, Held
from mnemos.activation.cache.layer import MemoryLayer, Rules
from mnemos.activation.cache.looking import Asked, Seen, attention
from mnemos.activation.cache.noting import Noted
from mnemos.activation.cache.reading.rest import Rest
from mnemos.activation.cache.reading.retrieval import Chosen, Cuts, Leaving, Retrieval, Wanted
from mnemos.activation.cache.reading.shelf import Back, Shelf


@dataclass(frozen=True, slots=True)
class _Far:
    """What was brought back for all rows."""

    keys: Tensor
    """[rows, heads, tokens, dimensions]."""
    values: Tensor
    positions: Tensor
    """[rows, heads, tokens]; -1: nothing."""
    allowed: Tensor | None
    """[rows, heads, queries, tokens]; None: all."""


class ReadingLayer(MemoryLayer):  # type: ignore[no-untyped-call]
    """Keeps everything, and reads little.

    Args:
        rules: of the layer.
        reads: its policy.
        rest: where blocks rest.
    """

    def __init__(self, rules: Rules, reads: Retrieval, rest: Rest) -> None:
        self.reads, self.rest = reads, rest
        super().__init__(rules)

    def reset(self) -> None:
        """Hold nothing, as at first."""
        super().reset()
        self.shelves: list[Shelf] = []
        self.at: Tensor | None = None
        self.read_last: list[Tensor] = []
        self.surprised_last: list[Tensor] = []
        self.looked = torch.zeros(0, dtype=torch.int64)

    def attend(self, asked: Asked) -> Tensor:
        """What the queries find at hand and among what is brought back, [rows, query heads, queries, dimensions]."""
        with torch.no_grad():
            self._put_away()
            held, at = self._arrive(asked)
            self.shelves = self.shelves or [Shelf()] * len(self.seen)
            far = self._brought(asked, at, held)
        there = at.to(asked.query.device)
        near = held.shaped(held.positions, NOWHERE)
        keys, values, positions = held.shaped(held.keys.read()), held.shaped(held.values.read()), near
        is_whole, only = held.is_even and bool((at != NOWHERE).all()), None
        if far is not None:
            keys, values = torch.cat([far.keys, keys], 2), torch.cat([far.values, values], 2)
            positions = torch.cat([far.positions, positions], -1)
            is_whole = is_whole and bool((far.positions != NOWHERE).all())
            if far.allowed is not None:
                only = partial(_some, pad(far.allowed, (0, near.shape[-1]), value=True))
        self.looked, self.at = (positions != NOWHERE).sum(-1).cpu(), at
        seen = Seen(keys, values, positions, there, None, is_whole, only)
        noted = Noted(self.reads, self.rules.layer, None, held, near)
        behind = near.shape[-1]
        found = attention(asked, seen, self.reads.looks, lambda weights, part: noted(weights[..., -behind:], part))
        with torch.no_grad():
            self.held = noted.held.settled()
        return found

    @property
    def tensors(self) -> list[Tensor]:
        """All that takes memory; what rests in a file does not."""
        resting = (tensor for shelf in self.shelves for tensor in shelf.tensors)
        return [*super().tensors, *resting, *self.read_last, *self.surprised_last]

    @property
    def kept(self) -> list[list[list[int]]]:
        """The positions that are held, at hand or at rest, by row and head."""
        resting = [
            [at for one in shelf.blocks for at in range(one.start, one.start + one.size)] for shelf in self.shelves
        ]
        near = super().kept
        return [[sorted(resting[row] + head) for head in heads] for row, heads in enumerate(near)]

    def more(self) -> dict[str, Tensor]:
        """What rests, and what the surprise of the next tokens is told by."""
        told = {
            f"{row}.{name}": tensor for row, shelf in enumerate(self.shelves) for name, tensor in shelf.told().items()
        }
        told |= {f"{row}.read": tensor for row, tensor in enumerate(self.read_last)}
        return told | {f"{row}.surprised": tensor for row, tensor in enumerate(self.surprised_last)}

    def with_more(self, tensors: Mapping[str, Tensor], rows: int, like: Tensor) -> Callable[[], None]:
        """The inverse of `more`."""
        own = [
            {name.partition(".")[2]: one for name, one in tensors.items() if _of_row(name, row)} for row in range(rows)
        ]
        shelves = [Shelf.of(one, self.rest, like) for one in own]
        read, past = ([one[name].to(like.device) for one in own if name in one] for name in ("read", "surprised"))

        def go_on() -> None:
            self.shelves, self.read_last, self.surprised_last = shelves, read, past

        return go_on

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep some rows, in this order; blocks are shared by rows that go on from the same one."""
        if self.shelves:
            rows = torch.arange(len(self.shelves))[indices.cpu()].tolist()
            self.shelves = [self.shelves[row] for row in rows]
            self.read_last = [self.read_last[row] for row in rows] if self.read_last else []
            self.surprised_last = [self.surprised_last[row] for row in rows] if self.surprised_last else []
        super().batch_select_indices(indices)

    def surprised(self, values: Tensor) -> None:
        """Have the tokens that were just read carry how surprising they were, [rows, new]."""
        assert self.held is not None
        assert self.at is not None
        marks = self.held.shaped(self.held.marks["surprise"]).clone()
        for row, real in enumerate(self.at != NOWHERE):
            count, new = int(self.held.counts[row, 0]), int(real.sum())
            marks[row, :, count - new : count] = values[row][real.to(values.device)]
        self.held = self.held.marked({"surprise": marks})

    def _put_away(self) -> None:
        """Lay to rest what is neither among the first nor the latest tokens of a row, in whole blocks."""
        held = self.held
        if held is None:
            return
        rooms = self.rules.budget.room(self.seen).tolist()
        gone = torch.zeros_like(held.slots, dtype=torch.bool)
        shown: tuple[Tensor, Tensor] | None = None
        for row, room in enumerate(rooms):
            sinks, latest = self.reads.shares(room)
            shelf = self.shelves[row]
            first, resting = (sinks if shelf.index is None else shelf.start), shelf.count
            leaving = int(self.seen[row]) - latest - first - resting
            if leaving <= 0:
                continue
            shown = shown or (held.shaped(held.keys.read()), held.shaped(held.values.read()))
            mine = slice(first, int(held.counts[row, 0]))
            marks = {name: held.shaped(mark)[row, :, mine] for name, mark in held.marks.items()}
            keys, values = shown[0][row, :, mine], shown[1][row, :, mine]
            cuts = self.reads.cuts(Leaving(keys, marks, leaving, shelf.used))
            if cuts.sizes:
                self.shelves[row] = self._shelved(replace(shelf, start=first), cuts, keys, values, marks)
            gone[row, :, first : first + sum(cuts.sizes)] = True
        if bool(gone.any()):
            left = (held.slots != NOWHERE) & ~gone
            self.held = held.taken(held.slots[left], held.counts - gone.sum(-1).cpu())

    def _shelved(self, shelf: Shelf, cuts: Cuts, keys: Tensor, values: Tensor, marks: dict[str, Tensor]) -> Shelf:
        """With more blocks, cut from these tokens."""
        sizes = torch.tensor(cuts.sizes)
        parts = [slice(end - size, end) for end, size in zip(sizes.cumsum(0).tolist(), cuts.sizes, strict=True)]
        index = [self.reads.index(keys[:, part], {name: one[:, part] for name, one in marks.items()}) for part in parts]
        own = slice(0, int(sizes.sum()))
        resting = self.rest.put(keys[:, own]), self.rest.put(values[:, own])
        return shelf.with_(sizes, *resting, torch.stack(index), cuts.used)

    def _brought(self, asked: Asked, at: Tensor, held: Held) -> _Far | None:
        """What is brought back for the queries of each row."""
        at_hand = held.counts[:, 0] - (at != NOWHERE).sum(1)
        rooms = (self.rules.budget.room(self.seen) - at_hand).clamp_min(0).tolist()
        backs = [self._back(asked, row, at[row] != NOWHERE, room) for row, room in enumerate(rooms)]
        if all(back is None for back in backs):
            return None
        like = asked.query
        wide = max(back.keys.shape[1] for back in backs if back is not None)
        heads, new = held.counts.shape[1], at.shape[1]
        first = next(back for back in backs if back is not None)
        keys = first.keys.new_zeros(len(at), heads, wide, first.keys.shape[-1])
        values = first.values.new_zeros(len(at), heads, wide, first.values.shape[-1])
        positions = torch.full((len(at), heads, wide), NOWHERE, dtype=torch.int32, device=like.device)
        limited = any(back is not None and back.allowed is not None for back in backs)
        allowed = torch.ones(len(at), heads, new, wide, dtype=torch.bool, device=like.device) if limited else None
        for row, back in enumerate(backs):
            if back is None:
                continue
            size = back.keys.shape[1]
            keys[row, :, :size], values[row, :, :size] = back.keys, back.values
            positions[row, :, :size] = back.positions
            if allowed is not None and back.allowed is not None:
                allowed[row][:, (at[row] != NOWHERE).to(like.device), :size] = back.allowed
        return _Far(keys, values, positions, allowed)

    def _back(self, asked: Asked, row: int, real: Tensor, room: int) -> Back | None:
        """What is brought back for the queries of a row that are no padding, with room for so many tokens."""
        shelf = self.shelves[row]
        if shelf.index is None or not bool(real.any()):
            return None
        heads = shelf.index.shape[1]
        query = asked.query[row][:, real.to(asked.query.device)]
        sizes = shelf.sizes.to(query.device)
        if int(sizes.sum()) <= room or self.rules.budget.is_all:
            chosen = Chosen(torch.ones(heads, 1, len(sizes), dtype=torch.bool, device=query.device))
        else:
            grouped = query.view(heads, -1, *query.shape[1:])
            scaling, layer, layers = asked.scaling, self.rules.layer, self.rules.layers
            chosen = self.reads.chosen(Wanted(grouped, shelf.index, sizes, room, shelf.recent, scaling, layer, layers))
        self.shelves[row] = replace(shelf, recent=chosen.recent)
        return shelf.back(chosen, asked.query)


def _of_row(name: str, row: int) -> bool:
    return name.startswith(f"{row}.")


def layer_of(rules: Rules, rest: Rest) -> MemoryLayer:
    """A layer for some rules: one that reads where its policy does, unless it looks back over a window only."""
    if isinstance(rules.policy, Retrieval) and rules.window is None:
        return ReadingLayer(rules, rules.policy, rest)
    return MemoryLayer(rules)


def _some(allowed: Tensor, part: slice) -> Tensor:
    """What some of the queries may look at."""
    return allowed[:, :, part]
