"""`mnemos bench mqar`: its texts against a plain reading of them, a run small enough to learn, and its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mnemos.bench import mqar_report as report
from mnemos.bench.results import save
from mnemos.errors import InvalidInput

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
torch.set_num_threads(1)

from mnemos.bench.neural import mqar  # noqa: E402
from mnemos.cli import main  # noqa: E402
from mnemos.neural.presets import PRESETS  # noqa: E402

EASY = mqar.Task(keys=2, tokens=12, vocabulary=12)
SMALL = mqar.Plan(width=16, layers=2, batch=32, steps=200, rates=(1e-2,), every=20, examined=64)


@pytest.mark.parametrize("task", [*mqar.TASKS.values(), EASY], ids=["recall", "last value", "easy"])
def test_texts_are_pairs_and_then_questions_for_the_last_value(task: mqar.Task) -> None:
    drawn = task.draw(50, torch.Generator().manual_seed(1))
    half, others = task.vocabulary // 2, set()
    for ids, labels, changed in zip(drawn.ids.tolist(), drawn.labels.tolist(), drawn.changed.tolist(), strict=True):
        told, times = {}, dict.fromkeys(ids[: task.told : 2], 0)
        for place in range(0, task.told, 2):
            assert 0 <= ids[place] < half <= ids[place + 1] < task.vocabulary
            told[ids[place]] = ids[place + 1]
            times[ids[place]] += 1
        asked = [place for place, label in enumerate(labels) if label != -100]
        assert all(place >= task.told for place in asked)
        assert sorted(ids[place] for place in asked) == sorted(told)
        assert all(labels[place] == told[ids[place]] for place in asked)
        others |= {ids[place] for place in range(task.told, task.tokens) if place not in asked}
        assert [place for place in asked if changed[place]] == [place for place in asked if times[ids[place]] == 2]
        assert sum(changed) == task.changes
    assert len({tuple(ids) for ids in drawn.ids.tolist()}) > 40
    assert min(others) < half <= max(others) < task.vocabulary


def test_short_gaps_are_the_likely_ones() -> None:
    task = mqar.Task(keys=1, tokens=42, vocabulary=64)
    places = (task.draw(4000, torch.Generator().manual_seed(2)).labels != -100).nonzero()[:, 1]
    slots = (places - task.told) // 2 + 1
    weights = torch.arange(1, 21, dtype=torch.float).pow(-0.99)
    expected = weights / weights.sum()
    counts = slots.bincount(minlength=21)[1:] / 4000
    assert (counts - expected).abs().max() < 0.03


def test_what_can_be_learned_is_learned_and_stops_early() -> None:
    found = mqar.trial("delta-net", "delta-net", EASY, SMALL, 1e-2, 0)
    assert found.accuracy >= 0.99
    assert found.steps < 200
    again = mqar.trial("delta-net", "delta-net", EASY, SMALL, 1e-2, 0)
    assert (again.accuracy, again.steps, again.state) == (found.accuracy, found.steps, found.state)
    assert found.state == 2 * (16 * 16 + 3 * 48)


def test_the_sweep_ends_with_the_first_rate_that_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = mqar.Plan(rates=(1e-4, 1e-2, 1e-3))
    reached = {1e-4: 0.2, 1e-2: 0.995, 1e-3: 1.0}

    def known(name: str, layer: object, task: mqar.Task, plan: mqar.Plan, rate: float, seed: int) -> report.Trial:
        return report.Trial(name, task.name, rate, 1, 1, reached[rate])

    monkeypatch.setattr(mqar, "trial", known)
    assert [one.rate for one in mqar.sweep("x", "lstm", mqar.RECALL, plan, 0)] == [1e-4, 1e-2]


def test_every_preset_is_a_contestant_and_can_be_built() -> None:
    assert set(PRESETS) < set(mqar.CONTESTANTS)
    task = mqar.Task(keys=2, tokens=20, vocabulary=16)
    plan = mqar.Plan(width=16, layers=1, batch=2, steps=1, rates=(1e-3,), examined=2)
    for name, layer in mqar.CONTESTANTS.items():
        one = mqar.trial(name, layer, task, plan, 1e-3, 0)
        assert one.steps == 1
        assert one.state > 0


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [mqar.rate_at(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 50)
    assert max(rates) == pytest.approx(1.0, abs=0.02)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def trials() -> report.Run:
    told = {"width": 64, "layers": 2, "batch": 64, "steps": 3000, "rates": [0.003, 0.01], "enough": 0.99}
    tasks = {
        "recall": {"keys": 16, "changes": 0, "tokens": 64, "vocabulary": 256},
        "last value": {"keys": 12, "changes": 8, "tokens": 64, "vocabulary": 256},
    }
    found = [
        report.Trial("lstm", "recall", 0.003, 100, 256, 0.1, None, 3000, 60.0),
        report.Trial("lstm", "recall", 0.01, 100, 256, 0.2, None, 3000, 61.0),
        report.Trial("delta-net", "recall", 0.003, 200, 8192, 0.995, None, 500, 20.0),
        report.Trial("delta-net", "last value", 0.003, 200, 8192, 0.9, 0.85, 3000, 99.0),
    ]
    return report.Run(told, tasks, found, 0)


def test_the_report_shows_the_best_rate_and_goes_through_json(tmp_path: Path) -> None:
    run = trials()
    save(report.to_json(run), tmp_path / "mqar.json")
    assert report.from_json(json.loads((tmp_path / "mqar.json").read_text("utf-8"))) == run
    shown = report.tables(run)
    assert shown[0].rows == (
        ("lstm", "20.0", "0.01", "3,000", "61", "100", "256"),
        ("delta-net", "99.5", "0.003", "500", "20", "200", "8,192"),
    )
    assert shown[1].rows == (("lstm", "10.0", "20.0"), ("delta-net", "99.5", "–"))
    assert shown[2].rows == (("delta-net", "90.0", "85.0", "0.003", "3,000", "99", "200", "8,192"),)
    small = report.Trial("delta-net, 8 keys", "recall", 0.003, 200, 1024, 0.4)
    wider = report.Run(run.plan, run.tasks, [*run.trials, small], 0)
    points = report.against_state(wider, "recall")
    assert points == {"lstm": [(256, 0.2)], "delta-net": [(1024, 0.4), (8192, 0.995)]}


def test_results_of_one_plan_are_joined_and_what_was_tried_again_is_replaced() -> None:
    kept = trials()
    again = report.Trial("lstm", "recall", 0.003, 100, 256, 0.5, None, 3000, 70.0)
    new = report.Run(kept.plan, {"recall": kept.tasks["recall"]}, [again], 0)
    joined = report.merged(kept, new)
    assert [one.accuracy for one in joined.trials] == [0.995, 0.9, 0.5]
    assert joined.tasks == kept.tasks
    with pytest.raises(InvalidInput, match="keep"):
        report.merged(kept, report.Run({**kept.plan, "steps": 9}, new.tasks, [again], 0))


def test_the_command_measures_saves_and_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqar, "QUICK", mqar.Plan(width=8, batch=2, steps=2, rates=(1e-3,), examined=2))
    file = tmp_path / "results.json"
    line = ["bench", "mqar", "--quick", "--task", "recall", "--save", str(file), "--json"]
    first = CliRunner().invoke(main, [*line, "--preset", "lstm"])
    assert first.exit_code == 0, first.output
    second = CliRunner().invoke(main, [*line, "--preset", "retnet", "--keep"])
    assert {one["name"] for one in json.loads(second.stdout)["trials"]} == {"lstm", "retnet"}
    assert json.loads(file.read_text("utf-8")) == json.loads(second.stdout)
    wrong = CliRunner().invoke(main, ["bench", "mqar", "--preset", "gru"])
    assert wrong.exit_code == 2
    assert "gru" in wrong.stderr


def test_what_was_tried_is_there_when_a_run_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def known(name: str, layer: object, task: mqar.Task, plan: mqar.Plan, rate: float, seed: int) -> report.Trial:
        if name == "lstm":
            raise KeyboardInterrupt
        return report.Trial(name, task.name, rate, 1, 1, 1.0)

    monkeypatch.setattr(mqar, "trial", known)
    line = ["bench", "mqar", "--preset", "retnet", "--preset", "lstm", "--save", str(tmp_path / "file")]
    assert CliRunner().invoke(main, line).exit_code == 130
    assert [one["name"] for one in json.loads((tmp_path / "file").read_text("utf-8"))["trials"]] == ["retnet"]
