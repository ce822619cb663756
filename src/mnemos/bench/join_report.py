"""A run of `mnemos bench join` as results (JSON) and as tables: answers right, against what was read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mnemos.bench import metrics, results
from mnemos.bench.table import Table, percent

FULL, RAW, MOVED = "read together", "joined as they are", "keys put in their places"
CHANCE, BLEND, OURS = "random choice", "CacheBlend", "Mnemos"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""Counts of right answers, one letter each."""
FIXED = {FULL: 1.0, RAW: 0.0, MOVED: 0.0}
"""Ways without a repair, and their cost."""
REPAIRED = (CHANCE, BLEND, OURS)


@dataclass(frozen=True, slots=True)
class Point:
    """One way to join two blocks, and what a model then answered."""

    way: str
    share: float
    """The most that might be read again, 0 to 1."""
    cost: float
    """What was: of the later block's (token, layer) pairs, those whose hidden state was computed."""
    right: str
    """Of each text, how many questions were answered; one of `DIGITS` a text."""
    changed: str
    """Of those whose key got another value in the later block."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What one model answered."""

    model: str
    layers: int
    parameters: int
    questions: int
    """Asked about each text."""
    updated: int
    """Of them, those about a key with two values."""
    points: Sequence[Point]
    needed: Sequence[float] = ()
    """The part of the answers that are right when a layer is left out, layer by layer, both blocks read together."""


@dataclass(frozen=True, slots=True)
class Run:
    """Every model's answers."""

    models: Sequence[Joined]
    texts: int
    seed: int
    files: Mapping[str, str] = field(default_factory=dict)
    """None: everything is made from the seed."""


def tables(run: Run) -> list[Table]:
    """What joining does without a repair; then, for each model on which it matters, every repair."""
    return [joined_table(run), *(repaired_table(one, run.seed) for one in run.models if one.updated)]


def joined_table(run: Run) -> Table:
    """Of each model: read together, joined as stored, and with keys put in their places."""
    rows = []
    for one in run.models:
        by_way = {point.way: point for point in one.points if point.way in FIXED}
        name = f"{one.model}, {one.parameters // 1000:,}k parameters"
        rows.append((name, *(_cell(by_way[way], one, run.seed) for way in FIXED)))
    title = f"Two blocks read apart and joined, {run.texts:,} texts: answers right / those that were updated, percent"
    return Table(title, ("model", *FIXED), tuple(rows))


def repaired_table(one: Joined, seed: int) -> Table:
    """One model's answers by what might be read again."""
    shares = sorted({point.share for point in one.points if point.way in REPAIRED})
    rows = []
    for share in shares:
        by_way = {point.way: point for point in one.points if point.share == share}
        cells = (f"{_cell(by_way[way], one, seed)} at {by_way[way].cost:.0%}" for way in REPAIRED)
        rows.append((f"{share:.0%}", *cells))
    title = f"{one.model}: answers right / those that were updated, percent, at what was read again"
    return Table(title, ("at most", *REPAIRED), tuple(rows))


def curves(one: Joined) -> dict[str, list[tuple[float, float]]]:
    """By rule, cost and the part of the answers that is right, both 0 to 1, each cost once."""
    found: dict[str, list[tuple[float, float]]] = {}
    start = next(point for point in one.points if point.way == MOVED)
    for way in REPAIRED:
        at_cost = {0.0: _mean(start.right, one.questions)}
        for point in one.points:
            if point.way == way:
                at_cost.setdefault(round(point.cost, 4), _mean(point.right, one.questions))
        found[way] = sorted(at_cost.items())
    return found


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    models = [{name: value for name, value in asdict(one).items() if name != "points"} for one in run.models]
    points = [{"model": one.model, **asdict(point)} for one in run.models for point in one.points]
    return results.stated(run, {"texts": run.texts, "models": models, "points": points}, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "join")
    models = []
    for told in data["models"]:
        own = [point for point in data["points"] if point["model"] == told["model"]]
        points = [Point(**{name: value for name, value in point.items() if name != "model"}) for point in own]
        models.append(Joined(**told, points=points))
    return Run(models, data["texts"], data["seed"], data["files"])


def accuracy(point: Point, one: Joined) -> float:
    """The part of all answers that is right, 0 to 1."""
    return _mean(point.right, one.questions)


def _mean(digits: str, most: int) -> float:
    return sum(map(DIGITS.index, digits)) / (most * len(digits))


def _cell(point: Point, one: Joined, seed: int) -> str:
    every = [DIGITS.index(digit) / one.questions for digit in point.right]
    told = percent(metrics.bootstrap(every, seed=seed).mean)
    return f"{told} / {percent(_mean(point.changed, one.updated))}" if one.updated else told
