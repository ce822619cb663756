"""The arithmetic behind `fit_recall.py`: a listwise fit shrunk towards equal weights, calibration, and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CANDIDATES = 150
"""How many of a question's best memories enter the fit, beside its evidence."""
STEPS = 25
TOLERANCE = 1e-3


class Question(NamedTuple):
    """One question as the fit sees it."""

    id: str
    conversation: str
    category: str
    machine: bool
    signals: Array
    """One row per candidate memory, one column per signal."""
    gold: NDArray[np.bool_]
    missing: int
    """Evidence that is not among the candidates (never, as fitted; kept for honest recall)."""


class Batch(NamedTuple):
    """The questions of one data set, padded to one shape."""

    signals: Array
    present: NDArray[np.bool_]
    target: Array
    """What share of the evidence each candidate is; sums to 1."""


def batch(questions: Sequence[Question], tie: float) -> Batch:
    """Pad, and give each signal three columns: shared, between people, with a machine (the latter scaled by `tie`)."""
    asked = [question for question in questions if question.gold.any()]
    width = max(len(question.gold) for question in asked)
    count = asked[0].signals.shape[1]
    signals = np.zeros((len(asked), width, 3 * count), np.float32)
    present = np.zeros((len(asked), width), np.bool_)
    target = np.zeros((len(asked), width))
    for row, question in enumerate(asked):
        size = len(question.gold)
        own = count * (2 if question.machine else 1)
        signals[row, :size, :count] = question.signals
        signals[row, :size, own : own + count] = question.signals * tie
        present[row, :size] = True
        target[row, :size] = question.gold / question.gold.sum()
    return Batch(signals, present, target)


def fit(batches: Sequence[Batch], prior: Array, shrink: float, start: Array | None = None) -> Array:
    """Weights that give the evidence the highest softmax, every data set counting the same (Newton's method)."""
    weights = prior.copy() if start is None else start.copy()
    for _ in range(STEPS):
        gradient = shrink * (weights - prior)
        curve = shrink * np.eye(len(weights))
        for held in batches:
            one, two = _slope(held, weights)
            gradient += one * (400 / len(held.target))
            curve += two * (400 / len(held.target))
        step = np.linalg.solve(curve, gradient)
        weights -= step * min(1.0, 3.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < TOLERANCE:
            break
    return weights


def _slope(held: Batch, weights: Array) -> tuple[Array, Array]:
    logits = np.where(held.present, held.signals @ weights.astype(np.float32), -np.inf)
    chance = np.exp(logits - logits.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    mean = np.einsum("qc,qcf->qf", chance, held.signals, optimize=True)
    wanted = np.einsum("qc,qcf->qf", held.target, held.signals, optimize=True)
    flat = (held.signals * np.sqrt(chance)[:, :, None].astype(np.float32)).reshape(-1, held.signals.shape[2])
    return (mean - wanted).sum(axis=0), (flat.T @ flat).astype(np.float64) - mean.T @ mean


def untie(weights: Array, tie: float) -> tuple[Array, Array]:
    """The weights between people and with a machine, from shared and separate ones."""
    shared, people, machine = np.split(weights, 3)
    return shared + tie * people, shared + tie * machine


def order(question: Question, people: Array, machine: Array) -> Array:
    """The sum that candidates are ordered by."""
    total: Array = question.signals @ (machine if question.machine else people)
    return total


def found(question: Question, people: Array, machine: Array, depth: int = 10) -> tuple[float, float]:
    """Recall and NDCG at `depth`."""
    ranked = np.argsort(-order(question, people, machine), kind="stable")[:depth]
    hits = question.gold[ranked]
    wanted = int(question.gold.sum()) + question.missing
    discount = 1 / np.log2(np.arange(depth) + 2)
    return hits.sum() / wanted, (hits * discount[: len(hits)]).sum() / discount[:wanted].sum()


def logistic(inputs: Array, labels: Array, counts: Array, shrink: float = 1.0) -> Array:
    """Logistic regression by Newton's method; the last input column is the constant."""
    weights = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (counts * (chance - labels)) + shrink * weights
        curve = (inputs.T * (counts * chance * (1 - chance))) @ inputs + shrink * np.eye(len(weights))
        step = np.linalg.solve(curve, gradient)
        weights -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < TOLERANCE:
            break
    return weights


def auroc(high: Sequence[float], low: Sequence[float]) -> float:
    """The chance that one of the first scores above one of the second."""
    a, b = np.asarray(high)[:, None], np.asarray(low)[None, :]
    return float(((a > b) + 0.5 * (a == b)).mean()) if a.size and b.size else float("nan")


def interval(values: Sequence[float], seed: int, rounds: int = 1000) -> tuple[float, float, float]:
    """The mean and its 95% bootstrap interval."""
    sample = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(sample), (rounds, len(sample)))
    low, high = np.quantile(sample[draws].mean(axis=1), [0.025, 0.975])
    return float(sample.mean()), float(low), float(high)
