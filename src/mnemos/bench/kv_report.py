"""A run of `mnemos bench kv` as results (JSON) and as tables: answers right, bytes and tokens a second, by policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mnemos.bench import results
from mnemos.bench.table import Table, percent

ENDS = ("full", "random", "oracle")
"""What every policy lies between."""
LIBRARY = "the library's own cache"
QUARTER = 0.25
"""The share at which policies are held against each other."""
SHARE = 0.12
"""That at which they are timed."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a model answered from one cache."""

    task: str
    policy: str
    share: float
    """Of the tokens seen so far that might be kept, or be read, 0 to 1."""
    storing: str
    """How keys and values were kept; empty: exactly."""
    right: float
    """The part of the answers that were right."""
    error: float
    """Its standard error, over texts."""
    bytes: int
    """Held for one text, the mean over the steps."""
    most: int
    """The most that was held between two steps."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast tokens are made behind a long text."""

    policy: str
    share: float
    tokens: int
    """Of the text."""
    read: float
    """Seconds that reading it took."""
    step: float
    """Seconds for a token, the median."""
    beside: float
    """The same of the library's own cache, which holds all, in the same rounds."""
    bytes: int
    """Held after the last token."""
    peak: int | None
    """By how many bytes the process grew at most while the text was read; None: the system does not tell."""

    @property
    def times(self) -> float:
        """As fast as the library's own cache."""
        return self.beside / self.step


@dataclass(frozen=True, slots=True)
class Run:
    """Answers and times."""

    tasks: Mapping[str, Mapping[str, int]]
    """Of each task the tokens of a prompt, and the questions."""
    scores: Sequence[Score]
    speeds: Sequence[Speed]
    settings: Mapping[str, str]
    """Of each policy how it was set where answers were counted, in words."""
    readers: Sequence[str]
    """Policies that let nothing go and read a part."""
    texts: int
    read: int
    """Of them, those from which readers answered."""
    seed: int
    files: Mapping[str, str] = field(default_factory=dict)

    def score(self, task: str, policy: str, share: float, storing: str = "") -> Score | None:
        """One of them, None if it was not measured."""
        wanted = (task, policy, share, storing)
        return next((one for one in self.scores if (one.task, one.policy, one.share, one.storing) == wanted), None)

    @property
    def shares(self) -> list[float]:
        """What may be kept, the most first."""
        return sorted({one.share for one in self.scores if not one.storing}, reverse=True)

    @property
    def policies(self) -> list[str]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(one.policy for one in self.scores))


def tables(run: Run) -> list[Table]:
    """All in one, answers of each task, bits, and times."""
    found = [overview_table(run), *(task_table(run, task) for task in run.tasks), storing_table(run)]
    return [*found, *([speed_table(run)] if run.speeds else [])]


def overview_table(run: Run) -> Table:
    """One row a policy: answers right with a quarter kept, and how fast it is with an eighth."""
    rows = []
    for policy in run.policies:
        right = (run.score(task, policy, QUARTER) for task in run.tasks)
        fast = next((one for one in run.speeds if one.policy == policy), None)
        times, held = (f"{fast.times:.1f}×", f"{fast.bytes / 1e6:,.0f}") if fast else ("–", "–")
        rows.append((_named(run, policy), *(percent(one.right if one else None) for one in right), times, held))
    behind = f"{run.speeds[0].tokens:,}" if run.speeds else "no"
    note = (
        f"Percent of answers right where {QUARTER:.0%} is kept; as fast as a cache that holds all, and MB held, behind "
        f"{behind} tokens of which {SHARE:.0%} are kept. (reads): lets nothing go, and reads that much."
    )
    columns = ("kept by", *run.tasks, "speed", "MB")
    return Table("What is left by each policy", columns, tuple(rows), note)


def task_table(run: Run, task: str) -> Table:
    """Answers right by policy and share; of every policy the bytes at the least share."""
    rows = []
    for policy in run.policies:
        scores = [run.score(task, policy, share) for share in run.shares]
        held = next((one for one in reversed(scores) if one), None)
        cells = (percent(one.right if one else None) for one in scores)
        size = (f"{held.bytes:,}", f"{held.most:,}") if held else ("–", "–")
        rows.append((_named(run, policy), *cells, *size))
    told, shares = run.tasks[task], run.shares
    read = f" (of {run.read} where a policy reads)" if run.readers else ""
    title = (
        f"{task}: prompts of {told['tokens']} tokens, {told['questions']} questions on each of {run.texts} texts{read}"
    )
    least = f"{shares[-1]:.0%}"
    columns = ("kept by", *(f"{share:.0%}" for share in shares), f"bytes at {least}", "most")
    worst = max((one.error for one in run.scores if one.task == task), default=0.0)
    return Table(title, columns, tuple(rows), f"Percent right; standard errors of at most {100 * worst:.1f} points.")


def storing_table(run: Run) -> Table:
    """Points lost by keeping keys and values in few bits, by task, and the bytes that are left."""
    rows = []
    for policy, share in dict.fromkeys((one.policy, one.share) for one in run.scores if one.storing):
        for storing in dict.fromkeys(one.storing for one in run.scores if one.policy == policy and one.storing):
            drops = [drop(run, task, policy, share, storing) for task in run.tasks]
            sizes = [_size(run, task, policy, share, storing) for task in run.tasks]
            cells = ("–" if one is None else f"{100 * one:+.1f}" for one in drops)
            known = [one for one in sizes if one is not None]
            rows.append((f"{policy} at {share:.0%}, {storing}", *cells, percent(sum(known) / max(1, len(known)), 0)))
    title = "Points lost where keys and values are kept in few bits, and percent of the bytes that are left"
    return Table(title, ("kept", *run.tasks, "bytes"), tuple(rows))


def speed_table(run: Run) -> Table:
    """Seconds to read, tokens a second beside the library's own cache, bytes held, and the peak while reading."""
    rows = []
    for one in run.speeds:
        peak = "–" if one.peak is None else f"{one.peak / 1e6:,.0f}"
        rates = (f"{1 / one.step:.1f}", f"{one.times:.2f}×")
        rows.append(
            (_named(run, one.policy), f"{one.share:.0%}", f"{one.read:.0f}", *rates, f"{one.bytes / 1e6:,.0f}", peak)
        )
    title = f"Behind {run.speeds[0].tokens:,} tokens: speed and memory, 12 layers of 768 on one thread"
    columns = ("kept by", "share", "s to read", "tokens/s", "× all held", "MB held", "MB peak while reading")
    return Table(title, columns, tuple(rows))


def drop(run: Run, task: str, policy: str, share: float, storing: str) -> float | None:
    """What is lost by a way to keep keys and values, -1 to 1."""
    exact, coded = run.score(task, policy, share), run.score(task, policy, share, storing)
    return exact.right - coded.right if exact and coded else None


def points(run: Run, task: str, policies: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """By policy, the shares kept and the answers right, both 0 to 1."""
    lines = {policy: [(share, run.score(task, policy, share)) for share in run.shares] for policy in policies}
    return {policy: [(share, one.right) for share, one in line if one] for policy, line in lines.items()}


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    measured = {
        "texts": run.texts,
        "read": run.read,
        "tasks": {name: dict(told) for name, told in run.tasks.items()},
        "settings": dict(run.settings),
        "readers": list(run.readers),
        "scores": [asdict(one) for one in run.scores],
        "speeds": [asdict(one) for one in run.speeds],
    }
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "kv")
    scores, speeds = [Score(**one) for one in data["scores"]], [Speed(**one) for one in data["speeds"]]
    told = (data["settings"], data["readers"], data["texts"], data["read"], data["seed"], data["files"])
    return Run(data["tasks"], scores, speeds, *told)


def _size(run: Run, task: str, policy: str, share: float, storing: str) -> float | None:
    exact, coded = run.score(task, policy, share), run.score(task, policy, share, storing)
    return coded.bytes / exact.bytes if exact and coded else None


def _named(run: Run, policy: str) -> str:
    return f"{policy} (reads)" if policy in run.readers else policy
