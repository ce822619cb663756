"""Caches in few bits: what is coded when, that it stays what it was, and that what goes is freed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from caches_built import Lopsided, batch, memory, said, texts
from caches_built import model as tiny
from torch import Tensor

from mnemos.activation.cache import Policy
from mnemos.activation.cache.held import Held, exactly
from mnemos.activation.cache.quantisers import KIVI
from mnemos.activation.quantising import CHANNELS, TOKENS, quantised, restored
from mnemos.errors import InvalidInput

ROWS, HEADS, SIZE = 2, 2, 40


class PlainHead:
    """One head's keys and values as KIVI has them, token by token."""

    def __init__(self, bits: int, residual: int, group: int) -> None:
        self.bits, self.residual, self.group = bits, residual, group
        self.keys: list[tuple[bool, Tensor]] = []
        self.values: list[tuple[bool, Tensor]] = []

    def add(self, key: Tensor, value: Tensor) -> None:
        self.keys.append((False, key))
        self.values.append((False, value))

    def keep(self, places: list[int]) -> None:
        self.keys = [self.keys[place] for place in places]
        self.values = [self.values[place] for place in places]

    def rest(self) -> None:
        while sum(not coded for coded, _ in self.keys) >= self.residual:
            exact = [place for place, (coded, _) in enumerate(self.keys) if not coded][: self.residual]
            for start in range(0, self.residual, self.group):
                places = exact[start : start + self.group]
                tokens = torch.stack([self.keys[place][1] for place in places])[None]
                coded = restored(quantised(tokens, self.bits, TOKENS), tokens.dtype)[0]
                for place, token in zip(places, coded, strict=True):
                    self.keys[place] = True, token
        while sum(not coded for coded, _ in self.values) > self.residual:
            place = next(place for place, (coded, _) in enumerate(self.values) if not coded)
            token = self.values[place][1][None, None]
            self.values[place] = True, restored(quantised(token, self.bits, CHANNELS), token.dtype)[0, 0]


def empty(storing: Any, dtype: torch.dtype = torch.float32) -> Held:
    none = torch.empty(0, SIZE, dtype=dtype)
    return Held.nothing(ROWS, HEADS, storing(none, "keys", 0), storing(none.clone(), "values", 0), {})


def added(held: Held, new: int, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> tuple[Held, Tensor]:
    fresh = torch.randn(2, ROWS, HEADS, new, SIZE, generator=generator).to(dtype) * 3
    before = [max((int(p) for p in held.positions), default=-1) + 1] * ROWS
    at = torch.stack([torch.arange(start, start + new) for start in before])
    return held.added(fresh[0], fresh[1], at, {}), fresh


def thinned(held: Held, generator: torch.Generator, share: float) -> tuple[Held, list[list[int]]]:
    """Without some tokens by chance, other ones in every head; and which places of each head stay."""
    stay = torch.rand(int(held.counts.sum()), generator=generator) < share
    parts = torch.split(stay, held.counts.flatten().tolist())
    counts = torch.tensor([int(part.sum()) for part in parts]).view(ROWS, HEADS)
    return held.taken(stay.nonzero()[:, 0], counts), [part.nonzero()[:, 0].tolist() for part in parts]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("bits", "residual", "group"), [(8, 8, 4), (4, 8, 4), (4, 6, 3), (8, 1, 1), (4, 32, 32)])
def test_holds_what_the_plain_reference_holds(bits: int, residual: int, group: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(bits + residual)
    held = empty(KIVI(bits, residual, group), dtype)
    plain = [PlainHead(bits, residual, group) for _ in range(ROWS * HEADS)]
    for new in (37, 1, 5, 1, 1, 30, 1):
        held, (keys, values) = added(held, new, generator, dtype)
        for number, head in enumerate(plain):
            for token in range(new):
                head.add(*(x[number // HEADS, number % HEADS, token] for x in (keys, values)))
        held, stay = thinned(held, generator, 0.8)
        for head, places in zip(plain, stay, strict=True):
            head.keep(places)
        held = held.settled()
        for head in plain:
            head.rest()
        expected = [torch.stack([token for head in plain for _, token in getattr(head, x)]) for x in ("keys", "values")]
        assert torch.equal(held.keys.read(), expected[0])
        assert torch.equal(held.values.read(), expected[1])


@pytest.mark.parametrize("bits", [8, 4])
def test_evicting_again_and_again_changes_nothing_that_stays(bits: int) -> None:
    generator = torch.Generator().manual_seed(1)
    held, _ = added(empty(KIVI(bits, 4, 4)), 200, generator)
    held = held.settled()
    coded = {(int(at), tuple(key.tolist())) for at, key in zip(held.positions, held.keys.read(), strict=True)}
    for _ in range(12):
        held, _ = thinned(held, generator, 0.85)
        held = held.settled()
        left = {(int(at), tuple(key.tolist())) for at, key in zip(held.positions, held.keys.read(), strict=True)}
        assert left
        assert left <= coded


def test_evicting_frees_codes_and_ranges() -> None:
    generator = torch.Generator().manual_seed(2)
    held = added(empty(KIVI(4, 8, 8)), 640, generator)[0].settled()
    whole = storages(held)
    first = torch.arange(640).repeat(ROWS * HEADS) < 160
    quarter = held.taken(first.nonzero()[:, 0], torch.full((ROWS, HEADS), 160))
    assert storages(quarter) < 0.27 * whole
    none = held.taken(torch.empty(0, dtype=torch.int64), torch.zeros(ROWS, HEADS, dtype=torch.int64))
    assert storages(none) == none.counts.numel() * 8


@pytest.mark.parametrize(("bits", "most"), [(8, 0.36), (4, 0.24)])
def test_few_bits_take_few_bytes(bits: int, most: float) -> None:
    """Codes, ranges and what says which token is coded are counted; float32 takes 1."""
    generator = torch.Generator().manual_seed(3)
    exact, few = (added(empty(storing), 640, generator)[0].settled() for storing in (exactly, KIVI(bits, 32, 32)))
    assert storages(few) < most * storages(exact)


def storages(held: Held) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in held.tensors)


@pytest.mark.parametrize("policy", ["full", "streaming", "random"])
def test_nothing_is_coded_while_all_is_recent(policy: str) -> None:
    ids = texts()[0]
    exact = said(tiny("llama"), ids, memory("llama", policy, 0.6))
    coded = said(tiny("llama"), ids, memory("llama", policy, 0.6, quantise="int4"))
    # the same numbers lie, and are added up, in another order
    torch.testing.assert_close(exact, coded, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("bits", "far"), [(8, 0.02), (4, 0.3)])
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt-neox", "mistral"])
def test_old_tokens_are_nearly_what_they_were(family: str, bits: int, far: float) -> None:
    ids = texts()[0]
    exact = said(tiny(family), ids, memory(family, "full"))
    coded = said(tiny(family), ids, memory(family, "full", quantise=KIVI(bits, 4, 4)))
    assert not torch.equal(exact, coded)
    assert (exact - coded).abs().max() < far * exact.std()


@pytest.mark.parametrize("policy", ["full", "streaming", "random", Lopsided()])
def test_a_padded_row_is_the_row_alone(policy: str | Policy) -> None:
    ids, mask = batch()
    budget = 1.0 if policy == "full" else 0.6
    together = said(tiny("llama"), ids, memory("llama", policy, budget, quantise=KIVI(4, 2, 2)), mask=mask)
    for row, text in enumerate(texts()):
        alone = said(tiny("llama"), text, memory("llama", policy, budget, quantise=KIVI(4, 2, 2)))
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


def test_beams_carry_what_is_coded() -> None:
    ids = texts()[0]
    wanted = {"num_beams": 3, "max_new_tokens": 6, "do_sample": False, "attention_mask": torch.ones_like(ids)}
    exact = tiny("llama").generate(ids, past_key_values=memory("llama", "full"), **wanted)
    cache = memory("llama", "full", quantise=KIVI(8, 4, 4))
    assert torch.equal(exact, tiny("llama").generate(ids, past_key_values=cache, **wanted))


def test_what_it_consists_of_makes_it_again() -> None:
    generator = torch.Generator().manual_seed(4)
    held = added(empty(KIVI(4, 8, 8)), 50, generator)[0].settled()
    again = empty(KIVI(4, 8, 8))
    assert torch.equal(again.keys.restored(held.keys.tensors()).read(), held.keys.read())
    assert torch.equal(again.values.restored(held.values.tensors()).read(), held.values.read())


@pytest.mark.parametrize(
    "wrong", [{"bits": 2}, {"residual": 0}, {"group": 33}, {"residual": 30, "group": 32}, {"group": 0}]
)
def test_what_cannot_be_kept_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        KIVI(**wrong)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InvalidInput, match="int3"):
        memory("llama", "full", quantise="int3")
