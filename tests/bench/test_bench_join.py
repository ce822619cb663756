"""`mnemos bench join` and `reuse` on models that learn in a second, and the reports that they write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mnemos.bench import join_report, reuse_report

ROOT = Path(__file__).resolve().parents[2]
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from mnemos.bench.forms import join, reuse, training  # noqa: E402
from mnemos.bench.forms.fixtures import folder, trained  # noqa: E402
from mnemos.bench.forms.recipes import RECALL, UPDATE_3, UPDATE_6, Recipe  # noqa: E402
from mnemos.bench.forms.tasks import ASK, BOS, FIRST_KEY, FIRST_VALUE, draw, right  # noqa: E402

QUICK = Recipe("update", layers=2, width=16, heads=1, stages=(2,), batch=4, passed=9.0, learned=9.0, settling=2, most=9)
"""Learns nothing in two steps: how it is made and kept is what is tested."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MNEMOS_BENCH_CACHE", str(tmp_path / "models"))
    torch.set_num_threads(1)
    return tmp_path / "models"


def generator(seed: int = 0) -> object:
    return torch.Generator().manual_seed(seed)


def by_hand(ids: list[int]) -> dict[int, int]:
    """The last value of each key of a text."""
    pairs = ids[1:] if ids[0] == BOS else ids
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


@pytest.mark.parametrize("task", ["recall", "update"])
@pytest.mark.parametrize("pairs", [1, 2, 8, 16])
def test_every_key_is_asked_for_its_last_value(task: str, pairs: int) -> None:
    drawn = draw(task, 20, pairs, generator())
    for read, asked, changed in zip(drawn.read.tolist(), drawn.asked.tolist(), drawn.changed.tolist(), strict=True):
        first = by_hand(read[: drawn.earlier.shape[1]])
        last = by_hand(read)
        assert asked[0] == ASK
        assert by_hand(asked[1:]) == last
        assert len(last) == pairs
        assert changed == [task == "update" and key in by_hand(read[drawn.earlier.shape[1] :]) for key in asked[1::2]]
        assert task == "recall" or set(first) == set(last)
        assert all(FIRST_KEY <= key < FIRST_VALUE <= value for key, value in last.items())
    assert task == "recall" or drawn.changed.sum(1).tolist() == [max(1, pairs // 2)] * 20
    asked_for = drawn.labels() != -100
    assert asked_for.sum(1).tolist() == [pairs] * 20
    assert torch.equal(drawn.labels()[asked_for], drawn.whole[asked_for])


def test_answers_are_counted_where_values_are_asked_for() -> None:
    drawn = draw("update", 3, 8, generator())
    logits = torch.zeros(3, drawn.asked.shape[1], 80)
    logits[:, :-1].scatter_(2, drawn.asked[:, 1:, None], 1.0)
    assert right(logits, drawn.asked).all()
    wrong = logits.clone()
    wrong[1, 5] = 0
    assert right(wrong, drawn.asked).sum(1).tolist() == [8, 7, 8]


def test_a_model_is_trained_once_the_same_each_time_and_found_again(cache: Path) -> None:
    told: list[int] = []
    before = torch.get_rng_state()
    first = trained(QUICK, lambda step, pairs, loss: told.append(step))
    assert told == [0, 1]
    assert torch.equal(torch.get_rng_state(), before), "the caller's chance is not touched"
    again = trained(QUICK, lambda step, pairs, loss: pytest.fail("it was kept"))
    anew = training.learn(QUICK)
    for name, weight in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
        assert torch.equal(anew.state_dict()[name], weight), name
    assert [path.name for path in folder().iterdir()] == [f"{QUICK.key}.safetensors"]
    assert folder() == cache
    assert not first.training
    assert len({QUICK.key, RECALL.key, UPDATE_3.key, UPDATE_6.key}) == 4


def test_what_is_not_learned_is_said() -> None:
    hopeless = Recipe("recall", layers=1, width=16, heads=1, stages=(2,), batch=2, most=3)
    with pytest.raises(training.NotLearned, match="after 3 steps"):
        trained(hopeless)
    assert not list(folder().glob("*.safetensors"))


def test_a_deeper_model_repeats_the_layers_of_the_one_that_it_grew_from_and_learns_on() -> None:
    small = trained(QUICK)
    deeper = Recipe("update", layers=5, width=16, heads=1, stages=(2,), start=QUICK, learned=9.0, settling=2)
    large = training.grown(small, deeper.config())
    of = [0, 0, 0, 1, 1]
    for layer, number in zip(large.model.layers, of, strict=True):
        assert torch.equal(layer.mlp.up_proj.weight, small.model.layers[number].mlp.up_proj.weight)
    assert torch.equal(large.lm_head.weight, small.lm_head.weight)
    learned = trained(deeper)
    assert len(learned.model.layers) == 5
    assert not torch.equal(learned.lm_head.weight, small.lm_head.weight)
    assert len(list(folder().glob("*.safetensors"))) == 2


@pytest.fixture
def joined() -> join_report.Run:
    return join.run([QUICK], texts=3, seed=1)


def test_joining_is_measured_in_every_way_at_every_share(joined: join_report.Run) -> None:
    (one,) = joined.models
    ways = {(point.way, point.share) for point in one.points}
    assert ways == {
        *((join_report.FULL, 1.0), (join_report.RAW, 0.0), (join_report.MOVED, 0.0)),
        *((way, share) for way in join_report.REPAIRED for share in join.SHARES),
    }
    assert (one.questions, one.updated, len(one.needed)) == (2, 1, 2)
    for point in one.points:
        assert point.way == join_report.FULL or point.cost <= point.share
        assert len(point.right) == len(point.changed) == 3
        counts = [join_report.DIGITS.index(digit) for digit in point.right]
        assert all(0 <= count <= 2 for count in counts)
    by_way = {(point.way, point.share): point for point in one.points}
    assert by_way[join_report.OURS, 1.0].right == by_way[join_report.FULL, 1.0].right, "all of it is a full reading"
    for way in join_report.REPAIRED:
        assert by_way[way, 0.0].right == by_way[join_report.MOVED, 0.0].right, "nothing is what was joined"


def test_a_joined_run_is_saved_and_read_again(joined: join_report.Run) -> None:
    data = json.loads(json.dumps(join_report.to_json(joined)))
    again = join_report.from_json(data)
    assert [table.rows for table in join_report.tables(again)] == [table.rows for table in join_report.tables(joined)]
    curves = join_report.curves(again.models[0])
    assert set(curves) == set(join_report.REPAIRED)
    assert all(line == sorted(line) for line in curves.values())


def test_reuse_is_measured_with_files_and_storage() -> None:
    shape = reuse.Shape(layers=2, width=32, heads=2, inner=48, vocabulary=60, groups=1)
    run = reuse.run(shape, lengths=[512], compared=512, threads=[1], rounds=2, learned=[QUICK])
    ways = {(one.way, one.repair, one.storage, one.cold) for one in run.timings}
    assert ways == {
        (reuse_report.READ, 0.0, "full", False),
        *((reuse_report.REUSED, repair, "full", False) for repair in (0.0, 0.15)),
        (reuse_report.REUSED, 0.0, "full", True),
        *((reuse_report.REUSED, 0.0, storage, False) for storage in ("int8", "int4")),
    }
    assert all(len(one.seconds) == 2 and min(one.seconds) > 0 for one in run.timings)
    assert all(one.cost <= one.repair for one in run.timings if one.way == reuse_report.REUSED)
    for model in ("random weights", QUICK.name):
        by_storage = {one.storage: one for one in run.stored if one.model == model}
        full, eight, four = by_storage["full"], by_storage["int8"], by_storage["int4"]
        assert (full.key_error, full.value_error, full.logit_error, full.same) == (0, 0, 0, 1)
        assert 0 < eight.key_error < four.key_error < 0.3
        assert 0 < eight.value_error < four.value_error < 0.3
        assert (full.right is None) == (model == "random weights")
    random = {one.storage: one.bytes_per_token for one in run.stored if one.model == "random weights"}
    assert random["full"] > 2 * 2 * 16 * 4, "two layers, keys and values, one group of 16, four bytes"
    assert random["int8"] < 0.6 * random["full"]
    assert random["int4"] < random["int8"]
    data = json.loads(json.dumps(reuse_report.to_json(run)))
    again = reuse_report.tables(reuse_report.from_json(data))
    assert [table.rows for table in again] == [table.rows for table in reuse_report.tables(run)]
    assert all(table.rows for table in again)
    assert set(reuse_report.times(run, 1)) == {"read", "repair=0", "repair=0.15"}
