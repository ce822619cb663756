"""Baselines against values worked out by hand."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from mnemos.bench.baselines import BM25, Dense, find_transformer, indexed, order, reciprocal_rank_fusion
from mnemos.bench.data import Turn


def test_indexed_names_day_and_speaker():
    turn = Turn("1", "s", "hello", datetime(2024, 5, 1, 23, tzinfo=UTC), "Ana")
    assert indexed(turn) == "2024-05-01 Ana: hello"
    assert indexed(Turn("1", "s", "hello")) == "hello"
    assert indexed(Turn("1", "s", "hello", None, "Ana")) == "Ana: hello"


def test_bm25_by_hand():
    scores = BM25(["cats run", "a dog runs and runs", "nothing here at all"]).scores("running cat")
    rarity_run, rarity_cat = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    mean = (2 + 5 + 4) / 3

    def weight(times, length):
        return times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean))

    assert scores == pytest.approx(
        [rarity_run * weight(1, 2) + rarity_cat * weight(1, 2), rarity_run * weight(2, 5), 0.0], rel=1e-5
    )


def test_bm25_of_a_query_without_known_words():
    assert BM25(["cats run"]).scores("?!") == pytest.approx([0.0])


def test_dense_is_a_dot_product():
    vectors = {"east": [1.0, 0.0], "north": [0.0, 1.0], "north-east": [math.sqrt(0.5)] * 2}

    def embed(texts):
        return np.array([vectors[text] for text in texts], np.float32)

    assert Dense(["east", "north"], embed).scores("north-east") == pytest.approx([math.sqrt(0.5)] * 2)


def test_order_keeps_reading_order_among_equals():
    assert order(np.array([0.5, 0.9, 0.5, 0.9], np.float32)).tolist() == [1, 3, 0, 2]


def test_fusion_by_hand():
    fused = reciprocal_rank_fusion(np.array([2, 0, 1]), np.array([0, 1, 2]))
    assert fused == pytest.approx([1 / 62 + 1 / 61, 1 / 63 + 1 / 62, 1 / 61 + 1 / 63], rel=1e-5)


def test_a_folder_without_a_model_is_said(tmp_path):
    why = find_transformer(tmp_path)
    assert isinstance(why, str)
    assert "not installed" in why or "holds no model" in why
