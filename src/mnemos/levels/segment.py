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

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    count = len(turns)
    if count > 1 and _paused(turns[-2], turns[-1]):
        return count - 1
    at = count - AHEAD - SHIFT
    if at >= SHORTEST:
        surprises = {
            place: surprise(turns, vectors, place)
            for place in range(1, at + SHIFT + 1)
            if turns[place].role not in REPLIES
        }
        here = surprises.get(at)
        before = [value for place, value in surprises.items() if place < at]
        peak = max((value for place, value in surprises.items() if place >= at), default=0.0)
        if here is not None and here > _threshold(before) and here >= peak:
            return _best(turns, vectors, at, range(max(SHORTEST, at - SHIFT), at + SHIFT + 1))
    if count > LONGEST:
        return _best(turns, vectors, LONGEST, range(LONGEST // 2, LONGEST + 1))
    return None


def _paused(before: Said, after: Said) -> bool:
    return before.at is not None and after.at is not None and after.at - before.at > PAUSE


def _threshold(before: Sequence[float]) -> float:
    """The moving mean and `GAMMA` deviations, shrunk towards what is usual while little has been seen."""
    mean, deviation, weight = _USUAL
    total = weight + len(before)
    centre = (weight * mean + sum(before)) / total
    spread = weight * (deviation**2 + (mean - centre) ** 2) + sum((value - centre) ** 2 for value in before)
    return float(centre + GAMMA * np.sqrt(spread / total))


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
    pauses = np.maximum(np.diff(np.array(times, dtype=np.float64)), 1e6)
    return float(np.clip(np.log(pauses[-1] / np.median(pauses[:-1])), 0.0, 4.0))


def _best(turns: Sequence[Said], vectors: Matrix, at: int, places: range) -> int:
    """The place for a boundary, of these, at which the turns around `at` fall apart best."""
    first = max(0, places.start - AROUND)
    parts = modularity(vectors[first:])
    free = [place for place in places if turns[place].role not in REPLIES] or list(places)

    def worth(place: int) -> tuple[float, bool, int]:
        return round(parts(place - first) + _SURPRISING * surprise(turns, vectors, place), 6), place == at, -place

    return max(free, key=worth)


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
