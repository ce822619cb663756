"""Fit the salience model: python tools/fit_salience.py FILE… [--folds] [--write src/mnemos/gate/salience.json]

Each FILE holds conversations with questions and evidence, one a line (see docs/benchmarks.md). A turn is salient where
it is evidence of a question; a file counts by the square root of how many turns of it are. With `--folds`, prints what
is left of recall at 10 when a share of the turns is kept by models fitted on other conversations of all files, and on
other files alone, beside keeping the longest.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fit_recall import snapshot_of
from numpy.typing import NDArray

from mnemos.bench.data import Conversation, Turn
from mnemos.bench.data import read as read_file
from mnemos.bench.report import APART
from mnemos.gate.features import FEATURES, Read, Seen, read
from mnemos.gate.salience import Model
from mnemos.recall.engine import rank
from mnemos.recall.query import read_query
from mnemos.recall.snapshot import Snapshot
from mnemos.records import DEFAULT_NAMESPACE, Memory

Array = NDArray[np.float64]
SHRINK = 2.0
"""How strongly weights are drawn to zero."""
TIE = 0.5
"""How freely talk with a machine may differ: the smaller the less."""
WEIGHT = 20.0
STEPS = 40
FOLDS = 5
SHARES = (0.5, 0.25)
NEVER = datetime(2026, 1, 1, tzinfo=UTC)


class Labelled(NamedTuple):
    """A conversation, what was seen of its turns, and which of them were asked for."""

    conversation: Conversation
    snapshot: Snapshot
    seen: Read
    asked: Array


def label(conversation: Conversation) -> Labelled:
    """Look at a conversation's turns, and at which of them are evidence."""
    evidence = {turn for q in conversation.questions if q.category not in APART for turn in q.evidence}
    asked = np.array([turn.id in evidence for turn in conversation.turns], np.float64)
    seen = read([_memory(turn) for turn in conversation.turns], Seen())
    return Labelled(conversation, snapshot_of([_plain(turn) for turn in conversation.turns]), seen, asked)


def _memory(turn: Turn) -> Memory:
    return Memory(
        turn.id, DEFAULT_NAMESPACE, "turn", turn.text, speaker=turn.speaker, role=turn.role, session_id=turn.session
    )


def _plain(turn: Turn) -> dict[str, Any]:
    when = None if turn.happened_at is None else turn.happened_at.replace(tzinfo=None).isoformat()
    about = {"id": turn.id, "session": turn.session, "speaker": turn.speaker, "role": turn.role}
    return {**about, "text": turn.text, "happened_at": when}


def design(seen: Read) -> Array:
    """Columns: shared weights, what differs with a machine, and the machine's own words."""
    own = np.stack([seen.machine, seen.machine * seen.size], axis=1)
    return np.hstack([seen.features, TIE * seen.features * seen.talk[:, None], own])


def fit(sets: Sequence[Sequence[Labelled]]) -> Model:
    """Fit by Newton's method; every file has a level of its own."""
    sets = [part for part in sets if any(one.asked.any() for one in part)]
    rows, targets, weights = [], [], []
    for number, part in enumerate(sets):
        found = np.vstack([design(one.seen) for one in part])
        level = np.zeros((len(found), len(sets)))
        level[:, number] = 100.0
        target = np.concatenate([one.asked for one in part])
        rows.append(np.hstack([found, level]))
        targets.append(target)
        weights.append(np.full(len(target), WEIGHT / np.sqrt(target.sum())))
    found = _newton(np.vstack(rows), np.concatenate(targets), np.concatenate(weights))
    return _model(found, sets)


def _newton(rows: Array, target: Array, weight: Array) -> Array:
    found = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (weight * (chance - target)) + SHRINK * found
        curve = rows.T @ (rows * (weight * chance * (1 - chance))[:, None]) + SHRINK * np.eye(len(found))
        step = np.linalg.solve(curve, slope)
        found -= step
        if np.abs(step).max() < 1e-9:
            break
    return found


def _model(found: Array, sets: Sequence[Sequence[Labelled]]) -> Model:
    n = len(FEATURES)
    shared, differs, own, levels = np.split(found, [n, 2 * n, 2 * n + 2])
    with_machine = [bool(np.concatenate([one.seen.talk for one in part]).any()) for part in sets]
    size = np.array([sum(float(one.asked.sum()) for one in part) for part in sets])
    bias = [
        float(np.average(100 * levels[mask], weights=size[mask]))
        if (mask := np.array(with_machine) == kind).any()
        else 0.0
        for kind in (False, True)
    ]
    people = dict(zip(FEATURES, shared.tolist(), strict=True))
    machine = dict(zip(FEATURES, (shared + TIE * differs).tolist(), strict=True))
    return Model(people, machine, float(own[0]), float(own[1]), (bias[0], bias[1]))


def judged(part: Sequence[Labelled], models: Sequence[Model]) -> str:
    """What is left of recall at 10 in a file, by shares kept, and beside it for keeping the longest."""
    shown = []
    full = _recall(part, [np.ones(len(one.asked)) for one in part], 1.0)
    for share in SHARES:
        ours = _recall(part, [model.logits(one.seen) for model, one in zip(models, part, strict=True)], share)
        longest = _recall(part, [_lengths(one) for one in part], share)
        shown.append(f"{share:.0%}: {ours:.3f} ({ours / full:.3f} of full), longest {longest:.3f}")
    return f"full {full:.3f}  " + "  ".join(shown)


def _lengths(one: Labelled) -> Array:
    return np.array([len(turn.text) for turn in one.conversation.turns], np.float64)


def _recall(part: Sequence[Labelled], worth: Sequence[Array], share: float) -> float:
    found = [_recalls(one, value, share) for one, value in zip(part, worth, strict=True)]
    return float(np.mean(list(itertools.chain.from_iterable(found))))


def _recalls(one: Labelled, worth: Array, share: float) -> list[float]:
    """Recall at 10 of every question, searched among the turns that are worth most."""
    turns, count = one.conversation.turns, round(share * len(worth))
    snapshot = one.snapshot.without(np.argsort(-worth, kind="stable")[count:])
    values = []
    for question in one.conversation.questions:
        if question.category not in APART and question.evidence:
            now = question.asked_at or one.conversation.last_time or NEVER
            nums = rank(snapshot, read_query(question.text, now=now, snapshot=snapshot), limit=10).nums
            gold = set(question.evidence)
            values.append(len(gold & {turns[num].id for num in nums.tolist()}) / len(gold))
    return values


def _without(files: dict[str, list[Labelled]], other: str, name: str, fold: int) -> list[Labelled]:
    """The conversations of a file, without those of one fold where it is the file in question."""
    return [one for place, one in enumerate(files[other]) if other != name or place % FOLDS != fold]


def main() -> None:
    """Fit, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    files = {path.name: [label(one) for one in read_file(path).conversations] for path in asked.files}
    if asked.folds:
        for name, part in files.items():
            folds = [fit([_without(files, other, name, fold) for other in files]) for fold in range(FOLDS)]
            print(
                f"{name}, on other conversations: {judged(part, [folds[n % FOLDS] for n in range(len(part))])}",
                flush=True,
            )
            if len(files) > 1:
                apart = fit([files[other] for other in files if other != name])
                print(f"{name}, on other files:         {judged(part, [apart] * len(part))}", flush=True)
    model = fit(list(files.values()))
    held = json.dumps(
        {
            "people": {name: round(value, 3) for name, value in model.people.items()},
            "machine": {name: round(value, 3) for name, value in model.machine.items()},
            "spoken": round(model.spoken, 3),
            "spoken_length": round(model.spoken_length, 3),
            "bias": [round(value, 3) for value in model.bias],
        },
        indent=2,
    )
    if asked.write:
        asked.write.write_text(held + "\n", encoding="utf-8")
    print(held)


if __name__ == "__main__":
    main()
