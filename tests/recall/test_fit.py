"""The fit of the weights, on questions made up so that the right answer is known."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mnemos.recall import fusion
from mnemos.recall.engine import rank
from mnemos.recall.query import read_query
from mnemos.recall.snapshot import Snapshot

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "locomo-dev.jsonl.gz"
sys.path.insert(0, str(ROOT / "tools"))

import messenger_like  # noqa: E402
import recall_fitting as fitting  # noqa: E402


def questions(count: int, seed: int, *, machine: bool = False) -> list[fitting.Question]:
    """Three signals: the first points to the evidence, the second is noise, the third points away from it."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        signals = rng.normal(size=(12, 3))
        gold = np.zeros(12, np.bool_)
        gold[rng.integers(12)] = True
        signals[gold, 0] += 2
        signals[gold, 2] -= 2
        made.append(fitting.Question(str(number), "c", "x", machine, signals, gold, 0))
    return made


def test_the_fit_finds_what_points_to_the_evidence() -> None:
    tie = 0.5
    batches = [fitting.batch(questions(200, 1), tie), fitting.batch(questions(200, 2, machine=True), tie)]
    people, machine = fitting.untie(fitting.fit(batches, np.zeros(9), 1.0), tie)
    for weights in (people, machine):
        assert weights[0] > 0.8
        assert abs(weights[1]) < 0.4
        assert weights[2] < -0.8
    recalls = [fitting.found(question, people, machine, 1)[0] for question in questions(200, 3)]
    assert np.mean(recalls) > 0.75


def test_a_strong_prior_holds_the_weights() -> None:
    prior = np.array([1.0, 1.0, 1.0] + [0.0] * 6)
    fitted = fitting.fit([fitting.batch(questions(50, 1), 0.5)], prior, 1e6)
    np.testing.assert_allclose(fitted, prior, atol=0.01)


def test_the_two_kinds_of_talk_may_differ() -> None:
    turned = [q._replace(signals=-q.signals) for q in questions(200, 4, machine=True)]
    batches = [fitting.batch(questions(200, 1), 1.0), fitting.batch(turned, 1.0)]
    people, machine = fitting.untie(fitting.fit(batches, np.zeros(9), 1.0), 1.0)
    assert people[0] > 0.8 > -0.8 > machine[0]


def test_recall_and_gain_by_hand() -> None:
    signals = np.array([[3.0], [2.0], [1.0]])
    question = fitting.Question("q", "c", "x", False, signals, np.array([False, True, True]), 0)
    recall, gain = fitting.found(question, np.array([1.0]), np.array([1.0]), 2)
    assert recall == 0.5
    assert gain == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))


def test_probabilities_are_calibrated() -> None:
    rng = np.random.default_rng(5)
    inputs = np.column_stack([rng.normal(size=4000), np.ones(4000)])
    truth = 1 / (1 + np.exp(-(2 * inputs[:, 0] - 1)))
    labels = (rng.random(4000) < truth).astype(float)
    weights = fitting.logistic(inputs, labels, np.ones(4000))
    np.testing.assert_allclose(weights, [2, -1], atol=0.25)


def test_weights_name_the_same_signals_for_both_kinds_of_talk_and_say_what_made_them(snapshot: Snapshot) -> None:
    held = json.loads((ROOT / "src/mnemos/recall/weights.json").read_text(encoding="utf-8"))
    weights = fusion.bundled()
    assert list(weights.people) == list(weights.machine)
    assert held["data"]
    assert held["seed"]
    assert 0 < weights.threshold < 0.5
    now = datetime(2026, 4, 1, tzinfo=UTC)
    contributions = rank(snapshot, read_query("Ana's rent?", now=now, snapshot=snapshot)).contributions
    assert set(contributions) == {*weights.people, "level"}


def test_a_conversation_becomes_messages_with_the_same_questions() -> None:
    turns = [
        {"id": "1", "text": "Hello there! I bought a piano. [image: a piano]", "speaker": "Ana"},
        {"id": "2", "text": "Lovely.", "speaker": "Rui"},
    ]
    asked = {"id": "q", "text": "What did Ana buy?", "answer": "a piano", "category": "x", "evidence": ["1"]}
    chance = random.Random(1)
    made = messenger_like.converted({"turns": turns, "questions": [asked]}, chance)
    assert [turn["id"] for turn in made["turns"]] == ["1/0", "1/1", "2/0"]
    assert made["questions"][0]["evidence"] == ["1/1"]


@pytest.mark.skipif(not DATA.exists(), reason="the development data is not here")
def test_the_fit_runs_on_a_real_file(tmp_path: Path) -> None:
    small = tmp_path / "locomo-small.jsonl.gz"
    with gzip.open(DATA, "rt", encoding="utf-8") as lines, gzip.open(small, "wt", encoding="utf-8") as out:
        for conversation in [json.loads(next(lines)), json.loads(next(lines))]:
            conversation["questions"] = conversation["questions"][:20]
            out.write(json.dumps(conversation) + "\n")
    target = tmp_path / "weights.json"
    command = [sys.executable, str(ROOT / "tools/fit_recall.py"), str(small), "--write", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "R@10" in done.stdout
    assert set(json.loads(target.read_text())["people"]) == set(fusion.bundled().people)
