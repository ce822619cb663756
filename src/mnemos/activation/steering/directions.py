"""A direction in the hidden states of one layer, from pairs of examples.

Two ways, each of published systems:

- `mean`: the mean of the differences of each pair (Rimsky et al. 2023, "Steering Llama 2 via Contrastive Activation
  Addition"; the mean difference of Marks & Tegmark 2023, "The Geometry of Truth").
- `pca`: the first principal component of the differences (Zou et al. 2023, "Representation Engineering: A Top-Down
  Approach to AI Transparency"; so the control vectors of repeng, and the vectors of CAST, Lee et al. 2024).

Each difference is taken with both signs, so that what is decomposed has no mean that could be taken away: zero is its
centre. To centre the differences themselves, as a PCA called on them does, would take away the very thing that all
pairs share.

Ours: a direction has length 1, and its size is kept apart, as the mean difference along it. So a strength of 1 moves
an example of the one kind to where those of the other are, whatever the layer and the method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from mnemos.errors import InvalidInput

Method = Literal["mean", "pca"]
METHODS: tuple[Method, ...] = get_args(Method)
LEAST = 1e-12
"""A difference that is shorter than this is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """Where one kind of examples lies from the other, in one layer."""

    unit: Tensor
    """[width], float32, of length 1."""
    size: float
    """How far the one kind lies from the other along it, on average; more than 0."""

    @property
    def whole(self) -> Tensor:
        """The direction at its size, [width]."""
        return self.unit * self.size


def direction_of(positive: Tensor, negative: Tensor, method: Method = "mean") -> Direction:
    """The direction from negative examples to positive ones.

    Args:
        positive: states of one kind, [pairs, width].
        negative: the state that each of them is paired with, [pairs, width].
        method: `mean` or `pca`.

    Raises:
        InvalidInput: the shapes differ, the method is unknown, or the pairs do not differ.
    """
    if positive.dim() != 2 or positive.shape != negative.shape or not len(positive):
        problem = f"states {tuple(positive.shape)} and {tuple(negative.shape)}"
        raise InvalidInput("pairs", problem, "give one or more pairs as two tensors [pairs, width]")
    if method not in METHODS:
        raise InvalidInput("method", f"{str(method)[:20]!r} is unknown", f"use {' or '.join(METHODS)}")
    apart = positive.double() - negative.double()
    if not bool(torch.isfinite(apart).all()):
        raise InvalidInput("pairs", "have states that are not numbers", "look at the model's weights and number type")
    raw = apart.mean(0) if method == "mean" else _component(apart)
    length = float(raw.norm())
    unit = raw / max(length, LEAST)
    along = apart @ unit
    if method == "pca":
        unit, along = (-unit, -along) if _is_turned(along) else (unit, along)
    size = float(along.mean())
    if length < LEAST or size < LEAST:
        raise InvalidInput("pairs", "do not differ in one direction", "give examples that differ in what is meant")
    return Direction(unit.float(), size)


def _component(apart: Tensor) -> Tensor:
    """The direction in which differences are largest, squared and summed, [width]; its sign is any."""
    if float(apart.abs().max()) < LEAST:
        return apart[0] * 0
    found: Tensor = torch.linalg.svd(apart, full_matrices=False).Vh[0]
    return found


def _is_turned(along: Tensor) -> bool:
    """Whether a direction points from positive to negative in most pairs; where it is even, by the mean."""
    votes = float(torch.sign(along).sum())
    return votes < 0 or (votes == 0 and float(along.mean()) < 0)
