"""`mnemos.bench.recall` from a file to tables and results."""

import copy
import json
from pathlib import Path

import pytest
from bench_conversations import conversation, write

from mnemos.bench import recall, report, results
from mnemos.errors import InvalidInput

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("bench") / "tiny.jsonl.gz", conversation())
    return recall.run([path], transformer=False, budgets=(200, 1000))


def by_id(run):
    return {answer.id: answer for answer in run.answers}


def test_every_question_is_asked_of_every_system(tiny):
    assert tiny.systems == ("BM25", "static", "BM25+static", "Mnemos")
    assert list(by_id(tiny)) == ["q0", "q1", "q2", "q3", "q4"]
    assert all(set(answer.ranks) == set(tiny.systems) for answer in tiny.answers)
    assert tiny.notes == ("the transformer all-MiniLM-L6-v2 is left out: it was not asked for",)


def test_ten_turns_hold_all_evidence_and_easy_questions_come_first(tiny):
    answers = by_id(tiny)
    assert all(answers[one].ranks["Mnemos"].r10 == 1.0 for one in ("q0", "q1", "q2", "q3"))
    assert answers["q2"].ranks["Mnemos"].ndcg10 == 1.0
    assert answers["q2"].ranks["Mnemos"].session5 == 1.0


def test_a_question_without_evidence_has_a_score_and_no_recall(tiny):
    answer = by_id(tiny)["q4"]
    assert answer.gold == 0
    assert answer.ranks["Mnemos"].r10 is None
    assert answer.contexts[1000].share is None
    assert 0 <= answer.top <= 1


def test_contexts_stay_in_their_budget_and_show_the_evidence(tiny):
    answers = by_id(tiny)
    assert all(0 <= one.contexts[200].tokens <= 200 for one in tiny.answers)
    assert answers["q2"].contexts[1000].share == 1.0
    assert 0 < answers["q2"].contexts[1000].precision <= 1


def test_adversarial_and_abstention_are_scored_apart(tiny):
    main = report.main_table(tiny, report.groups(tiny))
    assert [row[:2] for row in main.rows] == [("tiny", "3"), ("tiny adversarial", "1")]
    knowing = report.knowing_table(tiny, report.groups(tiny))
    assert [row[:3] for row in knowing.rows] == [("tiny", "3", "1")]


def test_results_hold_no_words_of_the_data_and_give_the_same_tables(tiny, tmp_path):
    path = tmp_path / "tiny.json"
    results.save(report.to_json(tiny), path)
    text = path.read_text(encoding="utf-8")
    data = json.loads(text)
    words = {word for turn in conversation()["turns"] for word in turn["text"].lower().split() if len(word) > 5}
    words |= {word for one in conversation()["questions"] for word in one["text"].lower().split() if len(word) > 5}
    assert words
    assert not [word for word in words if f'"{word}' in text.lower() or f" {word}" in text.lower()]
    assert data["files"] == dict(tiny.files)
    assert {"seed", "versions", "machine", "questions", "tables"} <= set(data)
    loaded = report.from_json(results.load(path))
    assert [table.rows for table in report.tables(loaded)] == [
        tuple(tuple(row) for row in table["rows"]) for table in data["tables"]
    ]


def test_results_of_another_format_are_refused(tiny):
    with pytest.raises(InvalidInput, match="format"):
        report.from_json({**report.to_json(tiny), "format": 99})


def test_the_progress_names_each_conversation(tmp_path):
    second = copy.deepcopy(conversation())
    second["id"] = "again"
    seen = []
    path = write(tmp_path / "two.jsonl", conversation(), second)
    recall.run([path], transformer=False, budgets=(), progress=lambda *step: seen.append(step))
    assert seen == [("tiny ana-ben", 1, 2), ("tiny again", 2, 2)]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data are not here")
def test_the_baselines_reach_what_is_known_on_locomo():
    embeds = {"static": recall.bundled_static()}
    conversations = recall.read(SHARED / "locomo-dev.jsonl.gz").conversations
    found = []
    for one in conversations:
        rank = recall.baselines(one.turns, embeds)["BM25"]
        asked = [question for question in one.questions if question.category not in report.APART]
        found += [recall.score_rank(rank(question), question, one).r10 for question in asked if question.evidence]
    assert len(found) == 760
    assert sum(found) / len(found) == pytest.approx(0.58, abs=0.01)
