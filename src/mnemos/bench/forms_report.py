"""A run of `mnemos bench forms` as results (JSON) and as tables: one memory as text, as keys and values, as weights."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mnemos.bench import results
from mnemos.bench.table import Table, percent

NOTHING, TEXT, FOUND = "no memory", "text, all of it", "text, what search finds"
KV, WEIGHTS, BOTH = "keys and values", "weights", "half keys and values, half weights"
SCHEDULER = "the scheduler's choice"
FIXED = ("all text", "all keys and values", "all weights")
SESSIONS = (1, 10)
"""Questions in a session."""


@dataclass(frozen=True, slots=True)
class Way:
    """The same facts read in one form."""

    name: str
    form: str
    """`text`, `activation`, `parametric`, `both` of these, or nothing."""
    right: float
    """The share of the questions that are answered word for word by free generation."""
    first: Sequence[float]
    """Seconds to the first token of the first question of a session, its beginning included."""
    next: Sequence[float]
    """The same of further questions of that session."""
    tokens: float
    """That a question has before its answer, all of them read by the model; those in a cache are not."""
    bytes: int = 0
    """Of the files beside the store."""
    build: float = 0.0
    """Seconds that it took to make."""

    @property
    def first_seconds(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.first)

    @property
    def next_seconds(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.next)

    def session(self, questions: int) -> float:
        """Seconds of a session of so many questions, until the first token of each answer."""
        return self.first_seconds + (questions - 1) * self.next_seconds


@dataclass(frozen=True, slots=True)
class Mixed:
    """The workload under one way of choosing forms."""

    name: str
    asking: float
    """Seconds in sessions, from their beginning to the end of the last answer."""
    building: float
    """Seconds in `maintain`: planning, measuring and making forms."""
    right: float
    """The share of the questions that are answered word for word."""
    told: float
    """The share of the questions about deleted facts to which the deleted answer was given."""
    forms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By kind of memory, how many were in which form at the end."""

    @property
    def total(self) -> float:
        """Seconds, all together."""
        return self.asking + self.building


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was measured."""

    model: Mapping[str, Any]
    """Its recipe's key, its size, and what it knows."""
    facts: int
    ways: Sequence[Way]
    workload: Mapping[str, Any]
    """Questions, days, and of each kind of memory how many there are and how often they are asked, change and go."""
    mixed: Sequence[Mixed]
    seed: int
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the facts that were told."""


def pays(way: Way, beside: Way, questions: int) -> float:
    """After how many sessions of so many questions a form has paid for being made, beside another; infinite: never."""
    saved = beside.session(questions) - way.session(questions)
    return math.ceil(way.build / saved) if saved > 0 else math.inf


def within(run: Run) -> float:
    """What the scheduler costs, as a part of what the cheapest fixed form costs that answers as well."""
    own = next(one for one in run.mixed if one.name == SCHEDULER)
    fixed = [one for one in run.mixed if one.name != SCHEDULER and one.right >= own.right - 0.02]
    return own.total / min(one.total for one in fixed) if fixed else math.nan


def tables(run: Run) -> list[Table]:
    """The forms side by side, and the workload."""
    return list(by_name(run).values())


def by_name(run: Run) -> dict[str, Table]:
    """The same by short names."""
    return {
        "forms": forms_table(run),
        "pays": pays_table(run),
        "workload": workload_table(run),
        "mixed": mixed_table(run),
        "chosen": chosen_table(run),
    }


def model_in_words(run: Run) -> str:
    """One paragraph on the model that was asked."""
    told = run.model
    return (
        f"Model: a Llama of {told['layers']} layers of {told['width']} with {told['parameters']:,} parameters (recipe "
        f"`{told['key']}`, weights `{told['weights'][:16]}…`), in one {told['wide']} wide with "
        f"{told['wide_parameters']:,}. Of the {told['asked_by_heart']:,} facts that it was taught, it says "
        f"{percent(told['known_by_heart'])}% word for word, without any memory."
    )


def forms_table(run: Run) -> Table:
    """What each form answers and takes."""
    rows = []
    for way in run.ways:
        milliseconds = (f"{1000 * seconds:.1f}" for seconds in (way.first_seconds, way.next_seconds))
        made = (f"{way.bytes / 1e6:.1f}", f"{way.build:.1f}") if way.build else ("–", "–")
        rows.append((way.name, percent(way.right), *milliseconds, f"{way.tokens:,.0f}", *made))
    columns = ("form", "right, %", "first token, ms", "next question, ms", "prompt tokens", "MB", "seconds to make")
    note = "Right: word for word by free generation. First token: of a session's first question, its start included."
    return Table(f"The same {run.facts} facts in each form", columns, tuple(rows), note)


def pays_table(run: Run) -> Table:
    """After how many uses each form has paid."""
    others, rows = [one for one in run.ways if one.name in (TEXT, FOUND)], []
    for way in run.ways:
        if way.build:
            counts = (_count(pays(way, other, questions)) for other in others for questions in SESSIONS)
            rows.append((way.name, *counts))
    columns = ("form", *(f"{other.name}: {questions} asked" for other in others for questions in SESSIONS))
    note = "Beside text, by questions in a session."
    return Table("Sessions after which a form has paid for being made", columns, tuple(rows), note)


def mixed_table(run: Run) -> Table:
    """Seconds of the workload, by who chose the forms."""
    best = min(one.total for one in run.mixed if one.name != SCHEDULER)
    rows = [
        (
            one.name,
            f"{one.asking:.1f}",
            f"{one.building:.1f}",
            f"{one.total:.1f}",
            f"{one.total / best:.2f}",
            percent(one.right),
            percent(one.told),
        )
        for one in run.mixed
    ]
    columns = ("forms", "asking, s", "making, s", "together", "of the best fixed", "right, %", "deleted but told, %")
    return Table("A mixed workload", columns, tuple(rows))


def workload_table(run: Run) -> Table:
    """What happens in the workload."""
    rows = [
        (kind, *(str(told[part]) for part in ("facts", "asked", "changed", "deleted")))
        for kind, told in run.workload["kinds"].items()
    ]
    columns = ("memories", "facts", "questions", "changes", "deletions")
    return Table(f"What happens in {run.workload['days']} days", columns, tuple(rows))


def chosen_table(run: Run) -> Table:
    """In which form the scheduler had which memories at the end."""
    own = next(one for one in run.mixed if one.name == SCHEDULER)
    rows = [
        (kind, *(str(found.get(form, 0)) for form in ("text", "activation", "parametric")))
        for kind, found in own.forms.items()
    ]
    return Table("What the scheduler had chosen at the end", ("memories", "text", KV, WEIGHTS), tuple(rows))


def running(run: Run, most: int = 10_000) -> dict[str, list[tuple[float, float]]]:
    """By form, sessions of ten so far and the seconds that they took, making included; a point at each power of ten."""
    counts = [10**power for power in range(len(str(most)))]
    shown = [one for one in run.ways if one.form]
    return {one.name: [(count, one.build + count * one.session(SESSIONS[-1])) for count in counts] for one in shown}


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    measured = {
        "model": dict(run.model),
        "facts": run.facts,
        "ways": [asdict(one) for one in run.ways],
        "workload": dict(run.workload),
        "mixed": [asdict(one) for one in run.mixed],
    }
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "forms")
    ways, mixed = [Way(**one) for one in data["ways"]], [Mixed(**one) for one in data["mixed"]]
    return Run(data["model"], data["facts"], ways, data["workload"], mixed, data["seed"], data["files"])


def _count(sessions: float) -> str:
    return "never" if math.isinf(sessions) else f"{sessions:,.0f}"
