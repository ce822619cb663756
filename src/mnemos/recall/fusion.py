"""From signals to a score: fitted weights, a sum in logits, and a calibrated probability."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.signals import Signals


class Weights(NamedTuple):
    """The fitted numbers, as `weights.json` holds them."""

    people: dict[str, float]
    """Logits for each unit of a signal, in talk between people."""
    machine: dict[str, float]
    """The same in talk with a machine."""
    level: dict[str, float]
    """Logits for each unit of an absolute measure of the question."""
    bias: float
    threshold: float
    """A best score below this says: nothing is known about it."""


@cache
def bundled() -> Weights:
    """The weights that ship with Mnemos."""
    held = json.loads(files("mnemos.recall").joinpath("weights.json").read_text(encoding="utf-8"))
    return Weights(held["people"], held["machine"], held["level"], held["bias"], held["threshold"])


BEST = 5
"""How many of the best units say how well a question is met."""

Terms = dict[str, NDArray[np.float32]]
"""What each signal contributes, in logits, by name; one value per unit."""


def weigh(signals: Signals, machine: NDArray[np.bool_], weights: Weights) -> Terms:
    """The contribution of every signal, and of the level that all hits of a question share."""
    mixed = bool(machine.any()) and not bool(machine.all())
    one = weights.machine if len(machine) and machine[0] else weights.people
    terms: Terms = {}
    for name in weights.people:
        if mixed:
            factor = np.where(machine, np.float32(weights.machine[name]), np.float32(weights.people[name]))
            terms[name] = factor * signals.values[name]
        else:
            terms[name] = np.float32(one[name]) * signals.values[name]
    met = level(signals, terms)
    shared = weights.bias + sum(weight * met[name] for name, weight in weights.level.items())
    terms["level"] = np.full(len(machine), shared, np.float32)
    return terms


def level(signals: Signals, terms: Terms) -> dict[str, float]:
    """How well the question is met at all: the most that one of the best few units meets."""
    order = total(terms)
    few = min(BEST, len(order))
    best = np.argpartition(-order, few - 1)[:few] if few else np.empty(0, np.int64)
    return {name: float(values[best].max(initial=0.0)) for name, values in signals.level.items()}


def total(terms: Terms) -> NDArray[np.float32]:
    """The sum of the contributions for each unit: the logit of its score, and what hits are ordered by."""
    values = list(terms.values())
    summed = values[0].copy()
    for value in values[1:]:
        summed += value
    return summed


def probability(logits: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function."""
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -60, 60)))
