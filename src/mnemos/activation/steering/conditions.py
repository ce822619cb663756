"""When a model is to be steered: conditions on the hidden state of what it reads, and how they are joined.

As in Lee et al. 2024, "Programming Refusal with Conditional Activation Steering" (CAST). With the condition vector c of
length 1, P = c cᵀ and a state h of the prompt, similarity is cos(h, tanh(P h)), and the condition holds on one side of
a threshold. Its sign says nothing: P h turns with h, so that a state and its opposite are equally similar.

Ours: `cosine` compares h with c itself, which tells the two ends of a direction apart; rows of a batch are decided
each for itself, by their own tokens without padding; and conditions are joined by `&`, `|` and `~`, where the paper's
rules name conditions in a text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from mnemos.activation.steering.states import Tokens, gathered, read_tokens
from mnemos.activation.steering.vectors import ControlVector
from mnemos.errors import InvalidInput

Measure = Literal["projected", "cosine"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
Made = Mapping["Condition", Tensor]
"""Which rows each condition that was decided holds for, [rows], bool."""


class Rule(ABC):
    """Something that holds for a row of a batch, or does not."""

    @property
    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """Those that have to be decided before it can be."""

    @abstractmethod
    def holds(self, made: Made) -> Tensor:
        """For which rows it holds, [rows], bool, once its conditions are decided."""

    def __and__(self, other: Rule) -> Rule:
        return _Joined(self, other, is_both=True)

    def __or__(self, other: Rule) -> Rule:
        return _Joined(self, other, is_both=False)

    def __invert__(self) -> Rule:
        return _Not(self)


@dataclass(frozen=True, slots=True, eq=False)
class Condition(Rule):
    """One threshold on the similarity of what a model reads with a direction.

    Raises:
        InvalidInput: the vector has no direction in the layer, or a choice is unknown.
    """

    vector: ControlVector
    """What is looked for."""
    layer: int
    """After which layer."""
    threshold: float
    """-1 to 1."""
    above: bool = True
    """Whether it holds above the threshold, or below it; at the threshold never."""
    tokens: Tokens = "mean"
    """Which tokens of the prompt are looked at."""
    measure: Measure = "projected"
    """`projected` as published, or `cosine`."""
    f1: float | None = None
    """How well it told the examples apart that it was fitted on, 0 to 1."""

    def __post_init__(self) -> None:
        read_tokens(self.tokens)
        if self.measure not in MEASURES:
            raise InvalidInput("measure", f"{str(self.measure)[:20]!r} is unknown", f"use {' or '.join(MEASURES)}")
        if self.layer not in self.vector.directions:
            has = ", ".join(map(str, self.vector.layers))
            raise InvalidInput("layer", f"the vector has no direction after layer {self.layer}", f"use one of {has}")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Itself."""
        return (self,)

    def holds(self, made: Made) -> Tensor:
        """For which rows it holds, [rows], bool."""
        return made[self]

    def decided(self, hidden: Tensor, real: Tensor) -> Tensor:
        """For which rows it holds.

        Args:
            hidden: what the layer put out, [rows, tokens, width].
            real: which tokens are no padding, [rows, tokens], bool.

        Returns:
            [rows], bool.
        """
        unit = self.vector.directions[self.layer].unit
        found = similarity(gathered(hidden, real, self.tokens), unit, self.measure)
        return found > self.threshold if self.above else found < self.threshold


@dataclass(frozen=True, slots=True, eq=False)
class _Joined(Rule):
    one: Rule
    other: Rule
    is_both: bool

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return tuple(dict.fromkeys((*self.one.conditions, *self.other.conditions)))

    def holds(self, made: Made) -> Tensor:
        one, other = self.one.holds(made), self.other.holds(made)
        other = other.to(one.device)
        return one & other if self.is_both else one | other


@dataclass(frozen=True, slots=True, eq=False)
class _Not(Rule):
    rule: Rule

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.rule.conditions

    def holds(self, made: Made) -> Tensor:
        return ~self.rule.holds(made)


def similarity(states: Tensor, unit: Tensor, measure: Measure) -> Tensor:
    """How similar states are to a direction.

    Args:
        states: [rows, width].
        unit: the direction, [width], of length 1.
        measure: `projected` or `cosine`.

    Returns:
        [rows], float32, -1 to 1; 0 where a state has no length.
    """
    h, c = states.float(), unit.to(states.device, torch.float32)
    there = torch.tanh((h @ c)[:, None] * c) if measure == "projected" else c.expand_as(h)
    return torch.nn.functional.cosine_similarity(h, there, dim=-1, eps=1e-12)
