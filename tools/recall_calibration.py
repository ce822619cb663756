"""Calibration for `fit_recall.py`: what a score of 0.3 means, in stores of any size, and when nothing is known.

Questions with an answer are asked of their whole conversation, of the sessions that hold the answer alone, and of the
answer's nearest turns alone, as they are and stripped of speakers, times and sessions. Questions without one are those
that the data holds, and those made here: asked of another conversation (with its people's names put in), of their own
after the sessions with the answer are taken out, and of a handful of other turns.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import recall_fitting as fitting
from numpy.typing import NDArray
from recall_fitting import Array

from mnemos.recall import fusion
from mnemos.recall.engine import best_units
from mnemos.recall.query import read_query
from mnemos.recall.signals import measure
from mnemos.recall.snapshot import Snapshot

TOP = 30
"""How many of a question's best memories enter the calibration."""
MOST = 250
"""How many questions of a data set are asked, evenly spread; more do not change the fit."""
KEEP = 0.95
"""The threshold keeps this share of the questions that have an answer."""


class Trial(NamedTuple):
    """One question asked of one store."""

    kind: str
    known: bool
    order: Array
    """The sums of the best memories, without the level."""
    gold: NDArray[np.bool_]
    level: Array


class Asked(NamedTuple):
    """A conversation of a data set, ready to be asked."""

    turns: Sequence[dict[str, Any]]
    questions: Sequence[dict[str, Any]]
    snapshot: Snapshot
    bare: Snapshot
    """The same words, without who said them, when, and in which session."""

    @property
    def last(self) -> str:
        """The conversation's last time."""
        return max((turn["happened_at"] or "" for turn in self.turns), default="") or "2026-01-01T00:00:00"

    @property
    def names(self) -> list[str]:
        """Who speaks in it."""
        return sorted({turn["speaker"] for turn in self.turns})


def trials(held: Sequence[Asked], weights: fusion.Weights, seed: int) -> list[Trial]:
    """Every question of a data set, asked of several stores."""
    chance = random.Random(seed)
    step = max(1, sum(len(one.questions) for one in held) // MOST)
    return [trial for place in range(len(held)) for trial in _asked(held, place, step, weights, chance)]


def _asked(
    held: Sequence[Asked], place: int, step: int, weights: fusion.Weights, chance: random.Random
) -> Iterator[Trial]:
    one = held[place]
    places = {turn["id"]: number for number, turn in enumerate(one.turns)}
    rare = [question for question in one.questions if question["category"] == "abstention"]
    for question in [*one.questions[::step], *(rare if step > 1 else [])]:
        gold = {places[turn] for turn in question["evidence"] if turn in places}
        if question["category"] == "adversarial" or (not gold and question["category"] != "abstention"):
            continue
        now = question["asked_at"] or one.last
        stores = _stores(one, gold, chance) if gold else iter([("abstention", one.snapshot, set())])
        for kind, snapshot, answers in stores:
            if len(snapshot):
                yield _trial(kind, snapshot, question["text"], now, answers, weights)
        if gold and len(held) > 1:
            other = chance.choice([item for number, item in enumerate(held) if number != place])
            text = _renamed(question["text"], one.names, other.names)
            yield _trial("another conversation", other.snapshot, text, other.last, set(), weights)


def _stores(one: Asked, gold: set[int], chance: random.Random) -> Iterator[tuple[str, Snapshot, set[int]]]:
    """Stores that hold the answer among more or less else, and stores that do not hold it."""
    everything = range(len(one.turns))
    sessions = {one.turns[number]["session"] for number in gold}
    inside = {number for number in everything if one.turns[number]["session"] in sessions}
    outside = [number for number in everything if number not in inside]
    near = {number + step for number in gold for step in (-1, 0, 1, 2)} & set(everything)
    near |= set(chance.sample(range(len(one.turns)), chance.choice([0, 1, 2, 5])))
    few = set(chance.sample(outside, min(len(outside), chance.choice([1, 2, 3, 6, 12]))))

    def only(kept: set[int]) -> Snapshot:
        return one.snapshot.without(np.array([number for number in everything if number not in kept], np.int64))

    def bare(kept: set[int]) -> Snapshot:
        return one.bare.without(np.array([number for number in everything if number not in kept], np.int64))

    yield "whole", one.snapshot, gold
    yield "its sessions", only(inside), gold
    yield "its turns", only(near), gold
    yield "its bare turns", bare(near), gold
    yield "a few bare turns", bare(few), set()
    yield "answer taken out", one.snapshot.without(np.array(sorted(inside), np.int64)), set()
    yield "a few other turns", only(few), set()


def _renamed(text: str, names: Sequence[str], others: Sequence[str]) -> str:
    for name, other in zip(names, others, strict=False):
        text = re.sub(rf"\b{re.escape(name)}\b", other, text)
    return text


def _trial(kind: str, snapshot: Snapshot, text: str, now: str, gold: set[int], weights: fusion.Weights) -> Trial:
    query = read_query(text, now=datetime.fromisoformat(now).replace(tzinfo=UTC), snapshot=snapshot)
    signals = measure(snapshot, query)
    terms = fusion.weigh(signals, snapshot.machine, weights)
    del terms["level"]
    order = fusion.total(terms)
    met = fusion.level(signals, terms)
    best = order[best_units(snapshot, order)]
    top = np.argsort(-best, kind="stable")[:TOP]
    level = np.array([met[name] for name in weights.level])
    return Trial(kind, bool(gold), best[top].astype(np.float64), np.isin(snapshot.memories[top], sorted(gold)), level)


def calibrated(data: dict[str, list[Trial]], weights: fusion.Weights) -> fusion.Weights:
    """The weights on the scale of logits, with level, bias and threshold; every data set counts the same."""
    inputs, labels, counts = [], [], []
    for held in data.values():
        for trial in held:
            size = len(trial.order)
            inputs.append(np.column_stack([trial.order, np.tile(trial.level, (size, 1)), np.ones(size)]))
            labels.append(trial.gold)
            counts.append(np.full(size, 400 / len(held)))
    fitted = fitting.logistic(np.concatenate(inputs), np.concatenate(labels), np.concatenate(counts))
    scale, level, bias = float(fitted[0]), fitted[1:-1], float(fitted[-1])
    changed = weights._replace(
        people={name: round(scale * weight, 4) for name, weight in weights.people.items()},
        machine={name: round(scale * weight, 4) for name, weight in weights.machine.items()},
        level=dict(zip(weights.level, np.round(level, 4).tolist(), strict=True)),
        bias=round(bias, 4),
    )
    tops = [[scale * t.order[0] + t.level @ level + bias for t in held if t.known] for held in data.values()]
    even = [np.quantile(values, np.linspace(0, 1, 1001)) for values in tops]
    cut = float(np.quantile(np.concatenate(even), 1 - KEEP))
    return changed._replace(threshold=round(float(fusion.probability(np.array([cut], np.float32))[0]), 4))


def report(name: str, held: Sequence[Trial], weights: fusion.Weights, scale: float = 1.0) -> None:
    """How well the best score tells questions without an answer from those with one, kind of store by kind."""
    level = np.array([*weights.level.values()])
    tops: dict[str, list[float]] = {}
    for trial in held:
        tops.setdefault(trial.kind, []).append(float(scale * trial.order[0] + trial.level @ level + weights.bias))
    cut = np.log(weights.threshold / (1 - weights.threshold))
    whole = tops["whole"]
    for kind, values in tops.items():
        low = float(np.mean(np.array(values) < cut))
        middle = float(fusion.probability(np.array([np.median(values)], np.float32))[0])
        print(
            f"{name:24} {kind:22} n={len(values):4}  AUROC against whole {fitting.auroc(whole, values):.3f}  "
            f"under the threshold {low:4.0%}  median score {middle:.2f}",
            flush=True,
        )
