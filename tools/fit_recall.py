"""Fit the weights of recall: python tools/fit_recall.py FILE… [--folds] [--write src/mnemos/recall/weights.json]

Each FILE holds conversations with questions and evidence, one a line (see docs/benchmarks.md). Every file counts
the same. Prints recall and NDCG at 10 for weights fitted on all files, on the other conversations of all files
(`--folds`), and on the other *families* of files (the part of a file's name before the first dash).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import recall_fitting as fitting
from recall_calibration import Asked, calibrated, trials
from recall_calibration import report as calibration_report
from recall_fitting import Array, Question

from mnemos.embed.static import StaticEmbedder
from mnemos.recall import fusion
from mnemos.recall.analyze import Source, analyze
from mnemos.recall.engine import best_units
from mnemos.recall.query import read_query
from mnemos.recall.signals import measure
from mnemos.recall.snapshot import Row, Snapshot

SEED = 2026
SHRINK = 3.0
"""How strongly weights are drawn to the prior."""
TIE = 3**-0.5
"""How freely talk between people and talk with a machine may differ: the smaller the less."""
PRIOR = {
    **dict.fromkeys(("words", "words around", "words nearby", "words in the region", "phrases", "coverage"), 1.0),
    **dict.fromkeys(
        ("likeness", "likeness around", "likeness nearby", "likeness in the region", "likeness in session"), 1.0
    ),
    **dict.fromkeys(("meaning", "meaning nearby", "session", "reply"), 1.0),
    **dict.fromkeys(("speaker", "user on themselves", "machine on itself", "then", "soon after"), 1.0),
}
"""Equal weights for what matches; nothing for what is only a manner of speaking."""


def conversations(path: Path) -> Iterator[dict[str, Any]]:
    """The conversations of a file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def micros(text: str | None) -> int | None:
    """Microseconds since 1970 of a time in UTC."""
    return None if text is None else int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def snapshot_of(turns: Sequence[dict[str, Any]]) -> Snapshot:
    """A snapshot of a conversation, made as the store makes it."""
    static = StaticEmbedder.bundled()
    units = analyze([Source(t["text"], t["speaker"], micros(t["happened_at"])) for t in turns], static)
    rows = []
    for number, (turn, parts) in enumerate(zip(turns, units, strict=True)):
        texts = [turn["text"][part.start : part.end] for part in parts]
        vectors = static.embed(texts).astype(np.float16)
        about = (turn["session"], turn["speaker"], turn["role"], micros(turn["happened_at"]))
        for part, unit in enumerate(parts):
            place = (unit.start, unit.end, unit.tokens, unit.terms, vectors[part].tobytes())
            rows.append(Row(number, part, number, "turn", *about, *place))
    return Snapshot.build(rows, static.dim)


def bare(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn of which only the words are known; a person's name stands among them."""
    text = turn["text"] if turn["speaker"] in ("user", "assistant") else f"{turn['speaker']}: {turn['text']}"
    return {**turn, "text": text, "speaker": None, "role": None, "session": None, "happened_at": None}


def read(path: Path, weights: fusion.Weights) -> list[Question]:
    """Every question of a file, with the signals of its candidates."""
    questions = []
    for conversation in conversations(path):
        turns = conversation["turns"]
        snapshot = snapshot_of(turns)
        places = {turn["id"]: place for place, turn in enumerate(turns)}
        last = max((turn["happened_at"] or "" for turn in turns), default="") or "2026-01-01T00:00:00"
        for asked in conversation["questions"]:
            gold = {places[turn] for turn in asked["evidence"] if turn in places}
            if asked["category"] == "adversarial" or (not gold and asked["category"] != "abstention"):
                continue
            now = datetime.fromisoformat(asked["asked_at"] or last).replace(tzinfo=UTC)
            questions.append(_question(snapshot, asked, conversation["id"], gold, now, weights))
    return questions


def _question(
    snapshot: Snapshot, asked: dict[str, Any], conversation: str, gold: set[int], now: datetime, weights: fusion.Weights
) -> Question:
    signals = measure(snapshot, read_query(asked["text"], now=now, snapshot=snapshot))
    order = fusion.total(fusion.weigh(signals, snapshot.machine, weights))
    best = best_units(snapshot, order)
    kept = np.union1d(np.argsort(-order[best], kind="stable")[: fitting.CANDIDATES], sorted(gold)).astype(np.int64)
    columns = np.stack([signals.values[name][best[kept]] for name in weights.people], axis=1)
    machine = bool(snapshot.machine.any())
    return Question(asked["id"], conversation, asked["category"], machine, columns, np.isin(kept, sorted(gold)), 0)


def family(name: str) -> str:
    """Files of one family are never fitted on while one of them is judged."""
    return name.split("-")[0]


def train(sets: Sequence[Sequence[Question]], names: Sequence[str], start: Array | None = None) -> Array:
    """Fitted weights, still tied."""
    prior = np.concatenate([[PRIOR.get(name, 0.0) for name in names], np.zeros(2 * len(names))])
    batches = [fitting.batch(part, TIE) for part in sets if any(question.gold.any() for question in part)]
    return fitting.fit(batches, prior, SHRINK, start)


def judge(questions: Sequence[Question], weights: Array) -> list[tuple[float, float]]:
    """Recall and NDCG at 10 of every question that has evidence."""
    people, machine = fitting.untie(weights, TIE)
    return [fitting.found(question, people, machine) for question in questions if question.gold.any()]


def folded(data: dict[str, list[Question]], name: str, names: Sequence[str], start: Array) -> list[tuple[float, float]]:
    """Every question of a file, judged by weights fitted without its conversation (in five folds)."""
    result = []
    for fold in range(5):
        held = {q.conversation for q in data[name] if _fold(q.conversation) == fold}
        sets = [
            [q for q in part if family(other) != family(name) or q.conversation not in held]
            for other, part in data.items()
        ]
        if held:
            weights = train(sets, names, start)
            result += judge([q for q in data[name] if q.conversation in held], weights)
    return result


def _fold(conversation: str) -> int:
    return int(hashlib.sha256(conversation.encode()).hexdigest(), 16) % 5


def finish(paths: Sequence[Path], tied: Array, weights: fusion.Weights) -> fusion.Weights:
    """Weights on the scale of logits, with level, bias and threshold."""
    names = list(weights.people)
    people, machine = (dict(zip(names, part.tolist(), strict=True)) for part in fitting.untie(tied, TIE))
    return recalibrated(paths, weights._replace(people=people, machine=machine))


def recalibrated(paths: Sequence[Path], weights: fusion.Weights) -> fusion.Weights:
    """The same order of hits, with scores calibrated anew; prints how well they tell what is not known."""
    data = {}
    for path in paths:
        held = [
            Asked(c["turns"], c["questions"], snapshot_of(c["turns"]), snapshot_of(list(map(bare, c["turns"]))))
            for c in conversations(path)
        ]
        data[path.name] = trials(held, weights, SEED)
    fitted = calibrated(data, weights)
    first = next(name for name, weight in weights.people.items() if weight)
    for name, part in data.items():
        calibration_report(name, part, fitted, fitted.people[first] / weights.people[first])
    return fitted


def report(label: str, values: Sequence[tuple[float, float]]) -> None:
    """One line: recall and NDCG with their intervals."""
    parts = []
    for at, name in enumerate(("R@10", "NDCG@10")):
        mean, low, high = fitting.interval([value[at] for value in values], SEED)
        parts.append(f"{name} {100 * mean:5.1f} [{100 * low:.1f}, {100 * high:.1f}]")
    print(f"{label:46} n={len(values):4}  " + "  ".join(parts), flush=True)


def main() -> None:
    """Fit, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--test", nargs="*", type=Path, default=[], help="files to judge but not to fit on")
    parser.add_argument("--folds", action="store_true", help="judge on other conversations too (slow)")
    parser.add_argument("--level", action="store_true", help="keep the weights of the signals, calibrate anew")
    parser.add_argument("--write", type=Path, help="where to write the weights")
    options = parser.parse_args()
    weights = fusion.bundled()
    if options.level:
        write(options, recalibrated(options.files, weights))
        return
    names = list(weights.people)
    data = {re.sub(r"\.jsonl\.gz$", "", path.name): read(path, weights) for path in options.files}
    tied = train(list(data.values()), names)
    for name, questions in data.items():
        report(f"{name}, fitted on all", judge(questions, tied))
        if options.folds:
            report(f"{name}, on other conversations", folded(data, name, names, tied))
        others = [part for other, part in data.items() if family(other) != family(name)]
        if others:
            report(f"{name}, on other data sets", judge(questions, train(others, names)))
    for path in options.test:
        report(f"{path.name} (not fitted on)", judge(read(path, weights), tied))
    write(options, finish(options.files, tied, weights))


def write(options: argparse.Namespace, final: fusion.Weights) -> None:
    """Keep the weights where `--write` says."""
    if options.write:
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in options.files}
        held = {"seed": SEED, "shrink": SHRINK, "data": hashes, **final._asdict()}
        options.write.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
