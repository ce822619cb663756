"""Agreement of boundaries, against values computed by hand."""

from __future__ import annotations

import pytest

from mnemos.bench.boundaries import Cutting, fixed, measure, pk, table, window_diff
from mnemos.bench.data import Conversation, Turn


def test_the_same_boundaries_agree() -> None:
    assert pk([4, 8], [4, 8], 12) == 0
    assert window_diff([4, 8], [4, 8], 12) == 0


def test_a_missing_boundary_is_missed_by_every_window_over_it() -> None:
    # one boundary in 8 turns: windows of 2, of which those from 2 and 3 hold the boundary at 4
    assert pk([4], [], 8) == pytest.approx(2 / 6)
    assert window_diff([4], [], 8) == pytest.approx(2 / 6)


def test_a_boundary_beside_the_true_one_costs_window_diff_twice() -> None:
    # found at 4 and 5: the window from 3 holds two for one, that from 4 one for none
    assert pk([4], [4, 5], 8) == pytest.approx(1 / 6)
    assert window_diff([4], [4, 5], 8) == pytest.approx(2 / 6)


def test_equal_lengths() -> None:
    assert fixed(3, 12) == [4, 8]
    assert fixed(1, 12) == []


def test_a_conversation_is_cut_without_looking_at_its_sessions() -> None:
    said = ["The tomato plants need water", "Slugs ate the lettuce", "I sowed carrots", "The compost is warm"] * 2
    turns = tuple(Turn(f"t{i}", "one" if i < 4 else "two", text, speaker="Ana") for i, text in enumerate(said))
    found = measure(Conversation("tiny", "c", "en", turns, ()))
    assert found is not None
    assert (found.turns, found.sessions) == (8, 2)
    assert measure(Conversation("tiny", "c", "en", turns[:4], ())) is None


def test_the_table_has_a_row_a_data_set() -> None:
    cuttings = [Cutting("tiny", "a", 10, 2, 4, 0.1, 0.2, 0.3, 0.4), Cutting("tiny", "b", 20, 2, 2, 0.3, 0.4, 0.5, 0.6)]
    assert table(cuttings).rows == (("tiny", "2", "7.5", "5.0", "20.0 / 30.0", "40.0 / 50.0"),)
