"""Strength by every decay, against values computed by hand; the clock is moved, never waited for."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemos.forget.decay import Decay, days_without_use
from mnemos.forget.ebbinghaus import Ebbinghaus
from mnemos.forget.fading import Fading
from mnemos.forget.layered import Layered
from mnemos.forget.policy import POLICIES, Policy, Salient
from mnemos.records import Memory

SAID = datetime(2026, 1, 1, tzinfo=UTC)
DECAYS: list[Decay] = [Fading(), Ebbinghaus(), Layered()]


def said(*, uses: int = 0, used_after: float | None = None, salience: float | None = 0.5, repeats: int = 0) -> Memory:
    used = None if used_after is None else SAID + timedelta(days=used_after)
    return Memory(
        "id", ("user", "ana"), "turn", "words", happened_at=SAID, uses=uses, last_used_at=used, salience=salience,
        strength=1.0 + repeats,
    )  # fmt: skip


def after(days: float) -> datetime:
    return SAID + timedelta(days=days)


def test_days_are_counted_from_the_last_use() -> None:
    assert days_without_use(said(), after(10)) == 10
    assert days_without_use(said(uses=1, used_after=4), after(10)) == 6
    assert days_without_use(said(), after(-3)) == 0
    assert days_without_use(Memory("id", ("a",), "turn", ""), after(1)) == 0


def test_fading_halves_in_one_half_life_and_takes_longer_to_halve_again() -> None:
    fading = Fading(half_life=10)
    assert fading.strength(said(), after(0)) == 1
    assert fading.strength(said(), after(10)) == pytest.approx(1 / 2)
    assert fading.strength(said(), after(20)) == pytest.approx(1 / 3)
    assert fading.strength(said(), after(30)) == pytest.approx(1 / 4)


def test_fading_grows_by_its_bonus_with_uses_and_repeats() -> None:
    fading = Fading(half_life=10, use_bonus=0.5)
    assert fading.strength(said(uses=2, used_after=10), after(10)) == 2
    assert fading.strength(said(repeats=3), after(0)) == 2.5


def test_ebbinghaus_is_that_of_memorybank() -> None:
    curve = Ebbinghaus()
    assert curve.strength(said(), after(1)) == pytest.approx(math.exp(-1))
    assert curve.strength(said(uses=1, used_after=1), after(3)) == pytest.approx(math.exp(-2 / 2))
    assert curve.strength(said(uses=3, used_after=5), after(5)) == 1
    assert Ebbinghaus(unit=7).strength(said(), after(14)) == pytest.approx(math.exp(-2))


def test_layers_are_those_of_tradinggpt() -> None:
    layered = Layered()
    assert [layered.layer(said(uses=uses, used_after=0), after(1)) for uses in range(5)] == [0, 1, 1, 2, 2]
    short = (math.exp(-14 / 14) + 0.5 * 0.9**14) / 2
    middle = (math.exp(-14 / 90) + 0.5 * 0.967**14) / 2
    long = (math.exp(-14 / 365) + 0.5 * 0.988**14) / 2
    for uses, expected in ((0, short), (1, middle), (3, long)):
        assert layered.strength(said(uses=uses, used_after=0), after(14)) == pytest.approx(expected)


def test_under_the_floor_a_memory_falls_to_a_faster_layer() -> None:
    layered = Layered()
    used = said(uses=1, used_after=0)
    assert layered.layer(used, after(100)) == 1
    assert layered.layer(used, after(400)) == 0
    assert layered.strength(used, after(400)) < 1e-10


@pytest.mark.parametrize("decay", DECAYS, ids=lambda decay: type(decay).__name__)
@given(days=st.floats(0, 2000), more=st.floats(0, 2000), uses=st.integers(0, 5))
def test_time_never_strengthens_and_use_never_weakens(decay: Decay, days: float, more: float, uses: int) -> None:
    used = said(uses=uses, used_after=0)
    later = decay.strength(used, after(days + more))
    assert 0 <= later <= decay.strength(used, after(days)) + 1e-12
    assert decay.strength(said(uses=uses + 1, used_after=0), after(days)) >= decay.strength(used, after(days)) - 1e-12


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@given(days=st.lists(st.floats(0, 30), min_size=2, max_size=2, unique=True))
def test_worth_orders_as_strength_does(policy: Policy, days: list[float]) -> None:
    now = after(40)
    early, late = (said(uses=1, used_after=day) for day in sorted(days))
    assert policy.worth(early, now) <= policy.worth(late, now)


def test_the_default_is_log_odds_and_a_little_strength() -> None:
    policy = Salient(Fading(half_life=10), say=0.25)
    assert policy.worth(said(salience=0.8), after(10)) == pytest.approx(math.log(4) - 0.25 * math.log(2))
    assert policy.worth(said(salience=None), after(0)) == 0
    assert math.isfinite(policy.worth(said(salience=1.0), after(1e5)))
