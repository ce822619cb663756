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
    level: dict[str, Values]
    """By name, one value per unit: what share of the question it meets (`met`), in absolute terms, which are comparable
    between questions and namespaces of any size; and whether who speaks tells nothing at all
    (`unattributed`)."""


def measure(snapshot: Snapshot, query: Query) -> Signals:
    """Every signal of every unit."""
    found, weights = matches.lexical(snapshot, query)
    cosines = matches.late(snapshot, query)
    near = matches.damped(snapshot, cosines)
    shares, everywhere = matches.shares(snapshot, query)
    dense = matches.reorder(snapshot, snapshot.vectors @ query.vector)
    level = {name: matches.restore(snapshot, value) for name, value in _level(snapshot, cosines, everywhere).items()}
    values = _words(snapshot, found, weights)
    values["phrases"] = _relative(matches.phrases(snapshot, query))
    values |= _likeness(snapshot, near, shares)
    values["meaning"] = _relative(dense)
    values["meaning nearby"] = _relative(matches.dense_nearby(snapshot, dense))
    values["session"] = _session(snapshot, values)
    values["reply"] = _reply(snapshot, values["words"])
    values = {name: matches.restore(snapshot, value) for name, value in values.items()}
    values["generality"] = snapshot.vectors @ snapshot.mean_vector
    people = speakers(snapshot, query)
    said = snapshot.columns.num > 0
    silent = not any(bool(value[said].any()) for value in people.values())
    level["unattributed"] = np.full(len(snapshot.columns.num), silent, np.float32)
    values |= people | times(snapshot, query) | kind_of_answer(snapshot, query)
    return Signals(values, level)


def _words(snapshot: Snapshot, found: matches.Rows, weights: Values) -> dict[str, Values]:
    around = matches.widest(snapshot, found)
    nearby = matches.widest(snapshot, around)
    wider = matches.widest(snapshot, matches.widest(snapshot, nearby))
    return {
        "words": _relative(weights @ found),
        "coverage": _relative(weights @ (found > 0).astype(np.float32)),
        "words around": _relative(weights @ around),
        "words nearby": _relative(weights @ nearby),
        "words in the region": _relative(weights @ wider),
    }


def _likeness(snapshot: Snapshot, near: matches.Rows, shares: Values) -> dict[str, Values]:
    around = matches.widest(snapshot, near)
    nearby = matches.widest(snapshot, around)
    wider = matches.widest(snapshot, matches.widest(snapshot, nearby))
    own = _relative(shares @ near)
    before, after = matches.runs_beside(snapshot, own)
    session = shares @ matches.in_session(snapshot, near)
    return {
        "likeness": own,
        "likeness around": _relative(shares @ around),
        "likeness nearby": _relative(shares @ nearby),
        "likeness in the region": _relative(shares @ wider),
        "likeness before": before,
        "likeness after": after,
        "likeness in session": _relative(session),
    }


def _session(snapshot: Snapshot, values: dict[str, Values]) -> Values:
    """How much of the question's best matches stand in a unit's session, on a logarithmic scale."""
    plain = 2 * values["words"] + 1.5 * values["words around"] + values["likeness"] + values["likeness around"]
    plain += 2 * values["meaning"] + 1.5 * values["meaning nearby"]
    weight = np.exp(np.float32(_SHARPNESS) * (plain - plain.max(initial=0)))
    summed = matches.in_session(snapshot, weight, np.add)
    session: Values = np.log(summed + np.float32(1e-6)) / np.float32(_SHARPNESS)
    return session


def _reply(snapshot: Snapshot, words: Values) -> Values:
    """Where the other one asked something just before, how well the asking matches."""
    asks = matches.reorder(snapshot, (snapshot.columns.cues & Cue.QUESTION > 0).astype(np.float32))
    return matches.runs_beside(snapshot, words * asks)[0]


def _relative(values: Values) -> Values:
    best = float(values.max(initial=0.0))
    return (values / np.float32(best) if best > 0 else values).astype(np.float32)


def _level(snapshot: Snapshot, cosines: matches.Rows, shares: Values) -> dict[str, Values]:
    return {"met": shares @ matches.widest(snapshot, cosines)}
