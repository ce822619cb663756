"""Where one event ends and the next begins: a cut is moved to where what is alike stays together.

Fountas, Benfeghoul, Oomerjee, Christopoulou, Lampouras, Bou-Ammar, Wang 2024, "Human-like Episodic Memory for Infinite
Context LLMs".
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Measure = Literal["modularity", "conductance"]


def likeness(keys: Tensor) -> Tensor:
    """How alike tokens are, [tokens, tokens], 0 to 1: the mean cosine of their keys over heads, 0 where it is below.

    Args:
        keys: [heads, tokens, dimensions].
    """
    unit = torch.nn.functional.normalize(keys.double(), dim=-1)
    return (unit @ unit.transpose(-1, -2)).mean(0).clamp_min(0)


def split(alike: Tensor, first: int, last: int, measure: Measure) -> int:
    """The best place for one cut in two, from `first` to `last`; the later one of two that are equally good.

    Modularity: Σ over both parts of (weight inside) / 2m − (degrees / 2m)², the highest, m being the weight of all
    edges. Conductance: the weight between both parts, over the smaller of their degrees, the lowest.

    Args:
        alike: weights of the edges, [tokens, tokens], symmetric, 0 or more.
        first: the first token that may begin the second part, above 0.
        last: the last that may.
        measure: which of the two.
    """
    total = alike.sum()
    sums = alike.cumsum(0).cumsum(1)
    places = torch.arange(first, last + 1, device=alike.device)
    inside = sums[places - 1, places - 1]
    degrees = sums[places - 1, -1]
    between = degrees - inside
    rest = total - degrees
    if measure == "conductance":
        worth = -between / torch.minimum(degrees, rest).clamp_min(1e-12)
    else:
        worth = (inside + rest - between) / total - (degrees / total).square() - (rest / total).square()
    best = worth.max()
    # sums of the same numbers in another order differ in their last digits
    near = worth >= best - 1e-9 * best.abs().clamp_min(1e-9)
    return int(places[near][-1])


def moved(cut: int, keys: Tensor, least: int, measure: Measure) -> int:
    """A cut moved back to where it parts the tokens best, at least `least` of them before it.

    Args:
        cut: the first token of the next event, at least `least`.
        keys: of the tokens from the cut before on to half an event beyond this one, [heads, tokens, dimensions].
        least: tokens of the shortest event.
        measure: by which.
    """
    return cut if keys.shape[1] <= cut else split(likeness(keys), least, cut, measure)
