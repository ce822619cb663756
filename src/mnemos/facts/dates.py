"""When a sentence says that something was or will be, and how to say so without the turn beside it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from mnemos.recall.when import OPEN_END, OPEN_START, TimeRange, read_dates, resolve_relative
from mnemos.times import EPOCH, from_micros, to_micros

_DAY = 86_400_000_000
_absolute = re.compile(
    r"\b(?:19|20)\d\d\b|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|monday|"
    r"tuesday|wednesday|thursday|friday|"
    r"saturday|sunday)",
    re.IGNORECASE,
)
_year = re.compile(r"\b(?:19|20)\d\d\b")
_plain_weekday = re.compile(
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:in )?(?:the )?(?:spring|summer|"
    r"autumn|fall|winter)",
    re.IGNORECASE,
)
_on = re.compile(r"\bon $", re.IGNORECASE)
_COUNTS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_to_the_day = re.compile(r"\b(a|one|two|three|four|five|ten|[1-9]\d?) years? ago today\b", re.IGNORECASE)
LEADING = re.compile(
    r"(?:\b(?:on|in|at|since|from|by|of|for|around|about|the|back|during|this|until|till|before|,)\s*)+$", re.I
)
"""Small words before a time that go with it."""


class Moment(NamedTuple):
    """A time in a sentence: where its words stand, when it begins and ends (microseconds), and how it reads."""

    span: tuple[int, int]
    start: int
    end: int
    words: str
    """`on 3 May 2023`, `in June 2023`, `between 3 and 7 May 2023`."""


def moments(sentence: str, happened_at: datetime | None) -> list[Moment]:
    """The times of a sentence, in order; without `happened_at` only those that name their year."""
    relative = [] if happened_at is None else resolve_relative(sentence, happened_at=happened_at)
    found: list[TimeRange] = []
    for time in read_dates(sentence, happened_at=happened_at or EPOCH + timedelta(days=20_000)):
        named = _absolute.search(time.phrase) and (
            not _plain_weekday.fullmatch(time.phrase.strip()) or _on.search(sentence[: time.span[0]])
        )
        if happened_at is None and not _year.search(time.phrase):
            continue
        if named or any(other.span[0] < time.span[1] and time.span[0] < other.span[1] for other in relative):
            found.append(time)
    if happened_at is not None and (said := _to_the_day.search(sentence)):
        found = [time for time in found if time.span[1] <= said.start() or said.end() <= time.span[0]]
        found += _that_day(said, happened_at)
    kept = sorted(found, key=lambda time: time.span)
    doubled = {
        one.span
        for one, two in pairwise(kept)
        if two.span[0] <= one.span[1] + 2 and _plain_weekday.fullmatch(one.phrase.rpartition(" ")[2])
    }
    return [_moment(time) for time in kept if time.span not in doubled and _bounded(time)]


def _that_day(said: re.Match[str], now: datetime) -> list[TimeRange]:
    """The day of "two years ago today"."""
    years = _COUNTS.get(said[1].lower()) or int(said[1])
    try:
        start = now.replace(year=now.year - years, hour=0, minute=0, second=0, microsecond=0)
    except ValueError:
        return []
    begin = to_micros(start)
    return [TimeRange(begin, begin + _DAY, said[0], said.span())]


def _bounded(time: TimeRange) -> bool:
    return time.start > OPEN_START and time.end < OPEN_END and time.end - time.start <= 3_700 * _DAY


def _moment(time: TimeRange) -> Moment:
    return Moment(time.span, time.start, time.end, _said(from_micros(time.start), from_micros(time.end)))


def _said(start: datetime, end: datetime) -> str:
    last = end - timedelta(microseconds=1)
    days = (end - start).days
    if days <= 1 and start.date() == last.date():
        return f"on {date(start)}"
    if start.day == 1 and end.day == 1 and (end.year * 12 + end.month) - (start.year * 12 + start.month) == 1:
        return f"in {start:%B} {start.year}"
    if (start.month, start.day, end.month, end.day) == (1, 1, 1, 1) and end.year == start.year + 1:
        return f"in {start.year}"
    if days <= 45:
        return f"between {start.day}{_month(start, last)} and {date(last)}"
    if days <= 130 and start.year == last.year:
        return f"between {start:%B} and {last:%B} {last.year}"
    if start.year == last.year:
        return f"in {start.year}"
    return f"between {start:%B} {start.year} and {last:%B} {last.year}"


def _month(start: datetime, last: datetime) -> str:
    if (start.year, start.month) == (last.year, last.month):
        return ""
    return f" {start:%B}" if start.year == last.year else f" {start:%B} {start.year}"


def date(moment: datetime) -> str:
    """A day in words: `3 May 2023`."""
    return f"{moment.day} {moment:%B} {moment.year}"
