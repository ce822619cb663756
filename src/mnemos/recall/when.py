"""Time in words: what "in March", "last summer" or "two weeks ago" mean, in a question and in a turn.

A question is read against the moment of asking; a turn's "yesterday" against the turn's own time. Vague words give
wide ranges ("a few days ago" is two to six days back), and a date without a year is the latest one that has begun,
or the nearest where the text looks ahead. Words that set no time ("recently", a bare "5/7/2023" that could be May or
July) give nothing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from mnemos.recall.anchors import EventAnchor, find_anchors
from mnemos.recall.calendar import EARLIEST, LATEST, Period
from mnemos.recall.when_dates import DATES
from mnemos.recall.when_join import join
from mnemos.recall.when_relative import LOOSE, RELATIVE
from mnemos.recall.when_rules import Atom, RuleBook, Scene, lower
from mnemos.recall.when_zh import CHINESE

__all__ = [
    "OPEN_END",
    "OPEN_START",
    "EventAnchor",
    "TimeRange",
    "read_dates",
    "read_event_anchor",
    "read_times",
    "resolve_relative",
]

LONGEST = 8000
"""Characters of a text that are read; what stands further on is left alone."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

OPEN_START = (EARLIEST.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""`start` of a range without a beginning ("before June 2023")."""
OPEN_END = (LATEST.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""`end` of a range without an end ("since April")."""


class TimeRange(NamedTuple):
    """A time that a text speaks of: microseconds since 1970 UTC, `start` included and `end` not."""

    start: int
    end: int
    phrase: str
    """The words that say so."""
    span: tuple[int, int]
    """Where they stand in the text."""


_NEARBY = (
    r"ago|back|last|next|past|this|previous|coming|current|upcoming|the\s+other|from\s+now|to(?:day|night|morrow)|yesterday|"
    r"in\s+(?:\w+\s+){1,3}(?:minute|hour|day|night|week|fortnight|month|quarter|year|decade)s?"
)
_CHINESE = "[年月昨今明后前去春夏秋冬周礼星元圣节]"
_RELATIVE_HINT = re.compile(rf"\b(?:{_NEARBY})\b|{_CHINESE}")
_HINT = re.compile(
    rf"(?:18|19|20)\d\d|\d(?:st|nd|rd|th)\b|day\b|\b(?:{_NEARBY})\b|\b(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|"
    r"dec|mon|tue|wed|thu|fri|sat|sun|spring|summer|autumn|fall|winter|christmas|xmas|new\s+year|valentine|easter|"
    rf"halloween|thanksgiving|holiday\s+season|weekend|the\s+(?:'?\d0'?s|\w+ies))|{_CHINESE}"
)
"""What is cheap to look for, and stands in or beside every time expression."""
_QUESTION = RuleBook(_HINT, (*CHINESE, *RELATIVE, *DATES, *LOOSE))
_TURN = RuleBook(_RELATIVE_HINT, (*CHINESE, *RELATIVE))


def read_times(text: str, *, now: datetime) -> list[TimeRange]:
    """The times that a question speaks of, in order, seen from `now` and in its time zone."""
    text = text[:LONGEST]
    low = lower(text)
    zone = now.tzinfo or UTC
    scene = Scene(text, low, now.replace(tzinfo=None))
    return _ranges(text, join(scene, list(_QUESTION.atoms(scene))), zone)


def resolve_relative(text: str, *, happened_at: datetime) -> list[TimeRange]:
    """The times that a turn's relative words ("yesterday", "next month") mean, seen from the turn's own time."""
    text = text[:LONGEST]
    low = lower(text)
    zone = happened_at.tzinfo or UTC
    scene = Scene(text, low, happened_at.replace(tzinfo=None), habit="nearest")
    return _ranges(text, list(_TURN.atoms(scene)), zone)


def read_dates(text: str, *, happened_at: datetime) -> list[TimeRange]:
    """The times that a turn speaks of, relative or not; a date without a year is the one nearest to the turn."""
    text = text[:LONGEST]
    scene = Scene(text, lower(text), happened_at.replace(tzinfo=None), habit="nearest")
    return _ranges(text, join(scene, list(_QUESTION.atoms(scene))), happened_at.tzinfo or UTC)


def read_event_anchor(text: str) -> list[EventAnchor]:
    """The events that a question sets its time by ("before I moved"), in order; a mere date is not an event."""
    anchors = find_anchors(text[:LONGEST])
    return [anchor for anchor in anchors if not _is_a_date(anchor.event)]


def _is_a_date(event: str) -> bool:
    dates = read_times(event, now=_EPOCH)
    return 2 * sum(len(found.phrase) for found in dates) > len(event)


def _ranges(text: str, atoms: list[Atom], zone: tzinfo) -> list[TimeRange]:
    ranges = []
    for atom in atoms:
        start, end = _micros(atom.period, zone)
        if start < end:
            ranges.append(TimeRange(start, end, text[atom.start : atom.end], (atom.start, atom.end)))
    return ranges


def _micros(period: Period, zone: tzinfo) -> tuple[int, int]:
    """UTC microseconds; a time at the very ends of the calendar counts as open."""
    start, end = (
        (moment.replace(tzinfo=zone) - _EPOCH) // _MICROSECOND if 1 < moment.year < 9999 else None for moment in period
    )
    return OPEN_START if start is None else start, OPEN_END if end is None else end
