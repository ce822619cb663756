"""A run of `mnemos.bench.levels` as results (JSON without any of the data's words) and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mnemos.bench import metrics, results
from mnemos.bench.levels import DERIVED, SYSTEMS, WHOLE, Answer, Run, Score
from mnemos.bench.report import APART
from mnemos.bench.table import Table, percent

MAIN = 1000
"""The budget of which the categories are shown, where it was measured."""


def tables(run: Run) -> list[Table]:
    """Every data set at every budget, and the categories of questions at one."""
    found = [budgets_table(run), categories_table(run)]
    return [table for table in found if table.rows]


def budgets_table(run: Run) -> Table:
    """Share of the evidence by data set and budget, and how much `context()` adds to whole turns, with its interval."""
    rows = []
    for dataset, answers in _grouped(run.answers, by_category=False).items():
        for budget in run.budgets:
            cells = [percent(_mean(answers, system, budget)) for system in SYSTEMS]
            rows.append((dataset, str(len(answers)), str(budget), *cells, _gain(answers, budget, run.seed)))
    title = "Share of the evidence in a context, percent"
    return Table(title, ("data", "questions", "tokens", *SYSTEMS, "derived over whole turns"), tuple(rows))


def categories_table(run: Run) -> Table:
    """The same by category of question, at one budget."""
    budget = MAIN if MAIN in run.budgets else run.budgets[0]
    rows = []
    for name, answers in _grouped(run.answers, by_category=True).items():
        cells = [percent(_mean(answers, system, budget)) for system in SYSTEMS]
        rows.append((name, str(len(answers)), *cells))
    title = f"The same by kind of question, at {budget} tokens"
    return Table(title, ("questions about", "questions", *SYSTEMS), tuple(rows))


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    measured = {
        "budgets": list(run.budgets),
        "systems": list(SYSTEMS),
        "fields": list(Score._fields),
        "questions": [_answer_json(one) for one in run.answers],
    }
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "levels")
    answers = []
    for one in data["questions"]:
        scores = {
            system: {int(budget): Score(*values) for budget, values in found.items()}
            for system, found in one["scores"].items()
        }
        answers.append(Answer(one["dataset"], one["conversation"], one["id"], one["category"], one["gold"], scores))
    return Run(data["files"], tuple(data["budgets"]), tuple(answers), data["seed"])


def _answer_json(answer: Answer) -> dict[str, Any]:
    scores = {
        system: {str(budget): [round(value, 4) for value in score] for budget, score in found.items()}
        for system, found in answer.scores.items()
    }
    return {
        "dataset": answer.dataset,
        "conversation": answer.conversation,
        "id": answer.id,
        "category": answer.category,
        "gold": answer.gold,
        "scores": scores,
    }


def _grouped(answers: Iterable[Answer], *, by_category: bool) -> dict[str, list[Answer]]:
    """Answers by data set (and category); questions that ask of the wrong person are apart."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        apart = answer.category in APART
        name = f"{answer.dataset} {answer.category}" if apart or by_category else answer.dataset
        found.setdefault(name, []).append(answer)
    return dict(sorted(found.items()))


def _mean(answers: Sequence[Answer], system: str, budget: int) -> float:
    return sum(answer.scores[system][budget].share for answer in answers) / len(answers)


def _gain(answers: Sequence[Answer], budget: int, seed: int) -> str:
    differences = [answer.scores[DERIVED][budget].share - answer.scores[WHOLE][budget].share for answer in answers]
    gain = metrics.bootstrap(differences, seed=seed)
    return f"{100 * gain.mean:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
