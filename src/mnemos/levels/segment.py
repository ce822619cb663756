"""Where one episode ends and the next begins, decided as turns come in.

As in EM-LLM (event segmentation): a turn that surprises more than a moving mean and `GAMMA` deviations opens an
episode, and the boundary is then moved within a few turns to where the similarity graph of the turns falls apart
best (most modularity; least conductance served worse on short turns). EM-LLM reads surprise from a model's next-token
probabilities; here it is the distance of what follows from what was being talked about, the share of words that are
new, greetings, new voices and pauses, which is ours.

A decision looks at the turns since the last boundary and a few further ones, never at how they were batched, so that
deriving again from the log gives the same episodes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

SHORTEST = 3
"""Turns that an episode has at least, unless a long pause ends it."""
LONGEST = 32
"""Turns that an episode has at most."""
AHEAD = 3
"""Turns that what follows is judged by."""
BEHIND = 6
"""Turns that what was being talked about is judged by, the latest counting most."""
SHIFT = 2
"""Turns by which a boundary may be moved."""
GAMMA = 1.0
"""Deviations above the moving mean that are a surprise."""
AROUND = 6
"""Turns before a boundary that its place is judged by."""
PAUSE = 6 * 3600 * 1_000_000
"""Microseconds of silence that end an episode whatever is said next."""

_DECAY = 0.8
_USUAL = (0.45, 0.14, 8.0)
"""Mean and deviation of surprise in chats, and how many observations they count for."""
_NOVEL, _PAUSED, _OPENING, _OTHERS = 0.35, 0.1, 0.3, 0.15
_LITTLE = 0.4
"""What surprise is less where little came before, beside which everything is new."""
_SURPRISING = 0.2
"""What surprise counts beside modularity in placing a boundary."""
_GREETING = re.compile(
    r"\W*(?:hey|hi|hello|hiya|howdy|yo|good (?:morning|evening|afternoon)|long time no|what'?s up|bye|goodnight)\b",
    re.I,
)
REPLIES = frozenset({"assistant", "tool", "system"})


@dataclass(frozen=True, slots=True)
class Said:
    """A turn as segmentation sees it."""

    words: frozenset[str]
    """Its content words, folded."""
    speaker: str = ""
    role: str = ""
    at: int | None = None
    """Microseconds since 1970 UTC."""
    greets: bool = False


def greets(text: str) -> bool:
    """Whether a text opens with a greeting."""
    return _GREETING.match(text) is not None


def cut(turns: Sequence[Said], vectors: Matrix) -> int | None:
    """How many turns the episode that they begin with has, once that is certain; None while it may go on.

    To be asked after each turn: the last turn alone may be what decides. `vectors` has a row of unit length a turn.
    """
    return Cutter(turns, vectors).ended(len(turns))


class Cutter:
    """Finds the boundaries of a run of turns, in order, and measures each turn's surprise once."""

    def __init__(self, turns: Sequence[Said], vectors: Matrix) -> None:
        self._turns, self._vectors = turns, vectors
        self._surprises: dict[int, float] = {}
        self.start = 0
        """Where the episode begins that is looked at."""

    def ended(self, count: int) -> int | None:
        """How many turns the episode has, once that is certain, when only the first `count` of all have come in."""
        turns = self._turns[self.start : count]
        return self._cut(turns, self._vectors[self.start : count]) if len(turns) > 1 else None

    def go_on(self, ended: int) -> None:
        """Look at the episode that begins after one of so many turns."""
        self.start += ended
        self._surprises.clear()

    def _cut(self, turns: Sequence[Said], vectors: Matrix) -> int | None:
        count = len(turns)
        if _paused(turns[-2], turns[-1]):
            return count - 1
        at = count - AHEAD - SHIFT
        if at >= SHORTEST and turns[at].role not in REPLIES:
            open_ = [place for place in range(1, at + SHIFT + 1) if turns[place].role not in REPLIES]
            values = {place: self._surprise(turns, vectors, place) for place in open_}
            peak = max(value for place, value in values.items() if place >= at)
            if values[at] >= peak and peak > _threshold([value for place, value in values.items() if place < at]):
                return self._best(turns, vectors, at, range(max(SHORTEST, at - SHIFT), at + SHIFT + 1))
        if count > LONGEST:
            return self._best(turns, vectors, LONGEST, range(LONGEST // 2, LONGEST + 1))
        return None

    def _surprise(self, turns: Sequence[Said], vectors: Matrix, place: int) -> float:
        if place not in self._surprises:
            self._surprises[place] = surprise(turns, vectors, place)
        return self._surprises[place]

    def _best(self, turns: Sequence[Said], vectors: Matrix, at: int, places: range) -> int:
        """The place for a boundary, of these, at which the turns around `at` fall apart best."""
        first = max(0, places.start - AROUND)
        parts = modularity(vectors[first:])
        free = [place for place in places if turns[place].role not in REPLIES] or list(places)

        def worth(place: int) -> tuple[float, bool, int]:
            value = parts(place - first) + _SURPRISING * self._surprise(turns, vectors, place)
            return round(value, 6), place == at, -place

        return max(free, key=worth)


def _paused(before: Said, after: Said) -> bool:
    return before.at is not None and after.at is not None and after.at - before.at > PAUSE


def _threshold(before: Sequence[float]) -> float:
    """The moving mean and `GAMMA` deviations, shrunk towards what is usual while little has been seen."""
    mean, deviation, weight = _USUAL
    total = weight + len(before)
    centre = (weight * mean + sum(before)) / total
    spread = weight * (deviation**2 + (mean - centre) ** 2) + sum((value - centre) ** 2 for value in before)
    return centre + GAMMA * math.sqrt(spread / total)


def surprise(turns: Sequence[Said], vectors: Matrix, place: int) -> float:
    """How little the turns from `place` on follow from those before."""
    first = max(0, place - BEHIND)
    behind, ahead = range(first, place), range(place, min(len(turns), place + AHEAD))
    fading: Matrix = np.float32(_DECAY) ** np.arange(len(behind) - 1, -1, -1, dtype=np.float32)
    distance = 1.0 - _cosine(fading @ vectors[first:place], vectors[place : place + AHEAD].sum(axis=0))
    old = frozenset().union(*(turns[i].words for i in behind))
    new = frozenset().union(*(turns[i].words for i in ahead))
    novelty = len(new - old) / len(new) if new else 0.0
    value = distance + _NOVEL * novelty + _PAUSED * _pause(turns, place)
    if turns[place].greets and not turns[place - 1].greets:
        value += _OPENING
    if {turns[i].speaker for i in ahead} - {turns[i].speaker for i in behind}:
        value += _OTHERS
    return value - _LITTLE / len(behind)


def _pause(turns: Sequence[Said], place: int) -> float:
    """How long the silence before a turn was beside those before it: 1 for e times as long, at most 4."""
    times = [turn.at for turn in turns[: place + 1] if turn.at is not None]
    if len(times) < 3 or turns[place].at is None:
        return 0.0
    *before, pause = (max(later - earlier, 1_000_000) for earlier, later in pairwise(times))
    return min(4.0, max(0.0, math.log(pause / median(before))))


def modularity(vectors: Matrix) -> Callable[[int], float]:
    """How much better two parts of a run of turns hang together than chance has it, by where the run is cut."""
    graph = np.clip(vectors @ vectors.T, 0.0, None)
    np.fill_diagonal(graph, 0.0)
    degrees = graph.sum(axis=1)
    total = float(degrees.sum()) or 1.0
    excess = (graph - np.outer(degrees, degrees) / total) / total

    def parted(place: int) -> float:
        return float(excess[:place, :place].sum() + excess[place:, place:].sum())

    return parted


def _cosine(one: Matrix, other: Matrix) -> float:
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm > 0 else 0.0
