"""What kvpress was seen to keep is kept here too, and the comparison says so; kvpress itself is not needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mnemos.bench import results

ROOT = Path(__file__).resolve().parents[2]
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

FILE = ROOT / "bench" / "results" / "congruence.json"
ALIKE = {"streaming", "streaming, 24 steps later, in order", "snapkv", "snapkv, adakv", "expected", "expected, adakv"}
"""Where both define the policy in the same way."""
OTHERS = {"streaming, 24 steps later", "snapkv, less room than window"}
"""Where kvpress keeps what no definition names."""
LEAST = 0.97
"""Of the sets; on another processor two tokens of nearly the same score may change places."""


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    before, threads = sys.path.copy(), torch.get_num_threads()
    sys.path.insert(0, str(ROOT / "bench"))
    torch.set_num_threads(1)
    import congruence

    yield congruence
    torch.set_num_threads(threads)
    sys.path[:] = before


@pytest.fixture(scope="module")
def found(bench):
    return [bench.Found.read(one) for one in results.load(FILE)["found"]]


@pytest.fixture(scope="module")
def again(bench, found):
    """The comparison made anew; that of many steps once only."""
    models = {name: bench.model_of(name) for name in (*bench.MODELS, bench.TRAINED)}
    pairs = {pair.name: pair for pair in bench.PAIRS}
    return [
        (one, bench.compared(one.model, models[one.model], pairs[one.policy], one.ratio, one.theirs))
        for one in found
        if not pairs[one.policy].steps or (one.model, one.ratio) == ("llama", 0.9)
    ]


def test_every_pair_was_compared_in_every_model_at_every_ratio(bench, found):
    cases = {
        (name, p.name, ratio) for name in (*bench.MODELS, bench.TRAINED) for p in bench.PAIRS for ratio in p.ratios
    }
    assert len(found) == len(cases)
    assert {(one.model, one.policy, one.ratio) for one in found} == cases


def test_the_same_tokens_are_kept_where_definitions_agree(bench, again):
    for pair in bench.PAIRS:
        parts = [(now.aligned or now.defined) for _, now in again if now.policy == pair.name]
        sets, same = sum(one.sets for one in parts), sum(one.same for one in parts)
        if pair.name in OTHERS:
            assert same == 0, pair.name
        else:
            assert pair.name in ALIKE or pair.aligned is not None, pair.name
            assert same >= LEAST * sets, f"{pair.name}: {same} of {sets}"


def test_a_difference_is_one(again):
    for one, now in again:
        if one.aligned is not None and one.ratio == 0.9:
            assert now.defined.same < LEAST * now.aligned.same, (one.model, one.policy)


def test_the_committed_figures_come_out_again(again):
    for way in ("defined", "aligned"):
        then, now = ([getattr(one, way) for one in pair if getattr(one, way)] for pair in zip(*again, strict=True))
        for name in ("sets", "tokens"):
            assert sum(getattr(one, name) for one in then) == sum(getattr(one, name) for one in now)
        for name in ("same", "common"):
            sums = [sum(getattr(one, name) for one in ones) for ones in (then, now)]
            assert sums[0] == pytest.approx(sums[1], rel=0.01)


def test_with_less_room_than_the_window_kvpress_keeps_some_of_the_window(found):
    narrow = [one for one in found if one.policy == "snapkv, less room than window"]
    kept = [held for one in narrow for heads in one.theirs for held in heads]
    assert all(min(held) >= 250 - 64 for held in kept)
    assert any(max(held) < 249 for held in kept)


def test_after_some_steps_kvpress_has_lost_sinks_unless_its_slots_are_in_order(found):
    sinks: dict[str, set[int]] = {}
    for one in found:
        for heads in one.theirs:
            sinks.setdefault(one.policy, set()).update(len({0, 1, 2, 3} & set(held)) for held in heads)
    assert max(sinks["streaming, 24 steps later"]) < 4
    assert sinks["streaming, 24 steps later, in order"] == {4}


def test_saved_tables_follow_from_the_saved_sets(bench, found):
    saved = results.load(FILE)["tables"]
    shown = bench.table(found)
    assert [table["rows"] for table in saved] == [[list(row) for row in shown.rows]]


def test_sets_are_read_as_they_were_written(bench):
    import agreement

    kept = [[[0, 3, 249], [7]], [[1, 2], [0]]]
    assert agreement.unpacked(agreement.packed(kept)) == kept
    counted = agreement.agreement([[[0, 3], [7]], [[1, 2], [5]]], kept)
    assert counted == agreement.Agreement(sets=4, same=2, tokens=7, common=5)
