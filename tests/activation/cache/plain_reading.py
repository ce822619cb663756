"""A layer that reads, as slow as it is plain: every row is a list of tokens, and every query looks for itself.

It shares with the layer that is tested what blocks are (their sizes), and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from mnemos.activation.cache.budgets import Budget, Uniform
from mnemos.activation.cache.held import exactly
from mnemos.activation.cache.layer import Rules
from mnemos.activation.cache.looking import Asked
from mnemos.activation.cache.reading import Rest, Retrieval
from mnemos.activation.cache.reading.layer import ReadingLayer

HEADS, SHARING, SIZE = 2, 2, 6


@dataclass
class Row:
    """One row: every token that was read, and where old ones were cut."""

    keys: list[Tensor] = field(default_factory=list)
    """Of each token, [heads, dimensions]."""
    values: list[Tensor] = field(default_factory=list)
    surprise: list[float] = field(default_factory=list)
    got: list[list[float]] = field(default_factory=list)
    """Attention that each token got in each head while it was at hand."""
    blocks: list[list[int]] = field(default_factory=list)
    """Positions of each block."""
    got_then: list[list[list[float]]] = field(default_factory=list)
    """What the tokens of each block had got when it was made."""
    used: int = -1
    recent: list[int] = field(default_factory=list)
    first: int = 0


class PlainPolicy(Protocol):
    """What a plain policy says."""

    def cut(self, row: Row, begin: int, leaving: int) -> int | None:
        """How many tokens the next block has, of which `leaving` may leave; None: it is not known yet."""
        ...

    def chosen(self, row: Row, queries: list[Tensor], room: int, layer: int) -> list[list[set[int]]]:
        """Blocks for each head and query; queries are [heads, sharing, dimensions]."""
        ...


def plain(policy: PlainPolicy, reads: Retrieval, budget: Budget, steps: list[Any], rows: int) -> list[list[Any]]:
    """What each query of each step finds, and which positions it looked at in each head: by step and row, lists."""
    lists, out = [Row() for _ in range(rows)], []
    for queries, keys, values, real, surprise in steps:
        told = []
        for number, row in enumerate(lists):
            _put_away(policy, reads, budget, row)
            mine = [token for token in range(queries.shape[2]) if real[number, token]]
            before = len(row.keys)
            for token in mine:
                row.keys.append(keys[number, :, token])
                row.values.append(values[number, :, token])
                row.surprise.append(float(surprise[number, token]))
                row.got.append([0.0] * HEADS)
            asked = [queries[number, :, token].view(HEADS, SHARING, SIZE) for token in mine]
            told.append(_look(policy, budget, row, asked, before))
        out.append(told)
    return out


def _put_away(policy: PlainPolicy, reads: Retrieval, budget: Budget, row: Row) -> None:
    seen = len(row.keys)
    if not seen:
        return
    room = int(budget.room(torch.tensor([seen]))[0])
    sinks = min(reads.sinks, room)
    latest = min(room - sinks, max(1, round((room - sinks) * reads.latest)))
    if not row.blocks:
        row.first = sinks
    while True:
        begin = row.first + sum(map(len, row.blocks))
        leaving = seen - latest - begin
        size = policy.cut(row, begin, leaving) if leaving > 0 else None
        if size is None or size > leaving:
            return
        row.blocks.append(list(range(begin, begin + size)))
        row.got_then.append([list(row.got[at]) for at in row.blocks[-1]])


def _look(policy: PlainPolicy, budget: Budget, row: Row, asked: list[Tensor], before: int) -> list[Any]:
    resting = {at for block in row.blocks for at in block}
    room = max(0, int(budget.room(torch.tensor([len(row.keys)]))[0]) - (before - len(resting)))
    everything = len(resting) <= room or budget.is_all
    back: list[list[set[int]]] = [[set(range(len(row.blocks)))] * len(asked)] * HEADS
    if everything:
        row.recent = []
    elif asked:
        back = policy.chosen(row, asked, room, 0)
    found = []
    for number, query in enumerate(asked):
        at, heads = before + number, []
        for head in range(HEADS):
            brought = {one for block in back[head][number] for one in row.blocks[block]}
            seen = [one for one in range(at + 1) if one not in resting or one in brought]
            heads.append((seen, [_attended(row, head, query[head, share], seen) for share in range(SHARING)]))
            for share in range(SHARING):
                for one, weight in zip(seen, _weights(row, head, query[head, share], seen), strict=True):
                    row.got[one][head] += weight / SHARING
        found.append(heads)
    return found


def _weights(row: Row, head: int, query: Tensor, seen: list[int]) -> list[float]:
    scores = [float(query.double() @ row.keys[one][head].double()) / math.sqrt(SIZE) for one in seen]
    top = max(scores)
    parts = [math.exp(score - top) for score in scores]
    return [part / sum(parts) for part in parts]


def _attended(row: Row, head: int, query: Tensor, seen: list[int]) -> Tensor:
    weights = _weights(row, head, query, seen)
    return sum(w * row.values[one][head].double() for w, one in zip(weights, seen, strict=True))  # type: ignore


def quick(reads: Retrieval, budget: Budget, steps: list[Any], rest: Rest) -> tuple[list[Tensor], ReadingLayer]:
    """What the layer itself finds: of each step, [rows, query heads, new, dimensions]."""
    rules = Rules(
        policy=reads,
        budget=budget,
        spread=Uniform(),
        rotation=None,
        turning=None,
        store=exactly,
        layer=0,
        layers=1,
        window=None,
        kind="full_attention",
    )
    layer, found = ReadingLayer(rules, reads, rest), []
    for queries, keys, values, real, surprise in steps:
        layer.update(keys, values)
        found.append(layer.attend(Asked(queries, SIZE**-0.5, real=real)))
        if reads.surprises:
            layer.surprised(surprise)
    return found, layer


def drawn(sizes: list[int], rows: int, seed: int, *, padded: bool) -> list[Any]:
    """Queries, keys, values, what is no padding, and surprises, of readings of so many tokens."""
    chance = torch.Generator().manual_seed(seed)
    steps = []
    for new in sizes:
        queries = torch.randn(rows, HEADS * SHARING, new, SIZE, generator=chance) * 2
        keys, values = torch.randn(2, rows, HEADS, new, SIZE, generator=chance) * 1.5
        real = torch.ones(rows, new, dtype=torch.bool)
        if padded and new > 4:
            real[1, : new // 3] = False
        steps.append((queries, keys, values, real, torch.randn(rows, new, generator=chance) * 1.5))
    return steps


def agree(policy: PlainPolicy, reads: Retrieval, budget: float, sizes: list[int], rest: Rest, seed: int = 0) -> None:
    """Both find the same, for every query of every row, also with padding."""
    steps = drawn(sizes, 2, seed, padded=True)
    expected = plain(policy, reads, Budget(budget), steps, 2)
    found, _ = quick(reads, Budget(budget), steps, rest)
    for step, told, got in zip(steps, expected, found, strict=True):
        for number in range(2):
            places = step[3][number].nonzero()[:, 0].tolist()
            for place, heads in zip(places, told[number], strict=True):
                mine = torch.stack([one for _, shares in heads for one in shares])
                torch.testing.assert_close(got[number, :, place].double(), mine, atol=1e-5, rtol=1e-4)
