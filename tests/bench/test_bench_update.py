"""`mnemos.bench.update`: from files of facts and of conversations to tables and results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_conversations import conversation, question, write
from click.testing import CliRunner

from mnemos.bench import results, update, update_report
from mnemos.cli import main
from mnemos.errors import InvalidInput

DEV = Path(__file__).resolve().parents[3] / "shared" / "data" / "factconsolidation-dev.json"
TOWNS = ("Velha", "Nova", "Alta")
FACTS = [
    *(f"The capital of Maresia is {town}." for town in TOWNS),
    "The capital of Brumosa is Baixa.",
    "Lusa was founded by Rita.",
    "Lusa was founded by Paulo.",
]
SETS: list[dict[str, Any]] = [
    {"id": "tiny_sh", "hops": "single", "facts": FACTS, "questions": [
        {"text": "What is the capital of Maresia?", "answers": ["Alta"]},
        {"text": "What is the capital of Brumosa?", "answers": ["Baixa"]},
        {"text": "Who founded Lusa?", "answers": ["Paulo"]},
    ]},
    {"id": "tiny_mh", "hops": "multi", "facts": FACTS, "questions": [
        {"text": "Who founded the paper of Maresia?", "answers": ["Nobody"]},
    ]},
]  # fmt: skip


def changed() -> dict[str, Any]:
    """The small conversation, with a question about something that changed."""
    made = conversation()
    made["turns"].append({**made["turns"][6], "id": "t10", "text": "My sister Rita is vegetarian now, not vegan."})
    made["questions"] = [*made["questions"], question(5, "Is my sister Rita vegan?", "knowledge_update", [6])]
    made["questions"][-1]["evidence"] = ["t6", "t10"]
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("update")
    facts = folder / "facts.json"
    facts.write_text(json.dumps(SETS), encoding="utf-8")
    return [facts, write(folder / "tiny.jsonl.gz", changed())]


@pytest.fixture(scope="module")
def run(files: list[Path]) -> update.Run:
    return update.run(files)


def test_what_is_current_comes_first_before_and_after_derivation(run: update.Run) -> None:
    assert [one.id for one in run.facts] == ["0", "1", "2"]
    assert {one.data for one in run.facts} == {"tiny_sh"}
    for system in ("Mnemos", "Mnemos, derived"):
        assert [one.scores[system] for one in run.facts] == [(1.0, 0.0), (1.0, None), (1.0, 0.0)]
    alone = [one.scores["ranking alone"] for one in run.facts]
    assert any(score == (0.0, 1.0) for score in alone)


def test_of_conversations_the_questions_about_change_count(run: update.Run) -> None:
    (one,) = run.turns
    assert (one.data, one.id) == ("tiny knowledge_update", "q5")
    assert set(one.scores) == set(update.SYSTEMS)


def test_the_current_fact_and_the_outdated_ones_are_told_by_the_answer() -> None:
    current, outdated = update.matter(SETS[0]["questions"][0], FACTS)
    assert current == FACTS[2]
    assert outdated == FACTS[:2]
    assert update.matter({"text": "Who founded Lusa?", "answers": ["Nobody"]}, FACTS) == (None, [])


def test_results_hold_no_words_and_give_the_same_tables(run: update.Run, tmp_path: Path) -> None:
    path = tmp_path / "update.json"
    results.save(update_report.to_json(run), path)
    text = path.read_text(encoding="utf-8")
    assert "Maresia" not in text
    assert "vegetarian" not in text
    again = update_report.from_json(results.load(path))
    assert again == run
    assert [table.rows for table in update_report.tables(again)] == [table.rows for table in update_report.tables(run)]
    with pytest.raises(InvalidInput):
        update_report.from_json({**json.loads(text), "format": 99})


@pytest.mark.parametrize("body", ["[1]", '[{"id": "x"}]', "[", '[{"id": "x", "facts": [], "questions": [{}]}]'])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, body: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(InvalidInput, match="broken"):
        update.run([path])


def test_it_runs_on_the_command_line(files: list[Path], tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    done = CliRunner().invoke(main, ["bench", "update", str(files[0]), "--json", "--save", str(saved)])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["tables"][0]["rows"][0][:2] == ["tiny_sh", "3"]
    assert saved.is_file()


@pytest.mark.skipif(not DEV.is_file(), reason="the development data are not here")
def test_on_published_facts_what_is_current_comes_first(tmp_path: Path) -> None:
    short = [one for one in json.loads(DEV.read_bytes()) if one["hops"] == "single"][:1]
    short[0]["questions"] = short[0]["questions"][:50]
    path = tmp_path / "short.json"
    path.write_text(json.dumps(short), encoding="utf-8")
    answers = update.run([path]).facts
    for system in ("Mnemos", "Mnemos, derived"):
        scores = [one.scores[system] for one in answers]
        outdated = [score[1] for score in scores if score[1] is not None]
        assert sum(score[0] for score in scores) >= 0.9 * len(scores)
        assert sum(outdated) <= 0.05 * len(outdated)
