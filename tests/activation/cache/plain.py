"""A cache that is as slow as it is plain, beside which the quick one is checked.

Every head of every row has a list of positions. Attention is computed again, query by query and in float64, from the
keys and queries that the model made; a plain policy is told each weight, and says what each position is worth. Nothing
of it is shared with the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from mnemos.activation.cache.layer import MemoryLayer

Vector = npt.NDArray[np.float64]


class Turn(Protocol):
    """Turns a vector to a position, or back by as much if that is negative; layers of some kinds turn otherwise."""

    def __call__(self, vector: Vector, to: int, kind: str) -> Vector: ...


@dataclass
class Head:
    """What one head of one row of one layer holds."""

    keys: dict[int, Vector] = field(default_factory=dict)
    values: dict[int, Vector] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    noted: dict[Any, Any] = field(default_factory=dict)
    """Whatever a plain policy wants to remember."""


@dataclass(frozen=True)
class Step:
    """What has been read when something may go."""

    layer: int
    layers: int
    seen: int
    new: int
    room: int
    window: int | None
    scaling: float
    queries: list[list[dict[int, Vector]]]
    """Of each head, of each query head that shares it: the queries of the new tokens by position."""
    turn: Callable[[Vector, int], Vector]
    """Turns a vector to a position, or back by as much if that is negative."""

    @property
    def is_prompt(self) -> bool:
        return self.new > 1 or self.new == self.seen


class Plain:
    """A plain policy."""

    prunes = False

    def begin(self, head: Head) -> None:
        """A forward begins."""

    def see(self, head: Head, at: int, weights: dict[int, float]) -> None:
        """A query at a position gave these weights, the mean over the query heads that share the head."""

    def end(self, head: Head) -> None:
        """All queries of a forward have been seen."""

    def is_due(self, step: Step) -> bool:
        return True

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        raise NotImplementedError


class PlainSpread:
    """The same for each head of each layer."""

    def room(self, room: int, seen: int, layer: int, layers: int) -> int:
        return room

    def picked(self, scores: list[dict[int, float]], room: int) -> list[set[int]]:
        return [set(ranked(one)[:room]) for one in scores]


def ranked(scores: dict[int, float]) -> list[int]:
    """Positions, the best first; of equal ones the later. Those that are to go in any case are left out."""
    wanted = [position for position, score in scores.items() if score > -math.inf]
    return sorted(wanted, key=lambda position: (scores[position], position), reverse=True)


@dataclass
class Heard:
    """What the model made of some new tokens in one layer."""

    layer: MemoryLayer
    keys: Vector
    values: Vector
    asked: Any
    found: Vector


@contextmanager
def listening() -> Iterator[list[Heard]]:
    """Hear all keys, values and queries that go to memory caches, and what comes back."""
    heard: list[Heard] = []
    update, attend = MemoryLayer.update, MemoryLayer.attend
    came: dict[int, tuple[Vector, Vector]] = {}

    def hear_update(self: MemoryLayer, keys: Tensor, values: Tensor, *args: Any, **more: Any) -> Any:
        came[id(self)] = keys.double().numpy(), values.double().numpy()
        return update(self, keys, values, *args, **more)

    def hear_attend(self: MemoryLayer, asked: Any) -> Tensor:
        found = attend(self, asked)
        heard.append(Heard(self, *came.pop(id(self)), asked, found.double().numpy()))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryLayer, "update", hear_update)
        patch.setattr(MemoryLayer, "attend", hear_attend)
        yield heard


class PlainCache:
    """What a cache with a plain policy keeps of what is heard."""

    def __init__(self, plain: Plain, budget: float, spread: PlainSpread, turn: Turn) -> None:
        self.plain, self.budget, self.spread, self.turn = plain, budget, spread, turn
        self.layers: dict[int, list[list[Head]]] = {}
        self.seen: dict[tuple[int, int], int] = {}

    @property
    def kept(self) -> list[list[list[list[int]]]]:
        return [[[list(head.keys) for head in row] for row in self.layers[number]] for number in sorted(self.layers)]

    def hear(self, heard: Heard, ids: Tensor) -> None:
        """Take in what was heard of one forward in one layer; ids of its tokens, [rows, new]."""
        number, (rows, heads) = heard.layer.rules.layer, heard.keys.shape[:2]
        layer = self.layers.setdefault(number, [[Head() for _ in range(heads)] for _ in range(rows)])
        for row in range(rows):
            self._row(heard, layer[row], row, number, ids[row])

    def _row(self, heard: Heard, heads: list[Head], row: int, number: int, ids: Tensor) -> None:
        asked, rules = heard.asked, heard.layer.rules
        columns = range(heard.keys.shape[2])
        real = [column for column in columns if asked.real is None or bool(asked.real[row, column])]
        before = self.seen.get((number, row), 0)
        seen = self.seen[number, row] = before + len(real)
        query = asked.query.double().numpy()
        share = query.shape[1] // len(heads)
        queries: list[list[dict[int, Vector]]] = []
        for h, head in enumerate(heads):
            for at, column in enumerate(real, before):
                head.keys[at] = heard.keys[row, h, column]
                head.values[at] = heard.values[row, h, column]
                head.tokens[at] = int(ids[column])
            group = [query[row, h * share + one] for one in range(share)]
            queries.append([{at: one[column] for at, column in enumerate(real, before)} for one in group])
            self.plain.begin(head)
            for at, column in enumerate(real, before):
                found = heard.found[row, h * share : (h + 1) * share, column]
                self._query(head, at, [one[column] for one in group], asked, rules.window, found)
            self.plain.end(head)
            if rules.window is not None:
                self._left(head, {position for position in head.keys if position > seen - rules.window})
        room = self.spread.room(self._room(seen), seen, number, rules.layers)
        turn = partial(self.turn, kind=rules.kind)
        step = Step(number, rules.layers, seen, len(real), room, rules.window, asked.scaling, queries, turn)
        full = any(len(head.keys) > room for head in heads)
        if real and (full or self.plain.prunes) and self.plain.is_due(step):
            picked = self.spread.picked(self.plain.scores(heads, step), room)
            for head, kept in zip(heads, picked, strict=True):
                self._left(head, kept)

    def _room(self, seen: int) -> int:
        return max(1, math.ceil(seen * self.budget - 1e-9)) if self.budget <= 1 else int(self.budget)

    def _query(self, head: Head, at: int, queries: list[Vector], asked: Any, window: int | None, found: Vector) -> None:
        """One position's queries look, and the plain policy sees at what."""
        visible = [one for one in head.keys if one <= at and (window is None or one > at - window)]
        keys, values = np.array([head.keys[one] for one in visible]), np.array([head.values[one] for one in visible])
        mean = dict.fromkeys(visible, 0.0)
        for query, answer in zip(queries, found, strict=True):
            logits = keys @ query * asked.scaling
            if asked.softcap is not None:
                logits = np.tanh(logits / asked.softcap) * asked.softcap
            weights = np.exp(logits - logits.max())
            weights /= weights.sum()
            assert np.abs(answer - weights @ values).max() < 1e-4, "attention is over something else"
            for one, weight in zip(visible, weights.tolist(), strict=True):
                mean[one] += weight / len(queries)
        self.plain.see(head, at, mean)

    def _left(self, head: Head, kept: set[int]) -> None:
        for some in (head.keys, head.values, head.tokens):
            for position in set(some) - kept:
                del some[position]


def turned(model: Any) -> Turn:
    """How a model turns a vector to a position, by its own rotary module: all of it, or its first dimensions."""
    rotary = next(one for name, one in model.named_modules() if name.endswith("rotary_emb"))

    def turn(vector: Vector, to: int, kind: str) -> Vector:
        told = {"layer_type": kind} if "layer_type" in rotary.forward.__code__.co_varnames else {}
        both = rotary(torch.zeros(1), torch.tensor([[abs(to)]]), **told)
        cos, sin = (one[0, 0].double().numpy() for one in both)
        part, rest = np.split(vector, [len(cos)])
        first, second = np.split(part, 2)
        crossed = np.concatenate([-second, first])
        if to < 0:
            return np.concatenate([(part * cos - crossed * sin) / (cos**2 + sin**2), rest])
        return np.concatenate([part * cos + crossed * sin, rest])

    return turn


def spans(lengths: Sequence[int]) -> list[slice]:
    """Slices of these lengths, one after another."""
    ends = [sum(lengths[: at + 1]) for at in range(len(lengths))]
    return [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
