"""A run of `mnemos bench mqar` as results (JSON) and as tables: who recalls how much, with what state, how soon."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mnemos.bench import results
from mnemos.bench.table import Table, percent
from mnemos.errors import InvalidInput

KEYS = re.compile(r", \d+ keys$")
"""What the name of a memory ends with whose keys are of another width."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One model, trained with one learning rate."""

    name: str
    task: str
    rate: float
    parameters: int
    state: int
    """Numbers that the model carries for one text at its end."""
    accuracy: float = 0.0
    """The share of the questions that are answered rightly in texts it was not trained on."""
    changed: float | None = None
    """The same of keys that were told twice; None where none was."""
    steps: int = 0
    """Of training, until it had learned the task or as many as there were."""
    seconds: float = 0.0
    """Of training, examinations included."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was tried."""

    plan: Mapping[str, Any]
    tasks: Mapping[str, Mapping[str, int]]
    """By name, keys, changes, tokens and vocabulary."""
    trials: Sequence[Trial]
    seed: int
    files: Mapping[str, str] = field(default_factory=dict)
    """None: everything is made from the seed."""


def best(run: Run, task: str) -> dict[str, Trial]:
    """By contestant, its trial with the best learning rate; the shorter one where two are alike."""
    found: dict[str, Trial] = {}
    for one in run.trials:
        if one.task == task and (one.name not in found or _rank(one) > _rank(found[one.name])):
            found[one.name] = one
    return found


def tables(run: Run) -> list[Table]:
    """For each task who recalls how much, and what the learning rate has to do with it."""
    shown = [task for task in run.tasks if best(run, task)]
    return [table for task in shown for table in (recall_table(run, task), rates_table(run, task))]


def recall_table(run: Run, task: str) -> Table:
    """Every contestant at its best learning rate."""
    told = run.tasks[task]
    changes = bool(told["changes"])
    rows = []
    for one in best(run, task).values():
        share = (percent(one.accuracy), *((percent(one.changed),) if changes else ()))
        size = (f"{one.parameters:,}", f"{one.state:,}")
        rows.append((one.name, *share, f"{one.rate:g}", f"{one.steps:,}", f"{one.seconds:.0f}", *size))
    columns = ("memory", "right, %", *(("of changed keys, %",) if changes else ()))
    more = f", {told['changes']} of them told twice" if changes else ""
    note = (
        f"{run.plan['layers']} layers of width {run.plan['width']} without an MLP, {told['tokens']} tokens; training "
        f"ends at {percent(run.plan['enough'], 0)}%, or after {run.plan['steps']:,} steps. State: numbers carried for "
        "one text at its end."
    )
    return Table(
        f"{task.capitalize()}: {told['keys']} keys{more}",
        (*columns, "learning rate", "steps", "seconds", "parameters", "state"),
        tuple(rows),
        note,
    )


def rates_table(run: Run, task: str) -> Table:
    """What every learning rate led to; rates after one that was enough were not tried."""
    rates = sorted({one.rate for one in run.trials if one.task == task})
    rows = []
    for name in best(run, task):
        found = {one.rate: one.accuracy for one in run.trials if (one.task, one.name) == (task, name)}
        rows.append((name, *(percent(found.get(rate)) for rate in rates)))
    title = f"{task.capitalize()}: right in percent, by learning rate"
    return Table(title, ("memory", *(f"{rate:g}" for rate in rates)), tuple(rows))


def against_state(run: Run, task: str) -> dict[str, list[tuple[float, float]]]:
    """By memory, its states of every width of keys, and the share that is right with each."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, one in best(run, task).items():
        found.setdefault(KEYS.sub("", name), []).append((one.state, one.accuracy))
    return {name: sorted(points) for name, points in found.items()}


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    measured = {
        "plan": dict(run.plan),
        "tasks": {name: dict(told) for name, told in run.tasks.items()},
        "trials": [asdict(one) for one in run.trials],
    }
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "mqar")
    return Run(data["plan"], data["tasks"], [Trial(**one) for one in data["trials"]], data["seed"], data["files"])


def merged(kept: Run, new: Run) -> Run:
    """An earlier run, in which what was tried again is replaced.

    Raises:
        InvalidInput: they were not made alike.
    """
    if (kept.plan, kept.seed) != (new.plan, new.seed):
        raise InvalidInput("keep", "the kept results are of another plan or seed", "give another file")
    tried = {(one.task, one.name) for one in new.trials}
    trials = [one for one in kept.trials if (one.task, one.name) not in tried]
    return Run(new.plan, {**kept.tasks, **new.tasks}, [*trials, *new.trials], new.seed, new.files)


def _rank(trial: Trial) -> tuple[float, int]:
    return trial.accuracy, -trial.steps
