"""Metrics against values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemos.bench import metrics

RANKING = ["a", "b", "c", "d", "e"]


def test_recall_is_the_share_of_all_evidence():
    assert metrics.recall_at(RANKING, ["b", "e", "x", "y"], 5) == 0.5
    assert metrics.recall_at(RANKING, ["b", "e"], 4) == 0.5
    assert metrics.recall_at(RANKING, ["x"], 5) == 0.0


def test_recall_counts_evidence_named_twice_once():
    assert metrics.recall_at(RANKING, ["a", "a", "x"], 5) == 0.5


def test_ndcg_of_one_at_rank_two():
    assert metrics.ndcg_at(RANKING, ["b"], 10) == pytest.approx(1 / math.log2(3))


def test_ndcg_ideal_holds_evidence_that_was_not_retrieved():
    # found at rank 1; the ideal list of three gains 1 + 0.6309 + 0.5
    assert metrics.ndcg_at(RANKING, ["a", "x", "y"], 10) == pytest.approx(1 / (1 + 1 / math.log2(3) + 0.5))


def test_ndcg_ideal_is_cut_at_k():
    assert metrics.ndcg_at(["a", "b"], ["a", "b", "c"], 2) == pytest.approx(1.0)


def test_ndcg_ignores_what_comes_after_k():
    assert metrics.ndcg_at(RANKING, ["e"], 4) == 0.0


def test_session_within_counts_distinct_sessions():
    sessions = ["s1", "s1", "s1", "s1", "s1", "s2", "s3", "s4", "s5", "s6"]
    assert metrics.session_within(sessions, ["s5"]) == 1.0
    assert metrics.session_within(sessions, ["s6"]) == 0.0


def test_auroc_with_a_tie():
    # pairs: 3>1, 3>2, 2>1 won, 2=2 a half
    assert metrics.auroc([3, 2], [1, 2]) == pytest.approx(3.5 / 4)


def test_auroc_ends():
    assert metrics.auroc([2, 3], [0, 1]) == 1.0
    assert metrics.auroc([0, 1], [2, 3]) == 0.0
    assert math.isnan(metrics.auroc([1], []))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_auroc_is_the_share_of_pairs(high, low):
    pairs = [1.0 if h > l else 0.5 if h == l else 0.0 for h in high for l in low]  # noqa: E741
    assert metrics.auroc(high, low) == pytest.approx(sum(pairs) / len(pairs))


def test_refused_keeps_95_percent_of_the_answerable():
    answerable = [float(score) for score in range(1, 101)]  # losing 1..5 puts the threshold at 6
    assert metrics.refused_at(answerable, [5.5, 5.9, 6.0, 50]) == 0.5


def test_refused_loses_nobody_where_five_percent_is_less_than_one():
    assert metrics.refused_at([1.0, 2.0, 3.0], [0.5, 1.0]) == 0.5


def test_words_take_each_han_character_alone():
    assert metrics.words("Rita's 2 cats, 北京!") == ["rita", "s", "2", "cats", "北", "京"]


def test_shows_at_sixty_percent():
    turn = "one two three four five six seven eight nine ten"
    assert metrics.shows('Ana said: "one two three four five six"', turn)
    assert not metrics.shows('Ana said: "one two three four five"', turn)


def test_shows_sixty_words_of_a_long_turn():
    said = [f"word{i}" for i in range(1000)]
    assert metrics.shows(" ".join(said[100:160]), " ".join(said))
    assert not metrics.shows(" ".join(said[100:159]), " ".join(said))


def test_shows_needs_runs_of_words_and_not_the_same_words_elsewhere():
    assert not metrics.shows("to the and of a in is it", "in the end it is a matter of to and fro")


def test_shows_short_turns_and_turns_without_words():
    assert metrics.shows("Ana: Yes!", "Yes!")
    assert not metrics.shows("Ana: No!", "Yes!")
    assert metrics.shows("Ana: 😀", "😀")
    assert not metrics.shows("Ana: 😢", "😀")


def test_bootstrap_holds_the_mean_and_repeats():
    values = [0.0, 1.0] * 50
    found = metrics.bootstrap(values, seed=3)
    assert found == metrics.bootstrap(values, seed=3)
    assert found.mean == 0.5
    assert found.n == 100
    # the standard error of this mean is 0.05
    assert found.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.015)


def test_bootstrap_of_nothing():
    assert np.isnan(metrics.bootstrap([]).mean)
    assert metrics.bootstrap([]).n == 0
