"""The signals: what speaks for a unit being the answer, one number each, over all units at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.recall import matches
from mnemos.recall.cues import kind_of_answer, speakers, times
from mnemos.recall.query import Query
from mnemos.recall.snapshot import Snapshot
from mnemos.recall.words import Cue

Values = NDArray[np.float32]

_SHARPNESS = 2.0
"""How much a session's best units count for more than its others when they are summed."""


class Signals(NamedTuple):
    """What was measured for one question."""

    values: dict[str, Values]
    """By name, one value per unit; those of matching are 1 at the best unit of this question."""
    level: dict[str, float]
    """Absolute measures of how well the question is met at all, comparable between questions."""


def measure(snapshot: Snapshot, query: Query) -> Signals:
    """Every signal of every unit."""
    found, weights = matches.lexical(snapshot, query)
    near, shares = matches.late(snapshot, query)
    dense = matches.reorder(snapshot, snapshot.vectors @ query.vector)
    level = _level(found, weights, near, shares, dense)
    values = _words(snapshot, found, weights)
    values["phrases"] = _relative(matches.phrases(snapshot, query))
    values |= _likeness(snapshot, near, shares)
    values["meaning"] = _relative(dense)
    values["meaning around"] = _relative(matches.dense_around(snapshot, dense))
    values["session"] = _session(snapshot, values)
    values["reply"] = _reply(snapshot, values["words"])
    values = {name: matches.restore(snapshot, value) for name, value in values.items()}
    for group in (speakers, times, kind_of_answer):
        values |= group(snapshot, query)
    return Signals(values, level)


def _words(snapshot: Snapshot, found: matches.Rows, weights: Values) -> dict[str, Values]:
    around = matches.widest(snapshot, found)
    return {
        "words": _relative(weights @ found),
        "coverage": _relative(weights @ (found > 0).astype(np.float32)),
        "words around": _relative(weights @ around),
        "words nearby": _relative(weights @ matches.widest(snapshot, around)),
    }


def _likeness(snapshot: Snapshot, near: matches.Rows, shares: Values) -> dict[str, Values]:
    around = matches.widest(snapshot, near)
    session = shares @ matches.in_session(snapshot, near)
    return {
        "likeness": _relative(shares @ near),
        "likeness around": _relative(shares @ around),
        "likeness nearby": _relative(shares @ matches.widest(snapshot, around)),
        "likeness in session": _relative(session),
    }


def _session(snapshot: Snapshot, values: dict[str, Values]) -> Values:
    """How much of the question's best matches stand in a unit's session, on a logarithmic scale."""
    plain = 2 * values["words"] + 1.5 * values["words around"] + values["likeness"] + values["likeness around"]
    plain += 2 * values["meaning"] + 1.5 * values["meaning around"]
    weight = np.exp(np.float32(_SHARPNESS) * (plain - plain.max(initial=0)))
    summed = matches.in_session(snapshot, weight, np.add)
    session: Values = np.log(summed + np.float32(1e-6)) / np.float32(_SHARPNESS)
    return session


def _reply(snapshot: Snapshot, words: Values) -> Values:
    """Where the unit before asks something, how well that one matches."""
    asks = matches.reorder(snapshot, (snapshot.columns.cues & Cue.QUESTION > 0).astype(np.float32))
    return matches.neighbours(snapshot, words * asks)[0]


def _relative(values: Values) -> Values:
    best = float(values.max(initial=0.0))
    return (values / np.float32(best) if best > 0 else values).astype(np.float32)


def _level(found: matches.Rows, weights: Values, near: matches.Rows, shares: Values, dense: Values) -> dict[str, float]:
    whole = max(float(weights.sum()), 1e-6)
    return {
        "words": float((weights @ found).max(initial=0.0)) / (whole * (1 + matches.K1)),
        "coverage": float((weights @ (found > 0).astype(np.float32)).max(initial=0.0)) / whole,
        "likeness": float((shares @ near).max(initial=0.0)),
        "meaning": float(dense.max(initial=0.0)),
    }
