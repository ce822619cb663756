"""Spreading activation: what comes to mind brings what it is linked to.

Collins and Loftus (1975): each node passes a part of its activation on along its links, a_j ← a_j + δ Σ_i w_ij a_i,
divided by how many links it has (the fan effect, Anderson 1974), weaker at every hop, until too little is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEAST = 1e-5
"""Activation below this is not passed on."""


class Links(NamedTuple):
    """From one node to another, by number, and how strong each link is beside the others of its first node."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: Values

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, int]]) -> Self:
        """Links of equal strength."""
        nodes = np.array(pairs, np.int64).reshape(-1, 2)
        return cls(nodes[:, 0], nodes[:, 1], np.ones(len(nodes)))


def spread(activation: Values, links: Links, *, decay: float, hops: int = 1) -> Values:
    """What each node holds after so many hops, its own activation included.

    A node's links share what it passes on, in proportion to their weights, which are above 0; `decay` is the part of
    its activation that it passes on.
    """
    total = np.asarray(activation, np.float64).copy()
    source, target, weight = links
    if not len(source) or decay <= 0:
        return total
    weight = weight / np.bincount(source, weight, len(total))[source]
    passed = total.copy()
    for _ in range(hops):
        held = np.where(passed >= LEAST, passed, 0.0)[source]
        passed = np.asarray(decay * np.bincount(target, weight * held, len(total)), np.float64)
        total += passed
    return total


def alike(vectors: NDArray[np.float32], *, nearest: int, least: float, first: int | None = None) -> Links:
    """Links from each vector of unit length, or the `first` few, to the nearest others of at least so high a cosine.

    A link weighs what the cosine is.
    """
    if len(vectors) < 2:
        return Links.of(())
    cosines = vectors[:first] @ vectors.T
    np.fill_diagonal(cosines, 0)
    if nearest < cosines.shape[1]:
        bounds = np.partition(cosines, -nearest, axis=1)[:, -nearest]
        cosines = np.where(cosines >= bounds[:, None], cosines, 0)
    source, target = np.nonzero(cosines > least)
    return Links(source, target, cosines[source, target].astype(np.float64))
