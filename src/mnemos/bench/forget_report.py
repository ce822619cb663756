"""A forgetting run as results (JSON without any of the data's words) and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnemos.bench import metrics, results
from mnemos.bench.forget import SHARES, Run
from mnemos.bench.table import Table, percent

NAMES = {"salience": "Mnemos", "ebbinghaus": "Ebbinghaus (MemoryBank)", "layered": "layered (TradingGPT)"}
"""What policies are called in tables, where it is not by their name."""


def tables(run: Run) -> list[Table]:
    """One table a data set: R@10 by policy and share kept."""
    return [table_of(run, dataset) for dataset in run.recalls]


def table_of(run: Run, dataset: str) -> Table:
    """R@10 of every policy, and in brackets what share of the full R@10 that is."""
    rows = []
    for policy, by_share in run.recalls[dataset].items():
        full = metrics.bootstrap(by_share["1"], seed=run.seed).mean
        cells = [_cell(by_share[key], full, run.seed) for key in _keys()]
        rows.append((NAMES.get(policy, policy), *cells))
    full_range = metrics.bootstrap(next(iter(run.recalls[dataset].values()))["1"], seed=run.seed)
    return Table(
        f"{dataset}, {len(run.questions[dataset])} questions: R@10 where a part of the turns is kept, percent",
        ("kept by", *(f"{share:.0%}" for share in SHARES)),
        tuple(rows),
        f"In brackets: the share of the full R@10, {percent(full_range.mean)} "
        f"({percent(full_range.low, 0)}–{percent(full_range.high, 0)}).",
    )


def points(run: Run, dataset: str) -> dict[str, list[tuple[float, float]]]:
    """By policy, the parts kept and the shares of the full R@10, both 0 to 1."""
    found = {}
    for policy, by_share in run.recalls[dataset].items():
        full = sum(by_share["1"])
        name = NAMES.get(policy, policy).split(" (")[0]
        found[name] = [(share, sum(by_share[f"{share:g}"]) / full) for share in SHARES]
    return found


def to_json(run: Run) -> dict[str, Any]:
    """A run as data: how it was made, every question's id and recalls, and the tables made from them."""
    measured = {
        "questions": {name: list(ids) for name, ids in run.questions.items()},
        "recalls": {
            name: {
                policy: {share: list(found) for share, found in shares.items()} for policy, shares in policies.items()
            }
            for name, policies in run.recalls.items()
        },
    }
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "forget")
    return Run(data["files"], data["questions"], data["recalls"], data["seed"])


def _keys() -> list[str]:
    return [f"{share:g}" for share in SHARES]


def _cell(values: Sequence[float], full: float, seed: int) -> str:
    mean = metrics.bootstrap(values, seed=seed).mean
    return percent(mean) if mean == full else f"{percent(mean)} ({mean / full:.2f})"
