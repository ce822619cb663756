"""Every gate keeps exactly what its definition keeps, alone and beside others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from models_built import FAMILIES, build, tokens
from plain import Plain, PlainCache, PlainSpread, listening, spans, turned
from plain_expected import PlainExpectedAttention
from plain_h2o import PlainH2O
from plain_lazy import PlainLazyEviction
from plain_scissorhands import PlainScissorhands
from plain_snapkv import PlainSnapKV
from plain_spreads import PlainAdaKV, PlainPyramidKV
from plain_tim import PlainSubtaskPruning
from plain_tova import PlainTOVA
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.cache import (
    H2O,
    TOVA,
    AdaKV,
    ExpectedAttention,
    LazyEviction,
    MemoryCache,
    Policy,
    PyramidKV,
    Scissorhands,
    SnapKV,
    SubtaskPruning,
    looking,
)
from mnemos.activation.cache.budgets import Spread
from mnemos.errors import InvalidInput

LENGTHS = (13, 1, 1, 1, 1, 1, 1, 5, 1, 1, 1)
"""A prompt, some steps, another prompt, and some more steps."""
LONG, SHORT = sum(LENGTHS), sum(LENGTHS) - 5
OPENS, CLOSES = range(3, 25), range(25, 50)
"""Of which tokens open and close lists of subtasks."""
NAMES = ("llama", "qwen3", "gemma2", "gpt-neox")


@dataclass(frozen=True)
class Gate:
    policy: Callable[[], Policy]
    plain: Callable[[], Plain]
    spread: Callable[[], Spread] | None = None
    plain_spread: Callable[[], PlainSpread] = PlainSpread


GATES: dict[str, Gate] = {
    "snapkv": Gate(lambda: SnapKV(4, 3), lambda: PlainSnapKV(4, 3)),
    "snapkv, a long window": Gate(lambda: SnapKV(9), lambda: PlainSnapKV(9, 5)),
    "h2o": Gate(H2O, lambda: PlainH2O(0.5)),
    "h2o, heavy hitters only": Gate(lambda: H2O(1.0), lambda: PlainH2O(1.0)),
    "tova": Gate(TOVA, PlainTOVA),
    "scissorhands": Gate(lambda: Scissorhands(7, 2, 0.3), lambda: PlainScissorhands(7, 2, 0.3)),
    "expected": Gate(lambda: ExpectedAttention(8, 2), lambda: PlainExpectedAttention(8, 2)),
    "lazy": Gate(lambda: LazyEviction(3, 0.1), lambda: PlainLazyEviction(3, 0.1)),
    "tim": Gate(lambda: SubtaskPruning(OPENS, CLOSES, 1), lambda: PlainSubtaskPruning(OPENS, CLOSES, 1)),
    "scissorhands, a long history": Gate(lambda: Scissorhands(60, 0, 0), lambda: PlainScissorhands(60, 0, 0)),
    "lazy, a long window": Gate(lambda: LazyEviction(8, 0.05), lambda: PlainLazyEviction(8, 0.05)),
    "snapkv, ada": Gate(lambda: SnapKV(2, 3), lambda: PlainSnapKV(2, 3), AdaKV, lambda: PlainAdaKV(0.2)),
    "h2o, ada with a high floor": Gate(H2O, lambda: PlainH2O(0.5), lambda: AdaKV(0.7), lambda: PlainAdaKV(0.7)),
    "tova, ada": Gate(TOVA, PlainTOVA, AdaKV, lambda: PlainAdaKV(0.2)),
    "snapkv, pyramid": Gate(
        lambda: SnapKV(2, 3),
        lambda: PlainSnapKV(2, 3),
        lambda: PyramidKV(window=2),
        lambda: PlainPyramidKV(20, 2, PlainSpread()),
    ),
    "h2o, pyramid, ada": Gate(
        H2O,
        lambda: PlainH2O(0.5),
        lambda: PyramidKV(3, 0, AdaKV()),
        lambda: PlainPyramidKV(3, 0, PlainAdaKV(0.2)),
    ),
}
CASES = [
    (name, family) for at, name in enumerate(GATES) for family in (NAMES[at % 4 :] + NAMES)[: 1 if "," in name else 3]
]
"""Every gate in three families; those that differ in their settings only, in one."""
ONCE = [(name, NAMES[at % 4]) for at, name in enumerate(GATES)]
FULL = [(name, family) for name, family in ONCE if name != "tim"]
"""What prunes by rule does so whatever room there is."""


@cache
def model_of(family: str) -> PreTrainedModel:
    return build(FAMILIES[family]())


def two() -> tuple[Tensor, Tensor]:
    """Two texts, the second one shorter and padded on its left, and which of their tokens are real."""
    short = torch.cat([torch.full((LONG - SHORT,), 2), tokens(SHORT, 2)])
    real = torch.ones(2, LONG, dtype=torch.int64)
    real[1, : LONG - SHORT] = 0
    return torch.stack([tokens(LONG, 1), short]), real


def made(gate: Gate, model: PreTrainedModel, budget: float) -> MemoryCache:
    return MemoryCache(model, gate.policy(), budget, spread=gate.spread() if gate.spread else None)


@torch.no_grad()
def read(model: PreTrainedModel, cache: MemoryCache | None, ids: Tensor, real: Tensor, part: slice) -> Tensor:
    """One forward; returns the logits of its last token, [rows, vocabulary]."""
    places = (real.cumsum(1) - 1).clamp_min(0)
    mask = real[:, : part.stop]
    found = model(ids[:, part], attention_mask=mask, position_ids=places[:, part], past_key_values=cache)
    logits: Tensor = found.logits
    return logits[:, -1]


@pytest.mark.parametrize(("name", "family"), CASES)
def test_a_gate_keeps_what_its_definition_keeps(name: str, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, model = GATES[name], model_of(family)
    ids, real = two()
    for budget, at_once in ((0.4, 1), (6, 250)):
        monkeypatch.setattr(looking, "AT_ONCE", at_once)
        cache = made(gate, model, budget)
        plain = PlainCache(gate.plain(), budget, gate.plain_spread(), turned(model))
        for part in spans(LENGTHS):
            with listening() as heard:
                read(model, cache, ids, real, part)
            for one in heard:
                plain.hear(one, ids[:, part])
            assert cache.kept == plain.kept, (budget, part)
        assert any(len(head) < LONG for layer in cache.kept for row in layer for head in row)


@pytest.mark.parametrize(("name", "family"), FULL)
def test_with_all_the_room_a_gate_is_as_good_as_none(name: str, family: str) -> None:
    model, (ids, real) = model_of(family), two()
    cache = made(GATES[name], model, 1.0)
    for part in spans(LENGTHS):
        logits = read(model, cache, ids, real, part)
        whole = read(model, None, ids[:, : part.stop], real[:, : part.stop], slice(0, part.stop))
        torch.testing.assert_close(logits, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "family"), ONCE)
def test_a_padded_row_is_the_row_alone(name: str, family: str) -> None:
    gate, model, (ids, real) = GATES[name], model_of(family), two()
    both, alone, padding = made(gate, model, 0.4), made(gate, model, 0.4), LONG - SHORT
    for part in spans(LENGTHS):
        logits = read(model, both, ids, real, part)
        own = slice(max(0, part.start - padding), part.stop - padding)
        single = read(model, alone, ids[1:, padding:], real[1:, padding:], own)
        torch.testing.assert_close(logits[1:], single, atol=1e-4, rtol=1e-4)
        assert [row[1] for row in both.kept] == [row[0] for row in alone.kept]


def test_a_gate_that_works_at_prefill_decodes_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (ids, real) = model_of("llama"), two()
    cache = MemoryCache(model, SnapKV(4), 0.4)
    read(model, cache, ids, real, slice(0, 13))
    before = [len(head) for head in cache.kept[0][0]]
    monkeypatch.setattr(SnapKV, "look", lambda *_: pytest.fail("was shown weights"))
    for at in range(13, 18):
        read(model, cache, ids, real, slice(at, at + 1))
    assert [len(head) for head in cache.kept[0][0]] == [one + 5 for one in before]


@pytest.mark.parametrize(
    "make",
    [
        lambda: SnapKV(window=0),
        lambda: SnapKV(pool=4),
        lambda: SnapKV(window=True),
        lambda: H2O(heavy=1.1),
        lambda: H2O(heavy=float("nan")),
        lambda: Scissorhands(history=0),
        lambda: Scissorhands(drop=1.0),
        lambda: ExpectedAttention(future=0),
        lambda: ExpectedAttention(sinks=-1),
        lambda: LazyEviction(window=0),
        lambda: LazyEviction(threshold=-0.1),
    ],
)
def test_settings_that_mean_nothing_are_refused(make: Callable[[], Policy]) -> None:
    with pytest.raises(InvalidInput):
        make()
