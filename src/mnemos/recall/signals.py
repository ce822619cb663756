"""The signals: what speaks for a unit being the answer, one number each, over all units at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.recall import matches
from mnemos.recall.query import Asks, Query
from mnemos.recall.snapshot import Snapshot

Values = NDArray[np.float32]


class Signals(NamedTuple):
    """What was measured for one question."""

    values: dict[str, Values]
    """By name, one value per unit; most are 1 at the best unit of this question."""
    level: dict[str, float]
    """Absolute measures of how well the question is met at all, comparable between questions."""


def measure(snapshot: Snapshot, query: Query) -> Signals:
    """Every signal of every unit."""
    found, weights = matches.lexical(snapshot, query)
    near, token_weights = matches.late(snapshot, query)
    dense = matches.reorder(snapshot, snapshot.vectors @ query.vector)
    own, context = weights @ found, _around(snapshot, found, weights)
    late, late_context = token_weights @ near, token_weights @ matches.widest(snapshot, near)
    values = {
        "words": _relative(own),
        "words around": _relative(context),
        "likeness": _relative(late),
        "likeness around": _relative(late_context),
        "meaning": _relative(dense),
        "meaning around": _relative(matches.dense_around(snapshot, dense)),
    }
    values = {name: matches.restore(snapshot, value) for name, value in values.items()}
    values["speaker"] = _speaker(snapshot, query)
    return Signals(values, _level(own, weights, late, token_weights, dense))


def _around(snapshot: Snapshot, found: matches.Rows, weights: Values) -> Values:
    own: Values = weights @ found
    before, after = matches.neighbours(snapshot, own)
    total: Values = np.add(own, before) + after
    return total


def _speaker(snapshot: Snapshot, query: Query) -> Values:
    if len(query.named):
        return np.isin(snapshot.columns.speaker, query.named).astype(np.float32)
    if Asks.MINE in query.asks:
        return (snapshot.columns.machine == 2).astype(np.float32)
    return np.zeros(len(snapshot.columns.num), np.float32)


def _relative(values: Values) -> Values:
    best = float(values.max(initial=0.0))
    return values / np.float32(best) if best > 0 else values


def _level(own: Values, weights: Values, late: Values, token_weights: Values, dense: Values) -> dict[str, float]:
    return {
        "words": float(own.max(initial=0.0)) / max(float(weights.sum()) * (1 + matches.K1), 1e-6),
        "likeness": float(late.max(initial=0.0)) / max(float(token_weights.sum()), 1e-6),
        "meaning": float(dense.max(initial=0.0)),
    }
