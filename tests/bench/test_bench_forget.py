"""The forgetting bench, over a small conversation of our own."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import pytest
from bench_conversations import conversation

from mnemos.bench import forget, forget_report, results
from mnemos.bench.data import read


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "tiny.jsonl"
    path.write_text(json.dumps(conversation()) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(file: Path) -> forget.Run:
    return forget.run([file], seed=3)


def test_every_policy_has_a_whole_curve(run: forget.Run) -> None:
    (policies,) = run.recalls.values()
    assert set(policies) == {"salience", "ebbinghaus", "layered", "longest", "newest", "random", "oracle"}
    for by_share in policies.values():
        assert set(by_share) == {f"{share:g}" for share in forget.SHARES}
        assert all(len(values) == 3 for values in by_share.values())


def test_what_is_not_kept_is_missed(run: forget.Run) -> None:
    policies = run.recalls["tiny"]
    for name, by_share in policies.items():
        assert mean(by_share["1"]) == 1, name
        means = [mean(by_share[f"{share:g}"]) for share in forget.SHARES]
        assert means == sorted(means, reverse=True), name
        assert means[-1] < 1, name
    assert mean(policies["oracle"]["0.5"]) == 1
    assert policies["newest"]["0.25"][0] == 0


def test_the_same_seed_forgets_the_same(file: Path, run: forget.Run) -> None:
    (one,) = read(file).conversations
    again = forget.curve(one, 3, shares=(0.5,))
    assert [round(value, 4) for value in again["random"][0.5]] == run.recalls["tiny"]["random"]["0.5"]


def test_questions_without_an_answer_are_left_out(file: Path, run: forget.Run) -> None:
    assert run.questions == {"tiny": ["ana-ben q0", "ana-ben q1", "ana-ben q2"]}


def test_results_hold_no_words_and_give_the_same_tables(run: forget.Run, tmp_path: Path) -> None:
    results.save(forget_report.to_json(run), tmp_path / "forget.json")
    text = (tmp_path / "forget.json").read_text("utf-8")
    assert "cello" not in text
    again = forget_report.from_json(results.load(tmp_path / "forget.json"))
    assert [table.rows for table in forget_report.tables(again)] == [table.rows for table in forget_report.tables(run)]
    assert forget_report.points(again, "tiny")["Mnemos"][0] == (1.0, 1.0)
