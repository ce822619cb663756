"""A run of `mnemos bench reuse` as results (JSON) and as tables: seconds to the first token, bytes, and errors."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mnemos.bench import results
from mnemos.bench.table import Table, percent

READ = "read"
REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a question's first token took after a text of some length."""

    way: str
    """`READ`: the text is read with the question; `REUSED`: its blocks are loaded from their files and joined."""
    tokens: int
    threads: int
    seconds: Sequence[float]
    """Of each round."""
    repair: float = 0.0
    cost: float = 0.0
    """What the repair read again, of the later blocks' (token, layer) pairs."""
    storage: str = "full"
    cold: bool = False
    """Whether the blocks' bytes were taken out of the file cache first."""
    from_disk: int = 0
    """Bytes that the system then fetched from the disk in the first round."""

    @property
    def typical(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a storage type takes, and what it loses."""

    model: str
    storage: str
    bytes_per_token: float
    """Of the files, headers included."""
    key_error: float
    """Root mean square of the keys' error, as a part of that of the keys."""
    value_error: float
    logit_error: float
    """The same of the logits of a question that follows, against blocks that were never stored."""
    same: float
    """How often the likeliest next token is the same, 0 to 1."""
    right: float | None = None
    """The part of the questions that a trained model answers rightly; None: it has learned nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """Timings and losses."""

    model: Mapping[str, Any]
    """Shape and device of the model that was timed."""
    block: int
    """Tokens of a block."""
    question: int
    """Tokens of the question."""
    timings: Sequence[Timing]
    stored: Sequence[Stored]
    seed: int
    files: Mapping[str, str] = field(default_factory=dict)
    """None: everything is made from the seed."""


def tables(run: Run) -> list[Table]:
    """Seconds by number of threads, the same from a cold file cache, and what storage takes and loses."""
    counts = sorted({timing.threads for timing in run.timings})
    return [
        *(time_table(run, threads) for threads in counts),
        cold_table(run),
        storage_time_table(run),
        stored_table(run),
    ]


def time_table(run: Run, threads: int) -> Table:
    """Seconds to the first token by length, and how many times faster stored blocks are."""
    shown = [one for one in run.timings if one.threads == threads and one.storage == "full" and not one.cold]
    repairs = sorted({one.repair for one in shown if one.way == REUSED})
    rows = []
    for tokens in sorted({one.tokens for one in shown}):
        read = next(one for one in shown if one.way == READ and one.tokens == tokens)
        cells = []
        for repair in repairs:
            one = next(t for t in shown if t.way == REUSED and t.tokens == tokens and t.repair == repair)
            cells.append(f"{_seconds(one)} ({read.typical / one.typical:.1f}×)")
        rows.append((f"{tokens:,}", _seconds(read), *cells))
    title = f"Seconds to the first token on {threads} thread{'s' * (threads > 1)}, by tokens before the question"
    return Table(title, ("tokens", "read", *(f"stored, repair={repair:g}" for repair in repairs)), tuple(rows))


def cold_table(run: Run) -> Table:
    """The same blocks when none of their bytes is in the file cache."""
    rows = []
    for one in run.timings:
        if one.cold:
            same = (one.tokens, one.threads, one.repair, one.storage)
            warm = next(
                t
                for t in run.timings
                if not t.cold and t.way == REUSED and (t.tokens, t.threads, t.repair, t.storage) == same
            )
            rows.append(
                (f"{one.tokens:,}", str(one.threads), _seconds(warm), _seconds(one), f"{one.from_disk / 1e6:.0f}")
            )
    title = "Stored blocks, repair=0, from a cold file cache: seconds to the first token"
    return Table(title, ("tokens", "threads", "warm", "cold", "MB fetched"), tuple(rows))


def storage_time_table(run: Run) -> Table:
    """How long each storage type takes at the lengths at which all were timed."""
    timed = [one for one in run.timings if one.way == REUSED and not one.cold and not one.repair]
    lengths = sorted({one.tokens for one in timed if one.storage != "full"})
    rows = [
        (one.storage, f"{one.tokens:,}", str(one.threads), _seconds(one))
        for tokens in lengths
        for one in timed
        if one.tokens == tokens
    ]
    return Table("Stored blocks, repair=0, by storage type", ("storage", "tokens", "threads", "seconds"), tuple(rows))


def stored_table(run: Run) -> Table:
    """Bytes per token, and what is lost."""
    rows = []
    for one in run.stored:
        lost = (f"{100 * error:.3g}" for error in (one.key_error, one.value_error, one.logit_error))
        rows.append(
            (f"{one.model}: {one.storage}", f"{one.bytes_per_token:,.0f}", *lost, percent(one.same), percent(one.right))
        )
    columns = ("storage", "bytes per token", "keys", "values", "logits", "same next token", "answers right")
    return Table("Stored blocks: what they take, and their error in percent", columns, tuple(rows))


def times(run: Run, threads: int) -> dict[str, list[tuple[float, float]]]:
    """By way, tokens and seconds, from a warm file cache in full precision."""
    found: dict[str, list[tuple[float, float]]] = {}
    for one in run.timings:
        if one.threads == threads and one.storage == "full" and not one.cold:
            name = "read" if one.way == READ else f"repair={one.repair:g}"
            found.setdefault(name, []).append((one.tokens, one.typical))
    return {name: sorted(points) for name, points in found.items()}


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    measured = {
        "model": dict(run.model),
        "block": run.block,
        "question": run.question,
        "timings": [asdict(one) for one in run.timings],
        "stored": [asdict(one) for one in run.stored],
    }
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "reuse")
    timings = [Timing(**one) for one in data["timings"]]
    stored = [Stored(**one) for one in data["stored"]]
    return Run(data["model"], data["block"], data["question"], timings, stored, data["seed"], data["files"])


def _seconds(timing: Timing) -> str:
    return f"{timing.typical:.2f}"
