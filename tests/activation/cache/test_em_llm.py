"""EM-LLM: events, their cuts, and what is brought back of them, beside plain definitions."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean, pstdev

import pytest
import torch
from caches_built import memory, said
from caches_built import model as tiny
from models_built import tokens
from plain_reading import HEADS, Row, agree, drawn, quick
from torch import Tensor

from mnemos.activation.cache import EMLLM
from mnemos.activation.cache.budgets import Budget
from mnemos.activation.cache.reading import Rest
from mnemos.activation.cache.reading.events import Measure, likeness, split
from mnemos.activation.cache.reading.surprise import standing_out
from mnemos.errors import InvalidInput

SMALL = {"gamma": 0.8, "window": 8, "least": 2, "most": 7, "vectors": 2}
READINGS = [23, 1, 1, 9, 1, 1, 1, 12, 1, 1, 1, 1, 1]


class PlainEMLLM:
    """Its definition, in loops."""

    def __init__(self, reads: EMLLM) -> None:
        self.reads = reads

    def cut(self, row: Row, begin: int, leaving: int) -> int | None:
        reads, seen = self.reads, len(row.keys)
        for at in range(begin + reads.least, begin + reads.most + 1):
            if at >= seen:
                return None
            if row.surprise[at] > reads.gamma and at > row.used:
                end = at + (at - begin) // 2
                if reads.measure is not None and end > seen:
                    return None
                place = self.moved(row, begin, at, end) if reads.measure and end > at else at
                if place - begin > leaving:
                    return None
                row.used = at
                return place - begin
        if reads.most > leaving:
            return None
        row.used = begin + reads.most
        return reads.most

    def moved(self, row: Row, begin: int, at: int, end: int) -> int:
        alike = {
            (one, other): max(0.0, fmean(cosine(row.keys[one][h], row.keys[other][h]) for h in range(HEADS)))
            for one in range(begin, end)
            for other in range(begin, end)
        }
        best, place = -math.inf, at
        for cut in range(begin + self.reads.least, at + 1):
            parts = [range(begin, cut), range(cut, end)]
            worth = modularity(alike, parts) if self.reads.measure == "modularity" else -conductance(alike, parts)
            if worth >= best - 1e-9 * abs(best):
                best, place = max(best, worth), cut
        return place

    def chosen(self, row: Row, queries: list[Tensor], room: int, layer: int) -> list[list[set[int]]]:
        sizes = [len(block) for block in row.blocks]
        scores = [self.score(row, number, queries) for number in range(len(sizes))]
        order = sorted(range(len(sizes)), key=lambda number: (-scores[number], -number))
        similar: list[int] = []
        left = room - int(room * self.reads.contiguity)
        for number in order:
            if sizes[number] <= left:
                similar.append(number)
                left -= sizes[number]
        left = room - sum(sizes[number] for number in similar)
        queue: list[int] = []
        beside = [near for number in similar for near in (number - 1, number + 1)]
        for number in [*beside, *row.recent]:
            if 0 <= number < len(sizes) and number not in similar + queue and sizes[number] <= left:
                queue.append(number)
                left -= sizes[number]
        row.recent = queue
        return [[set(similar + queue)] * len(queries)] * HEADS

    def score(self, row: Row, number: int, queries: list[Tensor]) -> float:
        total = 0.0
        for head in range(HEADS):
            query = torch.stack([one[head].mean(0) for one in queries]).mean(0)
            got = [one[head] for one in row.got_then[number]]
            best = sorted(range(len(got)), key=lambda at: (-got[at], -at))[: self.reads.vectors]
            total += float(query @ torch.stack([row.keys[row.blocks[number][at]][head] for at in best]).mean(0))
        return total


def cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.dot(one.double(), other.double()) / one.double().norm() / other.double().norm())


def modularity(alike: dict[tuple[int, int], float], parts: list[range]) -> float:
    """Newman's: over all pairs within a part, the weight less what degrees would have it be."""
    tokens = [one for part in parts for one in part]
    degree = {one: sum(alike[one, other] for other in tokens) for one in tokens}
    twice = sum(degree.values())
    inside = ((one, other) for part in parts for one in part for other in part)
    return sum(alike[one, other] - degree[one] * degree[other] / twice for one, other in inside) / twice


def conductance(alike: dict[tuple[int, int], float], parts: list[range]) -> float:
    between = sum(alike[one, other] for one in parts[0] for other in parts[1])
    tokens = [one for part in parts for one in part]
    volumes = [sum(alike[one, other] for one in part for other in tokens) for part in parts]
    return between / min(volumes)


@pytest.mark.parametrize("measure", ["modularity", "conductance", None])
@pytest.mark.parametrize("budget", [1.0, 0.6, 17, 9])
def test_finds_what_the_plain_reference_finds(measure: Measure | None, budget: float, tmp_path: Path) -> None:
    reads = EMLLM(measure=measure, contiguity=0.3, **SMALL)
    agree(PlainEMLLM(reads), reads, budget, READINGS, Rest(tmp_path if budget == 17 else None))


def test_the_queue_carries_on() -> None:
    reads = EMLLM(measure=None, contiguity=0.6, **SMALL)
    for seed in range(4):
        agree(PlainEMLLM(reads), reads, 24, READINGS, Rest(), seed)


@pytest.mark.parametrize("measure", ["modularity", "conductance"])
def test_cuts_part_what_is_unlike(measure: Measure) -> None:
    chance = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, HEADS, 1, 16, generator=chance)
    noise = torch.randn(HEADS, 20, 16, generator=chance) * 0.3
    keys = torch.cat([first.expand(-1, 7, -1), second.expand(-1, 13, -1)], 1) + noise
    assert split(likeness(keys), 2, 15, measure) == 7


def test_stands_out_as_defined() -> None:
    values = torch.rand(40, generator=torch.Generator().manual_seed(1)) ** 3
    values[20:24] = 0.25
    found = standing_out(values, 4).tolist()
    assert found[:2] == [-math.inf] * 2
    for at in range(2, 40):
        before = values[max(0, at - 4) : at].double().tolist()
        spread = pstdev(before)
        if spread > 1e-9:
            assert math.isclose(found[at], (float(values[at]) - fmean(before)) / spread, rel_tol=1e-5)
    assert found[24] in (math.inf, -math.inf)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt-neox"])
def test_tokens_carry_their_surprise(family: str) -> None:
    """However a text is read, tokens stand out as a plain computation says."""
    model, ids = tiny(family), tokens(30, 3)
    cache = memory(family, EMLLM(window=6))
    with torch.no_grad():
        for part in ids.split([13, 1, 9, 1, 6]):
            scores = model(part[None], past_key_values=cache, use_cache=True).logits
        logits = model(ids[None]).logits[0]
    expected = torch.full((30,), -math.inf)
    values = -logits[:-1].log_softmax(-1).gather(-1, ids[1:, None])[:, 0]
    expected[1:] = standing_out(values, 6)
    layer = next(layer for layer in cache.layers if hasattr(layer, "shelves"))
    marks = layer.held.shaped(layer.held.marks["surprise"])[0, 0]
    at = layer.held.shaped(layer.held.positions)[0, 0].long()
    torch.testing.assert_close(marks, expected[at], atol=1e-3, rtol=1e-3)
    assert scores.shape[1] == 6


@pytest.mark.parametrize("measure", ["modularity", None])
def test_cuts_do_not_depend_on_when_they_are_made(measure: Measure | None) -> None:
    """Read in one go or token by token, the same tokens are cut into the same events."""
    reads = EMLLM(measure=measure, **SMALL)
    steps = drawn([60, 1, 1], 1, 5, padded=False)
    whole = [torch.cat([step[part] for step in steps], 1 if part in (3, 4) else 2) for part in range(5)]
    singles = [
        tuple(
            part[:, at : at + 1] if number in (3, 4) else part[:, :, at : at + 1] for number, part in enumerate(whole)
        )
        for at in range(62)
    ]
    events = [
        [(block.start, block.size) for block in quick(reads, Budget(14), some, Rest())[1].shelves[0].blocks]
        for some in (steps, singles)
    ]
    assert events[0] == events[1]
    assert len(events[0]) > 5


def test_a_model_cuts_and_reads(tmp_path: Path) -> None:
    ids = tokens(40, 1)[None]
    full = said(tiny("llama"), ids, None, 8)
    everything = said(tiny("llama"), ids, memory("llama", EMLLM(**SMALL), 1.0, rest=tmp_path), 8)
    torch.testing.assert_close(everything, full, atol=1e-5, rtol=1e-5)
    cache = memory("llama", EMLLM(**SMALL), 16, rest=tmp_path)
    little = said(tiny("llama"), ids, cache, 8)
    assert not torch.allclose(little, full, atol=1e-3)
    for layer in cache.layers:
        assert layer.looked.max() <= 17
        assert layer.kept[0][0] == list(range(47))


@pytest.mark.parametrize(
    "wrong", [{"gamma": -1}, {"window": 1}, {"least": 0}, {"most": 15}, {"contiguity": 2}, {"measure": "cosine"}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        EMLLM(**wrong)  # type: ignore[arg-type]
