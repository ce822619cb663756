"""What use has taught about the signals of a namespace: a factor for each, kept within bounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mnemos.recall import fusion

NAME = "feedback"
"""Under which hits show what the factors changed."""
LEAST, MOST = 0.5, 2.0
"""No signal ever weighs less than half, or more than twice, of what it weighs by itself."""


def applied(terms: fusion.Terms, factors: Mapping[str, float]) -> fusion.Terms:
    """The terms with one more: what the factors add and take away.

    The best of the question keeps its logit, so that scores still say how likely a hit is to be relevant; the others
    come nearer to it or fall back.
    """
    known = {name: factor for name, factor in factors.items() if name in terms and factor != 1.0}
    plain = fusion.total(terms)
    if not known or not len(plain):
        return terms
    change: NDArray[np.float32] = np.zeros(len(plain), np.float32)
    for name, factor in known.items():
        change += np.float32(min(MOST, max(LEAST, factor)) - 1) * terms[name]
    change -= (plain + change).max() - plain.max()
    return {**terms, NAME: change}
