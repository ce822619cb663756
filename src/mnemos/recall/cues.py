"""The signals that need no matching: who speaks, when, and whether the unit holds the kind of thing asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.query import Asks, Query
from mnemos.recall.snapshot import MACHINE, NONE, Snapshot
from mnemos.recall.words import Cue

Values = NDArray[np.float32]

_DAY = 86_400_000_000
_BEFORE, _AFTER = _DAY, 14 * _DAY
"""People speak of a day from a day before it (time zones) to two weeks after it."""
_COMMON = 0.9
"""A range that holds more than this share of all units says nothing."""
_LONG = 40
"""From this many words on a unit does not count as more substantial."""

_kinds: tuple[tuple[str, Asks, Cue], ...] = (
    ("time for when", Asks.WHEN, Cue.TIME),
    ("number for how many", Asks.NUMBER, Cue.NUMBER),
    ("name for who", Asks.WHO, Cue.NAME),
    ("name for where", Asks.WHERE, Cue.NAME),
    ("taste for likes", Asks.LIKING, Cue.LIKING),
)
_surface: tuple[tuple[str, Cue], ...] = (
    ("asks", Cue.QUESTION),
    ("first person", Cue.FIRST_PERSON),
    ("second person", Cue.SECOND_PERSON),
    ("greeting", Cue.GREETING),
    ("number", Cue.NUMBER),
    ("time", Cue.TIME),
    ("name", Cue.NAME),
    ("instruction", Cue.INSTRUCTION),
    ("aside", Cue.ASIDE),
)


def speakers(snapshot: Snapshot, query: Query) -> dict[str, Values]:
    """Whether the unit was said by whom the question is about."""
    columns = snapshot.columns
    person = np.zeros(len(columns.num), np.float32)
    if len(query.named) == 1:
        person = (columns.speaker == query.named[0]).astype(np.float32)
    user = snapshot.user.astype(np.float32)
    nothing = np.zeros_like(user)
    return {
        "speaker": person,
        "speaker on themselves": person * (columns.cues & Cue.FIRST_PERSON > 0),
        "user": user,
        "user on themselves": user if Asks.MINE in query.asks else nothing,
        "machine on itself": (columns.voice == MACHINE).astype(np.float32) if Asks.YOURS in query.asks else nothing,
    }


def times(snapshot: Snapshot, query: Query) -> dict[str, Values]:
    """Whether the unit was said in, or soon after, a time that the question speaks of."""
    time = snapshot.columns.time
    known = time != NONE
    within, soon = np.zeros(len(time), np.bool_), np.zeros(len(time), np.bool_)
    for start, end in query.times:
        within |= known & (time >= start) & (time < end)
        soon |= known & (time >= start - min(_BEFORE, start - NONE)) & (time < end + _AFTER)
    return {"then": _unless_common(within), "soon after": _unless_common(soon)}


def kind_of_answer(snapshot: Snapshot, query: Query) -> dict[str, Values]:
    """Whether the unit's surface shows the kind of thing asked for, or what answers show in general."""
    cues = snapshot.columns.cues
    values = {name: (cues & cue > 0).astype(np.float32) for name, cue in _surface}
    for name, asks, cue in _kinds:
        values[name] = (cues & cue > 0).astype(np.float32) * np.float32(asks in query.asks)
    values["substance"] = np.minimum(snapshot.columns.words, _LONG).astype(np.float32) / np.float32(_LONG)
    return values


def _unless_common(mask: NDArray[np.bool_]) -> Values:
    if len(mask) and mask.mean() > _COMMON:
        return np.zeros(len(mask), np.float32)
    return mask.astype(np.float32)
