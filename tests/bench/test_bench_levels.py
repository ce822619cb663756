"""`mnemos.bench.levels`: from a file of conversations to contexts measured, tables and results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench_conversations import SAID, conversation, write
from click.testing import CliRunner

from mnemos.bench import levels, levels_report, results
from mnemos.cli import main
from mnemos.errors import InvalidInput


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("levels") / "tiny.jsonl.gz", conversation())


@pytest.fixture(scope="module")
def run(file: Path) -> levels.Run:
    return levels.run([file], budgets=(40, 1000))


def test_every_question_with_evidence_is_asked_of_every_system(run: levels.Run) -> None:
    assert [one.id for one in run.answers] == ["q0", "q1", "q2", "q3"]
    for answer in run.answers:
        assert list(answer.scores) == list(levels.SYSTEMS)
        assert all(list(found) == [40, 1000] for found in answer.scores.values())


def test_a_large_budget_holds_all_the_evidence_and_a_small_one_keeps_to_itself(run: levels.Run) -> None:
    first = run.answers[0]
    for system in levels.SYSTEMS:
        assert first.scores[system][1000].share == 1
        assert all(answer.scores[system][40].tokens <= 40 for answer in run.answers)
    assert first.scores[levels.WHOLE][40].items < first.scores[levels.WHOLE][1000].items


def test_tables_have_data_sets_categories_and_what_is_gained(run: levels.Run) -> None:
    budgets, categories = levels_report.tables(run)
    assert [row[:3] for row in budgets.rows][:2] == [("tiny", "3", "40"), ("tiny", "3", "1000")]
    assert budgets.rows[0][-1].startswith(("+", "-"))
    assert [row[0] for row in categories.rows] == ["tiny adversarial", "tiny multi-hop", "tiny single-hop"]


def test_results_hold_no_words_and_give_the_same_tables_again(run: levels.Run, tmp_path: Path) -> None:
    results.save(levels_report.to_json(run), tmp_path / "levels.json")
    text = (tmp_path / "levels.json").read_text(encoding="utf-8")
    assert all(said not in text for _, _, _, said in SAID if len(said) > 3)
    assert levels_report.tables(
        levels_report.from_json(results.load(tmp_path / "levels.json"))
    ) == levels_report.tables(run)
    with pytest.raises(InvalidInput):
        levels_report.from_json({**json.loads(text), "format": 0})


def test_the_command_prints_tables_or_json(file: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["bench", "levels", str(file), "--save", str(tmp_path / "made.json")])
    assert shown.exit_code == 0, shown.output
    assert "Share of the evidence" in shown.output
    assert levels_report.from_json(results.load(tmp_path / "made.json")).answers
