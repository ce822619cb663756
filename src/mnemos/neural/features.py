"""What is done to queries and keys before a memory sees them: feature maps, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb

import torch
from torch import Tensor
from torch.nn.functional import elu, normalize

from mnemos.errors import InvalidInput
from mnemos.neural.named import looked_up

Map = Callable[[Tensor], Tensor]

MAPS: dict[str, Map] = {
    "none": lambda x: x,
    "scaled": lambda x: x * x.shape[-1] ** -0.25,
    "l2": lambda x: normalize(x, dim=-1),
    "elu": lambda x: (elu(x) + 1) * x.shape[-1] ** -0.5,
    "softmax": lambda x: x.softmax(-1),
}
"""`scaled`: q·k is divided by √d; `elu`: positive features of Katharopoulos et al. 2020, Transformers are RNNs."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """All monomials of the unit vector up to a degree: about keysᵖ features, so a matrix holds about that many pairs.

    After Behrouz et al. 2025, ATLAS: Learning to Optimally Memorize the Context at Test Time (the map is as in the
    paper's text; whether its models weigh the degrees by learned numbers could not be verified, here they do not).
    """

    degree: int

    def __post_init__(self) -> None:
        if self.degree < 1:
            raise InvalidInput("degree", f"is {self.degree}", "give at least 1")

    def width(self, keys: int) -> int:
        """How many features a key of so many numbers has."""
        return comb(keys + self.degree, self.degree) - 1

    def __call__(self, x: Tensor) -> Tensor:
        """[..., keys] as [..., width(keys)], of length 1."""
        x = normalize(x, dim=-1)
        parts = [x]
        for degree in range(2, self.degree + 1):
            chosen = list(combinations_with_replacement(range(x.shape[-1]), degree))
            parts.append(x[..., torch.tensor(chosen, device=x.device)].prod(-1))
        return normalize(torch.cat(parts, -1), dim=-1)


def feature_map(chosen: str | Map, keys: int) -> tuple[Map, int]:
    """A map by its name, and the width of what it makes of so many numbers."""
    if isinstance(chosen, str):
        return looked_up("features", chosen, MAPS), keys
    return chosen, chosen.width(keys) if isinstance(chosen, Polynomial) else keys
