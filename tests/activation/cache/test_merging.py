"""CaM: what goes leaves its value to those that stay, beside a plain definition, and under every kind of gate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from caches_built import batch, memory, said, texts
from caches_built import model as tiny
from models_built import tokens
from plain import Head, Plain, PlainCache, PlainSpread, Step, listening, spans, turned
from plain_h2o import PlainH2O
from plain_snapkv import PlainSnapKV
from test_cache_policies import lot
from test_gates import LENGTHS, model_of, read, two
from torch import Tensor

from mnemos.activation.cache import H2O, CaM, LongMem, MemoryCache, Policy, SnapKV, StreamingLLM
from mnemos.activation.cache.held import Held, exactly
from mnemos.activation.cache.policy import Shown
from mnemos.errors import InvalidInput


class PlainStreaming(Plain):
    def __init__(self, sinks: int) -> None:
        self.sinks = sinks

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        return [{one: float("inf") if one < self.sinks else float(one) for one in head.keys} for head in heads]


class Given(Plain):
    """Another plain policy, that adds up what each token is given."""

    def __init__(self, inner: Plain, last: int | None) -> None:
        self.inner, self.last, self.heard = inner, last, list[dict[int, float]]()
        self.given: dict[int, dict[int, float]] = {}

    def begin(self, head: Head) -> None:
        self.heard = []
        self.inner.begin(head)

    def see(self, head: Head, at: int, weights: dict[int, float]) -> None:
        self.heard.append(weights)
        self.inner.see(head, at, weights)

    def end(self, head: Head) -> None:
        given = self.given.setdefault(id(head), {})
        for weights in self.heard[-self.last :] if self.last else self.heard:
            for one, weight in weights.items():
                given[one] = given.get(one, 0.0) + weight
        self.inner.end(head)

    def is_due(self, step: Step) -> bool:
        return self.inner.is_due(step)

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        return self.inner.scores(heads, step)


class PlainMerging(PlainCache):
    """A plain cache in which values are left to neighbours, one after another."""

    window, seed, merges = 4, 7, 0

    def _left(self, head: Head, kept: set[int]) -> None:
        layer, number = next(
            (layer, number)
            for layer, rows in self.layers.items()
            for row in rows
            for number, one in enumerate(row)
            if one is head
        )
        given = self.plain.given[id(head)]
        added = {one: 0.0 * head.values[one] for one in kept}
        for going in sorted(set(head.keys) - kept):
            after = [one for one in sorted(kept) if one > going][: self.window]
            if not after:
                continue
            mean = sum(given.get(one, 0.0) for one in after) / len(after)
            if lot(going, layer, number, self.seed) / 2**32 < given.get(going, 0.0) / mean:
                self.merges += 1
                for one in after:
                    added[one] = added[one] + head.values[going] / len(after)
        for one, more in added.items():
            head.values[one] = head.values[one] + more
        super()._left(head, kept)


CASES: dict[str, tuple[Callable[[], Policy], Callable[[], Plain]]] = {
    "h2o": (H2O, lambda: Given(PlainH2O(0.5), None)),
    "streaming": (lambda: StreamingLLM(2, close=False), lambda: Given(PlainStreaming(2), None)),
    "snapkv": (lambda: SnapKV(4, 3), lambda: Given(PlainSnapKV(4, 3), 4)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("budget", [0.4, 6])
def test_values_are_what_the_definition_makes_them(name: str, budget: float) -> None:
    """The plain cache also sees that the model looks at just these values."""
    model, (ids, real) = model_of("llama"), two()
    policy, plain_policy = CASES[name]
    cache = MemoryCache(model, CaM(policy(), 4, 7), budget)
    plain = PlainMerging(plain_policy(), budget, PlainSpread(), turned(model))
    for part in spans(LENGTHS):
        with listening() as heard:
            read(model, cache, ids, real, part)
        for one in heard:
            plain.hear(one, ids[:, part])
        assert cache.kept == plain.kept
    assert plain.merges > 20
    for layer, rows in zip(cache.layers, plain.layers.values(), strict=True):
        for row, heads in enumerate(rows):
            for number, head in enumerate(heads):
                mine = layer.values[row, number, : len(head.values)]
                theirs = torch.stack([torch.from_numpy(head.values[one]) for one in head.keys])
                torch.testing.assert_close(mine.double(), theirs, atol=1e-4, rtol=1e-4)


def shown(given: Tensor, values: Tensor) -> Shown:
    """A layer that holds 40 tokens in each of two heads, which were given so much attention, [1, 2, 40]."""
    none, whole, at = torch.empty(0, 8), torch.tensor([40]), torch.arange(40)[None]
    held = Held.nothing(1, 2, exactly(none, "keys", 0), exactly(none, "values", 0), {"given": 0.0})
    held = held.added(values, values, at, {"given": 0.0}).marked({"given": given})
    return Shown(
        layer=3,
        layers=4,
        held=held,
        seen=whole,
        new=whole,
        rows=torch.tensor([0]),
        room=torch.full((1, 2), 16),
        window=None,
        queries=None,
        at=at,
        places=None,
        rotation=None,
        kind="full_attention",
        scaling=1.0,
    )


def drawn(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Attention, values, and which tokens stay."""
    chance = torch.Generator().manual_seed(seed)
    stays = torch.rand(1, 2, 40, generator=chance) < 0.4
    stays[..., -1] = seed % 2 == 0
    return torch.rand(1, 2, 40, generator=chance), torch.randn(1, 2, 40, 8, generator=chance), stays


def left(policy: CaM, given: Tensor, values: Tensor, stays: Tensor) -> Tensor:
    """All values, those that took something in as they are then."""
    index, changed = policy.merged(shown(given, values), stays)
    assert bool(stays.flatten()[index].all())
    return values.flatten(0, 2).index_copy(0, index, changed).view_as(values)


@pytest.mark.parametrize("seed", range(4))
def test_lots_are_drawn_as_defined(seed: int) -> None:
    given, values, stays = drawn(seed)
    found, merges, losses = left(CaM("streaming", 5, seed), given, values, stays), 0, 0
    for head in range(2):
        wanted = values[0, head].clone()
        kept = [at for at in range(40) if stays[0, head, at]]
        for at in set(range(40)) - set(kept):
            after = [one for one in kept if one > at][:5]
            mean = sum(float(given[0, head, one]) for one in after) / max(1, len(after))
            if after and lot(at, 3, head, seed) / 2**32 < float(given[0, head, at]) / mean:
                wanted[after] += values[0, head, at] / len(after)
                merges += 1
            else:
                losses += 1
        torch.testing.assert_close(found[0, head, kept], wanted[kept], atol=1e-5, rtol=1e-5)
    assert min(merges, losses) > 5


def test_every_token_is_shared_out_where_all_are_drawn() -> None:
    """Given much attention, what goes is added in whole to what stays: the sum of values stays the same."""
    _, values, stays = drawn(0)
    merged = left(CaM("streaming", 5), torch.where(stays, 0.01, 5.0), values, stays)
    torch.testing.assert_close((merged * stays[..., None]).sum(2), values.sum(2), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("inner", ["h2o", "tova", "streaming", "random", "snapkv", "expected", "lazy"])
def test_a_padded_row_is_the_row_alone(inner: str) -> None:
    ids, mask = batch()
    together = said(tiny("llama"), ids, memory("llama", CaM(inner, 3), 0.5), mask=mask)
    for row, text in enumerate(texts()):
        alone = said(tiny("llama"), text, memory("llama", CaM(inner, 3), 0.5))
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


def test_with_all_the_room_nothing_is_merged() -> None:
    ids = tokens(20, 1)[None]
    full = said(tiny("llama"), ids)
    torch.testing.assert_close(said(tiny("llama"), ids, memory("llama", CaM("h2o"), 1.0)), full, atol=1e-5, rtol=1e-5)
    plain = said(tiny("llama"), ids, memory("llama", "h2o", 0.5))
    assert not torch.allclose(said(tiny("llama"), ids, memory("llama", CaM("h2o"), 0.5)), plain, atol=1e-4)


def test_what_cannot_be_is_refused() -> None:
    for wrong in (CaM("h2o"), LongMem()):
        with pytest.raises(InvalidInput, match="policy"):
            CaM(wrong)
    with pytest.raises(InvalidInput, match="window"):
        CaM(window=0)
    with pytest.raises(InvalidInput, match="quantise"):
        memory("llama", CaM("h2o"), 0.5, quantise="int8")
