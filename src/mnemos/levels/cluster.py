"""Themes: episodes that keep coming back to one thing, gathered as they come.

An episode joins the theme to whose latest episodes it is nearest on average, if near enough, and begins one of its own
otherwise (leader clustering with average linkage). The newest episodes count most, so that a theme drifts as they do.
At most `MOST` themes are open at a time: then the two nearest become one, or the one that has rested longest is closed.
A closed theme stays as it is. So what an episode costs does not grow with how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

NEAR = 0.5
"""Mean cosine to a theme's latest episodes from which on an episode belongs to it."""
MERGED = 0.42
"""Mean cosine between the episodes of two themes from which on they become one where room is needed."""
MOST = 96
"""Open themes in one namespace, and episodes that wait for others like them."""
FULL = 48
"""Episodes of a theme; then it is closed, and the next one like it begins."""
LATEST = 12
"""Episodes that an episode is compared with."""
DRIFT = 0.9
"""What an episode counts for the centre, beside the next newer one."""


class Theme(NamedTuple):
    """An open theme."""

    num: int
    centre: Matrix
    size: int
    last: int
    """Place in reading order of its last episode."""


def centre(vectors: Matrix) -> Matrix:
    """Where a theme is: the mean of its latest episodes' vectors, given oldest first.

    Not of unit length: its product with a vector is the mean cosine to the episodes, so that a theme of all sorts of
    things is near to nothing.
    """
    latest = vectors[-LATEST:]
    fading: Matrix = np.float32(DRIFT) ** np.arange(len(latest) - 1, -1, -1, dtype=np.float32)
    mean: Matrix = fading @ latest / fading.sum()
    return mean


def nearest(vector: Matrix, themes: Sequence[Theme]) -> int | None:
    """Which theme an episode belongs to, by its place among them; None where none is near."""
    if not themes or not vector.any():
        return None
    cosines = np.stack([theme.centre for theme in themes]) @ vector
    best = int(np.argmax(cosines))
    return best if cosines[best] >= NEAR else None


def crowded(themes: Sequence[Theme]) -> tuple[int, int | None] | None:
    """What makes room where too many themes are open: two that become one (the second goes into the first), or one
    that is closed (the second is None). None where there is room."""
    if len(themes) <= MOST:
        return None
    centres = np.stack([theme.centre for theme in themes])
    alike = centres @ centres.T
    np.fill_diagonal(alike, -1.0)
    sizes = np.array([theme.size for theme in themes])
    alike[sizes[:, None] + sizes[None, :] > FULL] = -1.0
    one, other = (int(place) for place in np.unravel_index(int(np.argmax(alike)), alike.shape))
    if alike[one, other] < MERGED:
        return min(range(len(themes)), key=lambda place: themes[place].last), None
    first, second = sorted((one, other), key=lambda place: (-themes[place].size, place))
    return first, second
