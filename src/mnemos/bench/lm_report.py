"""A run of `mnemos bench lm` as results (JSON) and as tables: who predicts a book, and who forgets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mnemos.bench import results
from mnemos.bench.table import Table, percent
from mnemos.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Score:
    """One model, trained and asked."""

    name: str
    parameters: int
    state: int
    """Numbers that it carries at the end of the longest text."""
    seconds: float
    """Of training."""
    lengths: Sequence[int]
    """Bytes that were read at once; the first is that of training."""
    losses: Sequence[float]
    """Nats for a byte of the held-out book, at each length."""
    recalled: Sequence[float]
    """The share of notes that are known at the end of a text of each length."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was measured."""

    plan: Mapping[str, Any]
    scores: Sequence[Score]
    seed: int
    files: Mapping[str, str]
    """Books; the last is held out."""


def tables(run: Run) -> list[Table]:
    """One table that shows who forgets."""
    return [table(run)]


def table(run: Run) -> Table:
    """Perplexity and recall at each length, side by side."""
    lengths = run.scores[0].lengths if run.scores else ()
    rows = []
    for one in run.scores:
        figures = (*(f"{math.exp(loss):.3f}" for loss in one.losses), *(percent(share) for share in one.recalled))
        rows.append((one.name, *figures, f"{one.parameters:,}", f"{one.state:,}", f"{one.seconds:,.0f}"))
    columns = (
        "memory",
        *(f"perplexity at {length:,}" for length in lengths),
        *(f"notes known at {length:,}, %" for length in lengths),
        *("parameters", "state", "seconds"),
    )
    told = run.plan
    note = (
        f"Trained on {told['bytes']:,} bytes in pieces of {told['length']:,}: all of them in the first "
        f"{percent(told['practice'], 0)}% of the steps, then half, are full of notes, and the others have "
        f"{told['notes']}, told twice. Perplexity of a byte over {told['tested']:,} bytes of a book that was held out; "
        f"{told['needles']} notes, each told in the first eighth of a text and asked for at its end, {told['others']} "
        "others in between. "
        "State: numbers carried at the end of the longest text."
    )
    return Table("Language models that differ in their memory", columns, tuple(rows), note)


def known(run: Run) -> dict[str, list[tuple[float, float]]]:
    """By model, the share of notes that it knows at each length."""
    return {one.name: list(zip(one.lengths, one.recalled, strict=True)) for one in run.scores}


def merged(kept: Run, new: Run) -> Run:
    """An earlier run, in which what was trained again is replaced.

    Raises:
        InvalidInput: they were not made alike.
    """
    if (kept.plan, kept.seed, kept.files) != (new.plan, new.seed, new.files):
        raise InvalidInput("keep", "the kept results are of another plan, seed or other books", "give another file")
    trained = {one.name for one in new.scores}
    return Run(new.plan, [*(one for one in kept.scores if one.name not in trained), *new.scores], new.seed, new.files)


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    measured = {"plan": dict(run.plan), "scores": [asdict(one) for one in run.scores]}
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "lm")
    return Run(data["plan"], [Score(**one) for one in data["scores"]], data["seed"], data["files"])
