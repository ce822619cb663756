"""Measures where episodes end: how far their boundaries agree with those of sessions that were put end to end.

The sessions of a conversation are joined without their times and names, so that only words can tell where one ends.
Pk (Beeferman et al., 1999) and WindowDiff (Pevzner and Hearst, 2002) are shares of windows in which the two cuttings
differ: lower is better, and cutting at random gives about a half. Episodes are meant to be finer than sessions, which
both punish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import fmean

from mnemos.bench.data import Conversation, read
from mnemos.bench.table import Table, percent
from mnemos.levels.episodes import divided
from mnemos.records import Memory

LONGEST = 1_000
"""Turns of a conversation that are read."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """One conversation cut in two ways: into episodes, and into equally many parts of equal length."""

    data: str
    conversation: str
    turns: int
    sessions: int
    episodes: int
    pk: float
    window_diff: float
    fixed_pk: float
    fixed_window_diff: float


def pk(reference: Sequence[int], found: Sequence[int], turns: int) -> float:
    """The share of pairs of turns, half a session apart, of which one cutting parts what the other keeps together."""
    gap = _gap(reference, turns)
    true, ours = _parts(reference, turns), _parts(found, turns)
    pairs = range(turns - gap)
    return fmean((true[i] == true[i + gap]) != (ours[i] == ours[i + gap]) for i in pairs)


def window_diff(reference: Sequence[int], found: Sequence[int], turns: int) -> float:
    """The share of windows, half a session long, in which the two cuttings have different numbers of boundaries."""
    gap = _gap(reference, turns)
    true, ours = _parts(reference, turns), _parts(found, turns)
    return fmean(true[i + gap] - true[i] != ours[i + gap] - ours[i] for i in range(turns - gap))


def fixed(parts: int, turns: int) -> list[int]:
    """The boundaries of so many parts of equal length."""
    return [round(turns * place / parts) for place in range(1, parts)]


def measure(conversation: Conversation) -> Cutting | None:
    """Cut one conversation; None where it has but one session."""
    said = [turn for turn in conversation.turns if turn.text.strip()][:LONGEST]
    turns = [Memory(turn.id, ("bench",), "turn", turn.text, speaker=turn.speaker, role=turn.role) for turn in said]
    true = [place for place in range(1, len(said)) if said[place].session != said[place - 1].session]
    if not true:
        return None
    found = list(accumulate(len(part) for part in divided(turns)))[:-1]
    even = fixed(len(found) + 1, len(turns))
    return Cutting(
        conversation.dataset, conversation.id, len(turns), len(true) + 1, len(found) + 1,
        pk(true, found, len(turns)), window_diff(true, found, len(turns)),
        pk(true, even, len(turns)), window_diff(true, even, len(turns)),
    )  # fmt: skip


def run(files: Sequence[str | Path]) -> list[Cutting]:
    """Cut every conversation of some files."""
    found = [measure(conversation) for file in files for conversation in read(file).conversations]
    return [cutting for cutting in found if cutting is not None]


def table(cuttings: Sequence[Cutting]) -> Table:
    """Means over the conversations of each data set."""
    rows = []
    for data in dict.fromkeys(cutting.data for cutting in cuttings):
        some = [cutting for cutting in cuttings if cutting.data == data]
        lengths = (
            sum(c.turns for c in some) / sum(parts)
            for parts in ([c.sessions for c in some], [c.episodes for c in some])
        )
        figures = (
            f"{percent(fmean(one))} / {percent(fmean(other))}"
            for one, other in (
                ([c.pk for c in some], [c.window_diff for c in some]),
                ([c.fixed_pk for c in some], [c.fixed_window_diff for c in some]),
            )
        )
        rows.append((data, str(len(some)), *(f"{length:.1f}" for length in lengths), *figures))
    columns = ("data", "conversations", "turns a session", "turns an episode", "episodes", "equal lengths")
    return Table(
        "Boundaries against those of sessions: Pk / WindowDiff, percent (lower is better)", columns, tuple(rows)
    )


def _gap(reference: Sequence[int], turns: int) -> int:
    return max(1, round(turns / (len(reference) + 1) / 2))


def _parts(boundaries: Sequence[int], turns: int) -> list[int]:
    """In which part each turn is."""
    ends = set(boundaries)
    return list(accumulate(int(place in ends) for place in range(turns)))
