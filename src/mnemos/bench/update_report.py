"""A run of `mnemos.bench.update` as results (JSON without any of the data's words) and as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnemos.bench import metrics, results
from mnemos.bench.table import Table, percent
from mnemos.bench.update import FIRST, SYSTEMS, Answer, FactScore, Run, TurnScore


def tables(run: Run) -> list[Table]:
    """What comes first among facts, and what among the turns of conversations."""
    found = [facts_table(run), turns_table(run)]
    return [table for table in found if table.rows]


def facts_table(run: Run) -> Table:
    """Of each set of facts: how often the first hit is right, and how often an outdated fact outranks the current."""
    rows = []
    for data, answers in _grouped(run.facts).items():
        cells = [
            f"{_mean(answers, system, 'first', run.seed)} / {_mean(answers, system, 'outdated', run.seed)}"
            for system in SYSTEMS
        ]
        rows.append((data, str(len(answers)), *cells))
    title = f"First hit right / outdated above current among the first {FIRST}, percent"
    return Table(title, ("facts", "questions", *SYSTEMS), tuple(rows))


def turns_table(run: Run) -> Table:
    """Of each kind of question: how often the newest evidence outranks the older, and NDCG@10."""
    rows = []
    grouped = _grouped(run.turns)
    for dataset in dict.fromkeys(data.split()[0] for data in grouped):
        parts = [data for data in grouped if data.split()[0] == dataset]
        if len(parts) > 1:
            grouped[f"{dataset} together"] = [answer for data in parts for answer in grouped[data]]
    for data, answers in grouped.items():
        cells = [
            f"{_mean(answers, system, 'newest', run.seed)} / {_mean(answers, system, 'ndcg10', run.seed)}"
            for system in SYSTEMS
        ]
        spread = _interval(answers, "Mnemos", "newest", run.seed)
        rows.append((data, str(len(answers)), *cells, f"{percent(spread.low, 0)}–{percent(spread.high, 0)}"))
    title = "Newest evidence above the older / NDCG@10, percent"
    return Table(title, ("questions about change", "questions", *SYSTEMS, "95% interval"), tuple(rows))


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    measured = {
        "systems": list(SYSTEMS),
        "fact_fields": list(FactScore._fields),
        "turn_fields": list(TurnScore._fields),
        "questions": [
            *(_answer_json("facts", one) for one in run.facts),
            *(_answer_json("turns", one) for one in run.turns),
        ],
    }
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "update")
    kinds: dict[str, tuple[Callable[..., FactScore | TurnScore], list[Answer]]] = {
        "facts": (FactScore, []),
        "turns": (TurnScore, []),
    }
    for one in data["questions"]:
        make, answers = kinds[one["about"]]
        scores = {name: make(*values) for name, values in one["scores"].items()}
        answers.append(Answer(one["data"], one["conversation"], one["id"], scores))
    return Run(data["files"], tuple(kinds["facts"][1]), tuple(kinds["turns"][1]), data["seed"])


def _grouped(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.data, []).append(answer)
    return found


def _interval(answers: Sequence[Answer], system: str, measure: str, seed: int) -> metrics.Interval:
    values = [getattr(answer.scores[system], measure) for answer in answers]
    return metrics.bootstrap([value for value in values if value is not None], seed=seed)


def _mean(answers: Sequence[Answer], system: str, measure: str, seed: int) -> str:
    return percent(_interval(answers, system, measure, seed).mean)


def _answer_json(about: str, answer: Answer) -> dict[str, Any]:
    scores = {
        name: [value if value is None else round(value, 4) for value in one] for name, one in answer.scores.items()
    }
    return {"about": about, "data": answer.data, "conversation": answer.conversation, "id": answer.id, "scores": scores}
