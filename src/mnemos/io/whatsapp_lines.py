"""The lines of a WhatsApp chat: where a message begins, when it was sent, and by whom.

The layout follows the phone's language and clock: `12/03/2024, 18:40 - Ana: text` on Android,
`[12.03.24, 6:40:05 PM] Ana: text` on iOS, with invisible direction marks and narrow spaces in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from mnemos.errors import ImportFailed, InvalidInput
from mnemos.io.reading import DATE_ORDERS, DateOrder

_M = "[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]*"
_S = "[ \u00a0\u202f\u2009]"
_AM = frozenset({"a", "上午", "午前", "오전", "ص"})
_HALVES = "上午|下午|午前|午後|오전|오후"
_HEADER = (
    f"{_M}(?P<open>\\[)?{_M}"
    f"(?P<d1>\\d{{1,4}}){_M}(?P<sep>[./-]){_S}?{_M}(?P<d2>\\d{{1,2}}){_M}(?P=sep){_S}?{_M}(?P<d3>\\d{{1,4}})\\.?{_M}"
    f"(?:[,،]?{_S}+|,)(?:klo{_S}|kl\\.{_S}|um{_S}|at{_S}|à{_S})?"
    f"(?:(?P<half1>{_HALVES}){_S}?)?"
    f"(?P<hour>\\d{{1,2}})[:.](?P<minute>\\d{{2}})(?:[:.](?P<second>\\d{{2}}))?"
    f"(?:{_S}?(?:(?P<half2>[aApP])\\.?{_S}?[mM]\\.?|(?P<half3>[صم])))?(?:{_S}Uhr)?{_M}"
    f"(?(open)\\]{_S}?|(?:{_S}[-–]{_S}|:{_S}))"
)
"""Compiled when the first line is read, so that nothing else waits for it."""
EARLIEST_YEAR = 2009
"""WhatsApp's first year: an earlier date was read in the wrong order."""


class Stamp(NamedTuple):
    """When a line says it was sent: three numbers whose order is the phone's, and a time of day."""

    date: tuple[int, int, int]
    hour: int
    minute: int
    second: int


class Opening(NamedTuple):
    """The beginning of a message: its stamp and the rest of the line."""

    stamp: Stamp
    rest: str


def read_opening(line: str) -> Opening | None:
    """The stamp at the start of a line, if it has one; a line without continues the message before."""
    found = re.match(_HEADER, line)
    if found is None:
        return None
    hour, minute = int(found["hour"]), int(found["minute"])
    half = found["half1"] or found["half2"] or found["half3"]
    if half is not None:
        hour = hour % 12 + (0 if half.lower() in _AM else 12)
    if hour > 23 or minute > 59:
        return None
    date = (int(found["d1"]), int(found["d2"]), int(found["d3"]))
    return Opening(Stamp(date, hour, minute, int(found["second"] or 0)), line[found.end() :])


def to_date(numbers: tuple[int, int, int], order: DateOrder) -> tuple[int, int, int] | None:
    """Year, month and day, where the numbers can be that in this order."""
    first, second, third = numbers
    year, month, day = {
        "dmy": (third, second, first),
        "mdy": (third, first, second),
        "ymd": (first, second, third),
    }[order]
    year = year + 2000 if year < 100 else year
    fits = EARLIEST_YEAR <= year <= 2199 and 1 <= month <= 12 and 1 <= day <= 31
    return (year, month, day) if fits else None


@dataclass(slots=True)
class _Candidate:
    """How well an order explains the dates seen so far."""

    fits: bool = True
    falls: int = 0
    last: tuple[int, int, int] = (0, 0, 0)

    def see(self, date: tuple[int, int, int] | None) -> None:
        if date is None:
            self.fits = False
            return
        self.falls += date < self.last
        self.last = date


@dataclass
class OrderDetector:
    """Finds the order of day, month and year from the dates of a file.

    An order that makes a date impossible is out. Where that leaves both day-first and month-first, the one in which
    the file never runs backwards is taken, if the other one does.
    """

    seen: int = 0
    _candidates: dict[DateOrder, _Candidate] = field(default_factory=lambda: {o: _Candidate() for o in DATE_ORDERS})
    _last: tuple[int, int, int] = (0, 0, 0)

    def see(self, date: tuple[int, int, int]) -> None:
        """Take one more date into account."""
        self.seen += 1
        if date == self._last:
            return
        self._last = date
        for order, candidate in self._candidates.items():
            if candidate.fits:
                candidate.see(to_date(date, order))

    def order(self, name: str) -> DateOrder:
        """The order, or an error that says what to give."""
        fitting = {order: found for order, found in self._candidates.items() if found.fits}
        if len(fitting) > 1:
            # two-digit years first are rare enough to be taken only when nothing else fits
            fitting.pop("ymd", None)
        if not fitting:
            raise ImportFailed(
                f"{name}: its dates fit no one order of day, month and year; is it several exports in one?"
            )
        if len(fitting) > 1:
            fitting = {order: found for order, found in fitting.items() if not found.falls} or fitting
        if len(fitting) > 1:
            raise InvalidInput(
                "date_order",
                f"{name} could be day-first or month-first: no date in it tells them apart",
                "give date_order='dmy' or 'mdy' (--date-order), as the phone writes dates",
            )
        return next(iter(fitting))


def detect_order(openings: Iterable[Opening], name: str) -> DateOrder:
    """The order of the dates of a whole file."""
    detector = OrderDetector()
    for opening in openings:
        detector.see(opening.stamp.date)
    return detector.order(name)


class Clock:
    """Turns stamps into UTC times, in a zone; in the hour that autumn repeats, never backwards."""

    def __init__(self, zone: tzinfo, order: DateOrder) -> None:
        self._zone = zone
        self._order = order
        self._last: datetime | None = None
        self._stamp: Stamp | None = None

    def local(self, stamp: Stamp) -> datetime | None:
        """The phone's time, without a zone; None where there is no such day."""
        date = to_date(stamp.date, self._order)
        try:
            return None if date is None else datetime(*date, stamp.hour, stamp.minute, stamp.second)
        except ValueError:
            return None

    def utc(self, local: datetime) -> datetime:
        """The same moment in UTC."""
        moment = local.replace(tzinfo=self._zone).astimezone(UTC)
        if self._last is not None and moment < self._last:
            later = local.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
            if later >= self._last - timedelta(minutes=1):
                moment = later
        self._last = moment
        return moment
