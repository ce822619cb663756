"""A block is put where it is wanted, as if it had been read there; joined blocks are repaired up to a full reading."""

from __future__ import annotations

import pytest
import torch
from models_built import FAMILIES, REFUSED, build, dynamic, tokens

from mnemos import InvalidInput
from mnemos.activation import repair as repairing
from mnemos.activation.models import Decoder, Layers
from mnemos.activation.repair import CACHEBLEND, OURS, Plan, Rule, Spend, at_random, one_layer, plan, repair

EARLIER, LATER = 11, 13
LENGTH = EARLIER + LATER
A, B = tokens(EARLIER, 1), tokens(LATER, 2)
BOTH = torch.cat([A, B])


def apart(one: Layers, other: Layers) -> float:
    """The largest difference of any key or value."""
    return max(
        (mine - theirs).abs().max().item()
        for pair in zip(one, other, strict=True)
        for mine, theirs in zip(*pair, strict=True)
    )


def nowhere(decoder: Decoder, ids: torch.Tensor) -> Layers:
    """A block read alone, its places taken off."""
    return decoder.unplaced(decoder.read(ids), torch.arange(len(ids)), len(ids))


def joined(decoder: Decoder) -> Layers:
    """Both blocks, read apart, one after the other."""
    first = decoder.placed(nowhere(decoder, A), torch.arange(EARLIER), LENGTH)
    second = decoder.placed(nowhere(decoder, B), torch.arange(EARLIER, LENGTH), LENGTH)
    return [
        (torch.cat([one[0], two[0]], 1), torch.cat([one[1], two[1]], 1)) for one, two in zip(first, second, strict=True)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_block_that_is_moved_is_as_if_it_were_read_there(family: str) -> None:
    decoder = Decoder(build(FAMILIES[family]()))
    moved = decoder.placed(nowhere(decoder, B), torch.arange(EARLIER, LENGTH), LENGTH)
    assert apart(moved, decoder.read(B, start=EARLIER)) < 1e-5
    assert apart(moved, decoder.read(B)) > 0.1, "the place matters"


@pytest.mark.parametrize("piece", [512, 5])
@pytest.mark.parametrize("family", FAMILIES)
def test_all_of_it_repaired_is_a_full_reading(family: str, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairing, "PIECE", piece)
    model = build(FAMILIES[family]())
    decoder = Decoder(model)
    full, apart_read = decoder.read(BOTH), joined(decoder)
    assert apart(apart_read, full) > 0.1, "what joined blocks lack"
    repaired = repair(decoder, apart_read, BOTH, EARLIER, 1.0)
    assert apart(repaired.layers, full) < 1e-5
    assert repaired.cost == pytest.approx(3 / 4), "the last layer's hidden state is never needed"
    question = tokens(5, 3)
    with torch.no_grad():
        places = torch.arange(LENGTH, LENGTH + 5)[None]
        cache = decoder.cache(repaired.layers)
        asked = model(input_ids=question[None], past_key_values=cache, position_ids=places).logits
        whole = build(FAMILIES[family]())(input_ids=torch.cat([BOTH, question])[None]).logits[:, LENGTH:]
    assert (asked - whole).abs().max() < 1e-5


def test_nothing_repaired_is_what_was_joined() -> None:
    decoder = Decoder(build(FAMILIES["llama"]()))
    layers = joined(decoder)
    repaired = repair(decoder, layers, BOTH, EARLIER, 0.0)
    assert repaired.cost == 0
    assert apart(repaired.layers, layers) == 0


@pytest.mark.parametrize("share", [0.1, 0.25, 0.3, 0.5, 0.7, 0.75])
@pytest.mark.parametrize("rule", [OURS, CACHEBLEND, Rule(at_random(0))], ids=["ours", "cacheblend", "random"])
def test_a_repair_costs_no_more_than_it_may_and_changes_nothing_else(share: float, rule: Rule) -> None:
    model = build(FAMILIES["qwen3"]())
    decoder = Decoder(model)
    layers = joined(decoder)
    kept = [(keys.clone(), values.clone()) for keys, values in layers]
    model.train()
    repaired = repair(decoder, layers, BOTH, EARLIER, share, rule)
    assert repaired.cost <= share
    assert (repaired.cost > 0) == (rule.spend is plan or share >= 1 / 4)
    assert apart(layers, kept) == 0, "what was stored is not changed"
    assert model.training, "the model is left as it was"
    assert not any(module._forward_pre_hooks for module in model.modules())
    for (keys, values), (old_keys, old_values) in zip(repaired.layers, layers, strict=True):
        assert torch.equal(keys[:, :EARLIER], old_keys[:, :EARLIER])
        assert torch.equal(values[:, :EARLIER], old_values[:, :EARLIER])


def test_the_check_layer_is_exact_for_every_token() -> None:
    decoder = Decoder(build(FAMILIES["llama"]()))
    full = decoder.read(BOTH)
    repaired = repair(decoder, joined(decoder), BOTH, EARLIER, 0.26)
    assert repaired.cost == pytest.approx(0.25)
    assert apart(repaired.layers[:2], full[:2]) < 1e-5
    assert apart(repaired.layers[2:], full[2:]) > 0.1


def test_frequencies_that_depend_on_the_length_are_taken_off_as_they_were_put_on() -> None:
    decoder = Decoder(build(dynamic()))
    long = tokens(20, 4)
    read = decoder.read(long)
    decoder.read(tokens(40, 5))
    moved = decoder.placed(decoder.unplaced(read, torch.arange(20), 20), torch.arange(30, 50), 50)
    there = Decoder(build(dynamic())).read(long, start=30)
    assert apart(moved[:1], there[:1]) < 1e-5
    repaired = repair(decoder, joined(decoder), BOTH, 0, 1.0)
    assert apart(repaired.layers, Decoder(build(dynamic())).read(BOTH)) < 1e-5


@pytest.mark.parametrize("family", REFUSED)
def test_what_cannot_be_moved_is_refused_by_name(family: str) -> None:
    config, why = REFUSED[family]
    with pytest.raises(InvalidInput, match=why) as refused:
        Decoder(build(config()))
    assert refused.value.field == "model"


@pytest.mark.parametrize("spend", [plan, one_layer])
def test_plans_spend_what_they_may(spend: Spend) -> None:
    assert spend(0.0, 100, 12) == Plan(0, 0)
    for depth in (2, 3, 6, 12, 32):
        for share in (0.05, 0.15, 0.35, 0.6, 0.9):
            made = spend(share, 1000, depth)
            assert made.whole * 1000 + made.rest * (depth - 1 - made.whole) <= share * 1000 * depth + 1e-6


def test_all_of_it_is_every_layer_but_the_last() -> None:
    assert plan(1.0, 100, 12) == Plan(11, 0)
    assert one_layer(1.0, 100, 12) == Plan(1, 100)


def test_cacheblend_keeps_what_the_check_layer_made_of_the_chosen_tokens_alone() -> None:
    decoder = Decoder(build(FAMILIES["llama"]()))
    full, layers = decoder.read(BOTH), joined(decoder)
    repaired = repair(decoder, layers, BOTH, EARLIER, 0.5, CACHEBLEND)
    new = (repaired.layers[1][0] - layers[1][0]).abs().amax((0, 2)) > 1e-3
    assert 0 < new.sum() == one_layer(0.5, LATER, 4).rest < LATER
    assert (repaired.layers[1][0] - full[1][0])[:, new].abs().max() < 1e-5
