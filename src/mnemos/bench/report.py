"""A recall run as results (JSON without any of the data's words) and as tables.

Everything shown is computed from the per-question scores, so that a saved run gives the same tables again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mnemos.bench import metrics, results
from mnemos.bench.recall import Answer, ContextScore, RankScore, Run
from mnemos.bench.table import Table, percent

APART = ("adversarial", "abstention")
"""Categories that are scored apart: asked of the wrong person, and without an answer."""

Pick = Callable[[Answer], float | None]


def interval(answers: Iterable[Answer], pick: Pick, seed: int) -> metrics.Interval:
    """Mean and bootstrap interval of one measure over the questions that have it."""
    values = [value for answer in answers if (value := pick(answer)) is not None]
    return metrics.bootstrap(values, seed=seed)


def rank(system: str, measure: str) -> Pick:
    """A measure of one system's ranking, e.g. `rank("Mnemos", "r10")`."""
    return lambda answer: getattr(answer.ranks[system], measure)


def context(budget: int, measure: str) -> Pick:
    """A measure of the contexts of one budget, e.g. `context(1000, "share")`."""
    return lambda answer: getattr(answer.contexts[budget], measure)


def groups(run: Run) -> dict[str, dict[str, list[Answer]]]:
    """Answers by dataset and part: `answerable`, `adversarial`, `abstention`."""
    found: dict[str, dict[str, list[Answer]]] = {}
    for answer in run.answers:
        part = answer.category if answer.category in APART else "answerable"
        found.setdefault(answer.dataset, {}).setdefault(part, []).append(answer)
    return found


def tables(run: Run) -> list[Table]:
    """The main table, each dataset's categories, knowing that one does not know, and contexts."""
    by_dataset = groups(run)
    found = [main_table(run, by_dataset), sessions_table(run, by_dataset)]
    found += [categories_table(run, name) for name in by_dataset]
    found += [knowing_table(run, by_dataset), contexts_table(run, by_dataset)]
    return [table for table in found if table.rows]


def main_table(run: Run, by_dataset: Mapping[str, Mapping[str, list[Answer]]]) -> Table:
    """R@10 / NDCG@10 over turns of every system, with Mnemos' intervals."""
    rows = []
    for dataset, parts in by_dataset.items():
        for part in ("answerable", "adversarial"):
            answers = [answer for answer in parts.get(part, []) if answer.gold]
            if answers:
                name = dataset if part == "answerable" else f"{dataset} {part}"
                rows.append(_pair_row(run, name, answers, with_interval=True))
    return Table(
        "Evidence found among the first 10 turns: R@10 / NDCG@10, percent",
        ("data", "questions", *run.systems, "95% interval"),
        tuple(rows),
        " ".join(run.notes),
    )


def sessions_table(run: Run, by_dataset: Mapping[str, Mapping[str, list[Answer]]]) -> Table:
    """The share of questions with a gold session among the first five sessions."""
    rows = []
    for dataset, parts in by_dataset.items():
        answers = [one for one in parts.get("answerable", []) if one.ranks["Mnemos"].session5 is not None]
        if answers:
            cells = [percent(interval(answers, rank(one, "session5"), run.seed).mean) for one in run.systems]
            rows.append((dataset, str(len(answers)), *cells))
    return Table("Any gold session among the first 5, percent", ("data", "questions", *run.systems), tuple(rows))


def categories_table(run: Run, dataset: str) -> Table:
    """R@10 / NDCG@10 for each category of question of one dataset."""
    categories: dict[str, list[Answer]] = {}
    for answer in run.answers:
        if answer.dataset == dataset and answer.gold:
            categories.setdefault(answer.category, []).append(answer)
    rows = tuple(_pair_row(run, name, categories[name]) for name in sorted(categories))
    return Table(f"{dataset} by category: R@10 / NDCG@10, percent", ("category", "questions", *run.systems), rows)


def knowing_table(run: Run, by_dataset: Mapping[str, Mapping[str, list[Answer]]]) -> Table:
    """How well the top score tells questions with an answer from those without."""
    rows = []
    for dataset, parts in by_dataset.items():
        yes, no = parts.get("answerable", []), parts.get("abstention", [])
        if yes and no:
            with_answer, without = [one.top for one in yes], [one.top for one in no]
            cells = [metrics.auroc(with_answer, without), metrics.refused_at(with_answer, without)]
            budget = min(run.answers[0].contexts, key=lambda one: abs(one - 1000), default=None)
            cells += [_empty(no, budget), _empty(yes, budget)]
            rows.append((dataset, str(len(yes)), str(len(no)), f"{cells[0]:.3f}", *map(percent, cells[1:])))
    return Table(
        "Knowing that one does not know",
        (
            "data",
            "answerable",
            "without answer",
            "AUROC",
            "refused, keeping 95%",
            "empty contexts, without answer",
            "empty contexts, answerable",
        ),
        tuple(rows),
    )


def contexts_table(run: Run, by_dataset: Mapping[str, Mapping[str, list[Answer]]]) -> Table:
    """Share of evidence in the contexts, and precision of what they cite."""
    rows = []
    for dataset, parts in by_dataset.items():
        answers = [answer for answer in parts.get("answerable", []) if answer.gold]
        for budget in answers[0].contexts if answers else ():
            share = interval(answers, context(budget, "share"), run.seed)
            precision = interval(answers, context(budget, "precision"), run.seed)
            size = interval(answers, context(budget, "tokens"), run.seed)
            cells = (percent(share.mean), _range(share), percent(precision.mean), f"{size.mean:.0f}")
            rows.append((dataset, str(budget), *cells))
    return Table(
        "Contexts: share of the evidence shown, and share of the cited turns that are evidence, percent",
        ("data", "budget", "evidence", "95% interval", "precision", "mean tokens"),
        tuple(rows),
    )


def to_json(run: Run) -> dict[str, Any]:
    """A run as data: how it was made, every question's ids and scores, and the tables made from them."""
    measured = {
        "systems": list(run.systems),
        "notes": list(run.notes),
        "rank_fields": list(RankScore._fields),
        "context_fields": list(ContextScore._fields),
        "questions": [_answer_json(answer) for answer in run.answers],
    }
    as_saved = from_json(results.stated(run, measured, ()))
    return results.stated(run, measured, tables(as_saved))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "recall")
    answers = tuple(
        Answer(
            dataset=one["dataset"],
            conversation=one["conversation"],
            id=one["id"],
            category=one["category"],
            gold=one["gold"],
            ranks={name: RankScore(*scores) for name, scores in one["ranks"].items()},
            top=one["top"],
            contexts={int(budget): ContextScore(*scores) for budget, scores in one["contexts"].items()},
        )
        for one in data["questions"]
    )
    return Run(data["files"], tuple(data["systems"]), answers, data["seed"], tuple(data["notes"]))


def _pair_row(run: Run, name: str, answers: Sequence[Answer], *, with_interval: bool = False) -> tuple[str, ...]:
    cells = []
    for system in run.systems:
        found = interval(answers, rank(system, "r10"), run.seed).mean
        gain = interval(answers, rank(system, "ndcg10"), run.seed).mean
        cells.append(f"{percent(found)} / {percent(gain)}")
    if with_interval:
        cells.append(
            f"{_range(interval(answers, rank('Mnemos', 'r10'), run.seed))} / "
            f"{_range(interval(answers, rank('Mnemos', 'ndcg10'), run.seed))}"
        )
    return (name, str(len(answers)), *cells)


def _range(found: metrics.Interval) -> str:
    return "–" if math.isnan(found.mean) else f"{percent(found.low, 0)}–{percent(found.high, 0)}"


def _empty(answers: Sequence[Answer], budget: int | None) -> float:
    if budget is None:
        return math.nan
    return sum(not answer.contexts[budget].items for answer in answers) / len(answers)


def _answer_json(answer: Answer) -> dict[str, Any]:
    return {
        "dataset": answer.dataset,
        "conversation": answer.conversation,
        "id": answer.id,
        "category": answer.category,
        "gold": answer.gold,
        "top": round(answer.top, 5),
        "ranks": {name: [_rounded(value) for value in scores] for name, scores in answer.ranks.items()},
        "contexts": {str(one): [_rounded(value) for value in scores] for one, scores in answer.contexts.items()},
    }


def _rounded(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else round(value, 4)
