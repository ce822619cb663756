"""How good a ranking, a score or a context is. Every function here is checked by hand-computed values.

Evidence is a set of ids. A ranking is ids, best first, each once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SHOWN_SHARE = 0.6
"""An evidence turn is in a context that cites it and shows this share of its words ..."""
SHOWN_WORDS = 60
"""... or this many of them."""
RUN = 3
"""A word of a turn counts as shown when it stands in a run of this many words that the item has too."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")


class Interval(NamedTuple):
    """A mean with its bootstrap interval, and how many questions it is over."""

    mean: float
    low: float
    high: float
    n: int


def recall_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float:
    """The share of the evidence that is among the first `k`."""
    return len(set(ranking[:k]) & set(gold)) / len(set(gold))


def ndcg_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float:
    """Discounted gain over the first `k`, against an ideal list that holds *all* the evidence (up to `k`)."""
    wanted = set(gold)
    gain = sum(1 / math.log2(rank + 2) for rank, found in enumerate(ranking[:k]) if found in wanted)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted))))


def session_within(sessions: Sequence[str], gold: Collection[str], k: int = 5) -> float:
    """1 when any gold session is among the first `k` distinct sessions of a ranking, else 0."""
    first = list(dict.fromkeys(sessions))[:k]
    return float(any(session in gold for session in first))


def auroc(answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    """The chance that an answerable question scores higher than one without an answer; ties count a half."""
    high, low = np.asarray(answerable, np.float64), np.sort(np.asarray(unanswerable, np.float64))
    if not len(high) or not len(low):
        return math.nan
    below = np.searchsorted(low, high, side="left")
    tied = np.searchsorted(low, high, side="right") - below
    return float((below + tied / 2).sum() / (len(high) * len(low)))


def refused_at(answerable: Sequence[float], unanswerable: Sequence[float], keep: float = 0.95) -> float:
    """The share of unanswerable questions below the highest threshold that keeps `keep` of the answerable."""
    if not len(answerable) or not len(unanswerable):
        return math.nan
    ordered = np.sort(np.asarray(answerable, np.float64))
    may_lose = math.floor(round((1 - keep) * len(ordered), 9))
    return float(np.mean(np.asarray(unanswerable, np.float64) < ordered[may_lose]))


def words(text: str) -> list[str]:
    """The words of a text, lower case; each Chinese, Japanese or Korean character is a word."""
    return [match.group().lower() for match in _WORD.finditer(text)]


def shows(item: str, turn: str) -> bool:
    """Whether an item that cites a turn shows enough of it: 60% of its words, or 60 of them."""
    said, shown = words(turn), words(item)
    run = min(RUN, len(said))
    if not run:
        return turn.strip() in item
    have = {tuple(shown[i : i + run]) for i in range(len(shown) - run + 1)}
    covered = np.zeros(len(said), bool)
    for i in range(len(said) - run + 1):
        if tuple(said[i : i + run]) in have:
            covered[i : i + run] = True
    count = int(covered.sum())
    return count >= SHOWN_WORDS or count >= SHOWN_SHARE * len(said)


def bootstrap(values: Sequence[float], *, seed: int = 0, rounds: int = 2000, level: float = 0.95) -> Interval:
    """The mean of per-question values, with a percentile interval over resampled questions."""
    sample: NDArray[np.float64] = np.asarray(values, np.float64)
    if not len(sample):
        return Interval(math.nan, math.nan, math.nan, 0)
    rng = np.random.default_rng(seed)
    means = sample[rng.integers(0, len(sample), (rounds, len(sample)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample.mean()), float(low), float(high), len(sample))
