"""Sketches meet as often as the theory says, and only then."""

from __future__ import annotations

import random

import pytest

from mnemos.gate.minhash import BANDS, ROWS, bands, shingles, similarity


def pair(chance: random.Random, size: int, alike: float) -> tuple[frozenset[int], frozenset[int]]:
    shared = round(2 * size * alike / (1 + alike))
    one = [chance.getrandbits(32) for _ in range(size)]
    return frozenset(one), frozenset(one[:shared]) | frozenset(chance.getrandbits(32) for _ in range(size - shared))


@pytest.mark.parametrize(("alike", "least", "most"), [(0.2, 0.0, 0.03), (0.5, 0.34, 0.47), (0.9, 0.995, 1.0)])
def test_how_often_two_meet(alike: float, least: float, most: float) -> None:
    chance = random.Random(7)
    met = 0
    for _ in range(600):
        one, other = pair(chance, 60, alike)
        assert similarity(one, other) == pytest.approx(alike, abs=0.03)
        met += bool(set(bands(one)) & set(bands(other)))
    assert least <= met / 600 <= most
    assert least - 0.01 <= 1 - (1 - alike**ROWS) ** BANDS <= most + 0.01


def test_bands_are_numbers_that_a_row_can_hold_and_are_the_same_again() -> None:
    found = bands(shingles("my sister rita is vegan".split()))
    assert found == bands(shingles("my sister rita is vegan".split()))
    assert len(set(found)) == BANDS
    assert all(0 <= band < 1 << 63 for band in found)
    assert bands(frozenset()) == []


def test_the_order_of_words_counts() -> None:
    one, other = (shingles(text.split()) for text in ("ana told ben about rita", "ben told ana about rita"))
    assert 0 < similarity(one, other) < 1
    assert similarity(one, one) == 1
    assert similarity(one, frozenset()) == 0
