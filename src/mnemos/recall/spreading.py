"""Spreading activation: what comes to mind brings what it is linked to.

Collins and Loftus (1975): each node passes a part of its activation on along its links, a_j ← a_j + δ Σ_i w_ij a_i,
divided by how many links it has (the fan effect, Anderson 1974), weaker at every hop, until too little is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEAST = 1e-5
"""Activation below this is not passed on."""


class Link(NamedTuple):
    """From one node to another, by number, and how strong it is beside the other links of the first."""

    source: int
    target: int
    weight: float = 1.0


def spread(activation: Values, links: Iterable[Link], *, decay: float, hops: int = 1) -> Values:
    """What each node holds after so many hops, its own activation included.

    A node's links share what it passes on, in proportion to their weights; `decay` is the part of its activation
    that it passes on.
    """
    found = [link for link in links if link.weight > 0]
    total = np.asarray(activation, np.float64).copy()
    if not found or decay <= 0:
        return total
    source = np.array([link.source for link in found])
    target = np.array([link.target for link in found])
    weight = np.array([link.weight for link in found], np.float64)
    weight /= np.bincount(source, weight, len(total))[source]
    passed = total.copy()
    for _ in range(hops):
        held = np.where(passed >= LEAST, passed, 0.0)[source]
        passed = np.asarray(decay * np.bincount(target, weight * held, len(total)), np.float64)
        total += passed
    return total


def alike(vectors: NDArray[np.float32], *, nearest: int, least: float, first: int | None = None) -> list[Link]:
    """Links from each vector of unit length, or the `first` few, to the nearest others of at least so high a cosine.

    A link weighs what the cosine is.
    """
    if len(vectors) < 2:
        return []
    cosines = vectors[:first] @ vectors.T
    np.fill_diagonal(cosines, 0)
    if nearest < cosines.shape[1]:
        bounds = np.partition(cosines, -nearest, axis=1)[:, -nearest]
        cosines = np.where(cosines >= bounds[:, None], cosines, 0)
    source, target = np.nonzero(cosines > least)
    return list(map(Link, source.tolist(), target.tolist(), cosines[source, target].tolist()))
