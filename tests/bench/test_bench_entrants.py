"""Benchmarks of layers take any mixer by its name, and any layer in JSON."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from mnemos.bench.neural import layers, lm, mqar
from mnemos.bench.neural.entrants import with_heads
from mnemos.errors import InvalidInput

PLAN = mqar.Plan(width=16, layers=1, batch=2, steps=1, rates=(1e-3,), examined=2)
ENGRAM = '{"mixer": "gla", "heads": 2, "engram": {"rows": 16}, "feed": "peer"}'


def test_layers_of_every_kind_are_tried() -> None:
    run = mqar.run(PLAN, names=("delta-net", "memoria", ENGRAM), tasks=("recall",))
    assert [one.name for one in run.trials] == ["delta-net", "memoria", ENGRAM]
    assert all(one.state > 0 for one in run.trials)


def test_the_speed_of_any_layer_is_measured() -> None:
    plan = layers.Plan(width=16, tokens=16, lengths=(16,), rounds=1)
    run = layers.run(plan, names=("hmt", '{"mixer": "mixture", "of": "retnet"}'))
    assert {one.name for one in run.speeds} == {"hmt", '{"mixer": "mixture", "of": "retnet"}'}


@pytest.mark.parametrize(
    ("name", "field", "says"),
    [
        ("lm3", "preset", "memoria"),
        ('{"mixer": "hmt"', "preset", "no JSON"),
        ('{"of": "hmt"}', "layers[0]", "mixer"),
        ('{"mixer": "hmt", "segmnt": 16}', "layers[0].segmnt", "segment"),
    ],
)
def test_what_is_not_known_is_refused_before_anything_is_trained(
    name: str, field: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqar, "trial", lambda *_: pytest.fail("trained"))
    with pytest.raises(InvalidInput, match=says) as refusal:
        mqar.run(PLAN, names=("attention", name))
    assert refusal.value.field == field


def test_heads_are_given_to_the_memory_within_and_to_none_that_has_its_own() -> None:
    assert with_heads("gla", 4) == {"mixer": "gla", "heads": 4}
    assert with_heads({"mixer": "gla", "heads": 2}, 4) == {"mixer": "gla", "heads": 2}
    assert with_heads("lstm", 4) == {"mixer": "lstm"}
    assert with_heads({"mixer": "cached", "of": "gla"}, 4) == {"mixer": "cached", "of": {"mixer": "gla", "heads": 4}}
    whole = lm.MemoryLM(lm._config({"mixer": "cached", "of": "gla"}, lm.QUICK))
    assert lm.parameters(whole) == pytest.approx(lm.QUICK.weights, rel=0.01)
