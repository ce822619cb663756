"""The script that makes the bundled vectors, on a vocabulary small enough to check by other means."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mnemos.embed.static import DATA

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
import distil_embedder as distil  # noqa: E402
from minilm_numpy import gelu  # noqa: E402


@pytest.fixture
def bags() -> list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    random = np.random.RandomState(3)
    return [random.randint(0, 9, size=random.randint(1, 6)) for _ in range(40)]


def dense(bags: list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]], vocabulary: int) -> distil.Array:
    return np.array([np.bincount(bag, minlength=vocabulary) / len(bag) for bag in bags])


def test_the_fit_is_ridge_regression(bags: list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]) -> None:
    random = np.random.RandomState(4)
    targets, start = random.normal(size=(40, 100)), random.normal(size=(10, 100))
    matrix = dense(bags, 10)
    exact = start + np.linalg.solve(matrix.T @ matrix + distil.PULL * np.eye(10), matrix.T @ (targets - matrix @ start))
    fitted = distil.fit(distil.Bags(bags, 10), targets, start)
    np.testing.assert_allclose(fitted, exact, atol=1e-9)
    np.testing.assert_array_equal(fitted[9], start[9])


def test_bags_are_the_same_each_time_and_hold_words_only() -> None:
    vocab = json.loads((DATA / "tokenizer.json").read_bytes())["model"]["vocab"]
    once, again = (list(islice(distil.draw_bags(vocab), 500)) for _ in range(2))
    assert all(np.array_equal(left, right) for left, right in zip(once, again, strict=True))
    assert min(bag.min() for bag in once) >= distil.FIRST
    assert max(bag.max() for bag in once) < 30_522
    assert {len(bag) for bag in once} == set(range(2, 13))


def test_principal_axes_do_not_turn_round() -> None:
    x = np.random.RandomState(5).normal(size=(50, 6)) * [9, 5, 3, 1, 1, 1]
    rotated = x @ np.linalg.qr(np.random.RandomState(6).normal(size=(6, 6)))[0]
    first, second = distil.principal(x, 3), distil.principal(rotated, 3)
    np.testing.assert_allclose(first @ first.T, second @ second.T, atol=1e-8)
    np.testing.assert_array_equal(first, distil.principal(x.copy(), 3))


def test_gelu_is_the_exact_one() -> None:
    x = np.array([-3.0, -1.0, 0.0, 0.5, 2.0])
    np.testing.assert_allclose(gelu(x), [-0.00404969, -0.15865525, 0, 0.34573123, 1.95449974], atol=1e-6)


def test_equal_arrays_make_equal_files() -> None:
    arrays = {"rows": np.arange(6, dtype=np.int8), "name": np.array("x")}
    assert distil.npz(arrays) == distil.npz(dict(reversed(arrays.items())))


def test_the_bundled_files_come_from_this_script() -> None:
    with (DATA / "vectors.npz").open("rb") as file, np.load(file) as table:
        assert str(table["name"]) == distil.NAME
        assert table["rows"].shape == (30_522, distil.DIM)
        assert not table["rows"][: distil.FIRST].any()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(SystemExit, match="not the file"):
        distil.distil(tmp_path)
