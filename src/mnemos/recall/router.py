"""How much each level of memory counts for one question: the level whose scores single something out counts most.

MemGAS (Xu et al., 2025): the scores of each grain become a distribution, p = softmax(score / λ); its entropy says how
undecided the grain is, and grains are weighed inversely to it. The exact inverse is not known to us: here a grain's
weight is 1 less its entropy as a share of the greatest possible, normalised over the grains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

TEMPERATURE = 1.0
"""λ, in logits: the lower, the more the best scores of a grain count."""


def sharpness(scores: Sequence[float], temperature: float = TEMPERATURE) -> float:
    """From 0, where all of a grain's scores are equal, to 1, where one stands alone; scores are probabilities."""
    if len(scores) < 2:
        return float(len(scores))
    bounded = np.clip(np.asarray(scores, np.float64), 1e-9, 1 - 1e-9)
    logits = np.log(bounded / (1 - bounded)) / temperature
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    entropy = -float(np.sum(shares * np.log(np.maximum(shares, 1e-12))))
    return max(0.0, 1 - entropy / float(np.log(len(scores))))


def route(grains: Mapping[str, Sequence[float]], temperature: float = TEMPERATURE) -> dict[str, float]:
    """The weight of each grain, together 1, from the scores of its best memories; equal ones where none is sharper."""
    found = {name: sharpness(scores, temperature) for name, scores in grains.items()}
    total = sum(found.values())
    return {name: value / total if total > 0 else 1 / len(found) for name, value in found.items()}
