"""Where a condition is best read, and from which threshold on it holds.

CAST (Lee et al. 2024) tries layers, thresholds on a grid and both sides, and takes what has the best F1 on examples. So
do we, but with every threshold that makes a difference: those half way between neighbouring similarities. Of equals,
ours takes the widest gap, and then the lower layer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mnemos.activation.steering.conditions import Condition, Measure, similarity
from mnemos.activation.steering.states import Tokens
from mnemos.activation.steering.vectors import ControlVector
from mnemos.errors import InvalidInput


def best_condition(
    vector: ControlVector, holds: Tensor, fails: Tensor, *, measure: Measure = "projected", tokens: Tokens = "mean"
) -> Condition:
    """The condition on a vector that tells two kinds of texts apart best.

    Args:
        vector: what is looked for.
        holds: states of texts for which it is to hold, [texts, layers, width], layers in the vector's order.
        fails: states of those for which it is not.
        measure: how states are compared with the vector.
        tokens: which tokens the states are of.

    Raises:
        InvalidInput: there are no texts of a kind, or states of other layers.
    """
    for name, states in (("holds", holds), ("fails", fails)):
        if states.dim() != 3 or not len(states) or states.shape[1:] != (len(vector.layers), vector.width):
            raise InvalidInput(name, f"are states {tuple(states.shape)}", "give one or more texts' [layers, width]")
    tried = []
    for at, layer in enumerate(vector.layers):
        unit = vector.directions[layer].unit
        inside, outside = (similarity(states[:, at], unit, measure).double() for states in (holds, fails))
        tried += [(f1, gap, -layer, cut, above) for f1, gap, cut, above in _cuts(inside, outside)]
    f1, _, layer, cut, above = max(tried)
    return Condition(vector, -layer, cut, above=above, tokens=tokens, measure=measure, f1=f1)


def _cuts(inside: Tensor, outside: Tensor) -> list[tuple[float, float, float, bool]]:
    """F1, the gap around it, the threshold, and whether the condition holds above, of every threshold."""
    known = torch.unique(torch.cat([inside, outside]))
    below = (known[:-1] + known[1:]) / 2 if len(known) > 1 else known[:0]
    edges = [(float(known[0]) - 1e-3, 0.0), *zip(below.tolist(), (known[1:] - known[:-1]).tolist(), strict=True)]
    return [
        (_f1(int(kept(inside, cut).sum()), int(kept(outside, cut).sum()), len(inside)), gap, cut, kept is torch.gt)
        for cut, gap in edges
        for kept in (torch.gt, torch.lt)
    ]


def _f1(hits: int, alarms: int, wanted: int) -> float:
    """Harmonic mean of precision and recall, 0 to 1."""
    return 2 * hits / (hits + alarms + wanted)
