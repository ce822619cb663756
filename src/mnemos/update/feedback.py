"""Learning which signals serve a namespace, from which memories were used: retrospective reflection.

After Reflective Memory Management (Tan et al., 2025): a memory that the answer used is rewarded with +1, one that it
did not use with -1, and REINFORCE with a constant baseline moves what ranked them. There a matrix re-ranks
embeddings; here the parameters are one factor per signal, so that a handful of examples is enough, nothing can go
far wrong, and `hit.why` shows what was learnt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.taught import LEAST, MOST

BASELINE = 0.5
RATE = 0.3
"""How far one example may move the logarithm of a factor, per logit of contribution."""
STEP = 0.25
"""The most that one example moves the logarithm of a factor."""
DEPTH = 50
"""How many of the best memories the used ones are held against."""


def learn(
    factors: Mapping[str, float],
    contributions: Mapping[str, NDArray[np.float64]],
    logits: NDArray[np.float64],
    used: Sequence[int],
    unused: Sequence[int],
) -> dict[str, float]:
    """The factors after one example.

    Args:
        factors: by signal; 1 where nothing was learnt.
        contributions: what each signal says, in logits and before any factor, by place in the ranking.
        logits: the ranking's logits, best first.
        used: places of memories that the answer used.
        unused: places of memories that it was shown and did not use.
    """
    best = np.unique([*range(min(DEPTH, len(logits))), *used, *unused]).astype(np.int64)
    chance = np.exp(logits[best] - logits[best].max())
    chance /= chance.sum()
    learnt = dict(factors)
    for name, values in contributions.items():
        factor = factors.get(name, 1.0)
        surprise = factor * (values - float(chance @ values[best]))
        push = (1 - BASELINE) * _mean(surprise, used) + (-1 - BASELINE) * _mean(surprise, unused)
        moved = math.log(factor) + min(STEP, max(-STEP, RATE * push))
        learnt[name] = min(MOST, max(LEAST, math.exp(moved)))
    return {name: round(value, 6) for name, value in learnt.items() if round(value, 6) != 1.0}


def _mean(values: NDArray[np.float64], places: Sequence[int]) -> float:
    return float(values[list(places)].mean()) if len(places) else 0.0
