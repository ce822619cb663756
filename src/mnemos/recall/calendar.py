"""Calendar arithmetic for words of time: days, weeks, months, seasons, quarters, holidays, as half-open periods.

Everything here is in local wall time (naive datetimes); `when` turns periods into UTC microseconds. Seasons are the
northern, meteorological ones: spring begins on 1 March, and a winter is named after the year of its December.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple


class Period(NamedTuple):
    """From `start` (inclusive) to `end` (exclusive), in local wall time."""

    start: datetime
    end: datetime


EARLIEST = datetime(1, 1, 1)
"""Stands for an open start."""
LATEST = datetime(9999, 12, 31)
"""Stands for an open end."""

Choice = Literal["past", "nearest", "last", "this", "next"]
"""Which occurrence of something that comes every year is meant."""

SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""The month in which each season begins."""


def midnight(day: date) -> datetime:
    """The first moment of a day."""
    return datetime(day.year, day.month, day.day)


def days(first: date, count: int = 1) -> Period:
    """`count` whole days from `first` on."""
    start = midnight(first)
    return Period(start, start + timedelta(days=count))


def add_months(moment: datetime, count: int) -> datetime:
    """The same day `count` months later (earlier if negative), or the last day of a shorter month."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    for day in (moment.day, 30, 29, 28):
        if day <= moment.day:
            try:
                return moment.replace(year=year, month=month + 1, day=day)
            except ValueError:
                continue
    raise OverflowError("a month outside the calendar")


def month_of(year: int, month: int, count: int = 1) -> Period:
    """`count` whole months from `month` on."""
    start = datetime(year, month, 1)
    return Period(start, add_months(start, count))


def year_of(year: int, count: int = 1) -> Period:
    """`count` whole years from `year` on."""
    return Period(datetime(year, 1, 1), datetime(year + count, 1, 1))


def quarter_of(year: int, quarter: int) -> Period:
    """Quarter 1 to 4 of a year."""
    return month_of(year, 3 * quarter - 2, 3)


def season_of(year: int, name: str) -> Period:
    """A season by name; winter is the one that begins in December of that year."""
    return month_of(year, SEASONS[name], 3)


def week_of(moment: datetime, shift: int = 0) -> Period:
    """The week of a moment, `shift` weeks on: Sunday to Sunday, so that either first day of the week is right."""
    monday = moment.date() - timedelta(days=moment.weekday()) + timedelta(weeks=shift)
    if moment.weekday() == 6:
        return days(monday, 7) if shift >= 0 else days(monday, 13)
    return days(monday - timedelta(days=1), 8)


def weekend_of(moment: datetime, shift: int = 0) -> Period:
    """The weekend that is on or comes next, `shift` weekends on; from Friday evening to Sunday night."""
    saturday = moment.date() + timedelta(days=5 - min(moment.weekday(), 5))
    if moment.weekday() == 6:
        saturday = moment.date() - timedelta(days=1)
    start = midnight(saturday + timedelta(weeks=shift))
    return Period(start - timedelta(hours=6), start + timedelta(days=2))


def weekday_before(moment: datetime, weekday: int) -> Period:
    """The latest such weekday before the day of `moment`."""
    return days(moment.date() - timedelta(days=(moment.weekday() - weekday - 1) % 7 + 1))


def weekday_after(moment: datetime, weekday: int, *, today: bool = False) -> Period:
    """The first such weekday after the day of `moment`, or on it where `today` is allowed."""
    ahead = (weekday - moment.weekday()) % 7
    return days(moment.date() + timedelta(days=ahead if ahead or today else 7))


def easter(year: int) -> date:
    """Western Easter Sunday (the Gregorian computus)."""
    golden, century, rest = year % 19, year // 100, year % 100
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    to_sunday = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (golden + 11 * moon + 22 * to_sunday) // 451
    month, day = divmod(moon + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """The `nth` such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def fixed(month: int, day: int, count: int = 1) -> Callable[[int], Period]:
    """The same `count` days of every year."""
    return lambda year: days(date(year, month, day), count)


HOLIDAYS: dict[str, Callable[[int], Period]] = {
    "christmas": fixed(12, 24, 3),
    "christmas eve": fixed(12, 24),
    "christmas day": fixed(12, 25),
    "xmas": fixed(12, 24, 3),
    "boxing day": fixed(12, 26),
    "new year": lambda year: days(date(year - 1, 12, 31), 2),
    "new year's": lambda year: days(date(year - 1, 12, 31), 2),
    "new year's day": fixed(1, 1),
    "new year's eve": fixed(12, 31),
    "valentine's": fixed(2, 14),
    "valentine's day": fixed(2, 14),
    "st patrick's day": fixed(3, 17),
    "easter": lambda year: days(easter(year) - timedelta(days=2), 4),
    "mother's day": lambda year: days(nth_weekday(year, 5, 6, 2)),
    "father's day": lambda year: days(nth_weekday(year, 6, 6, 3)),
    "independence day": fixed(7, 4),
    "4th of july": fixed(7, 4),
    "fourth of july": fixed(7, 4),
    "halloween": fixed(10, 31),
    "thanksgiving": lambda year: days(nth_weekday(year, 11, 3, 4), 4),
    "black friday": lambda year: days(nth_weekday(year, 11, 3, 4) + timedelta(days=1)),
    "holiday season": fixed(12, 18, 16),
    "lunar new year": fixed(1, 20, 35),
}
"""Feasts by name, each from a year to its days. The lunar new year is the window that it can fall in."""


def occurrence(yearly: Callable[[int], Period], now: datetime, choice: Choice) -> Period:
    """The occurrence of something yearly that is meant at `now`.

    `past`: the latest that has begun; `last`: the latest that is over; `next`: the first that has not begun;
    `this`: the one on, or of this year; `nearest`: whichever is nearest in time.
    """
    near = list(_occurrences(yearly, now.year, 1))
    if len(near) < 3:
        near = list(_occurrences(yearly, now.year, 8))
    if choice == "next":
        near = [period for period in near if period.start > now][:1]
    elif choice == "past":
        near = [period for period in near if period.start <= now][-1:]
    elif choice == "last":
        near = [period for period in near if period.end <= now][-1:]
    elif choice == "this":
        near = [period for period in near if _is_this(period, now)][:1] or near
    if not near:
        raise ValueError("no such day in the calendar")
    return min(near, key=lambda period: max(period.start - now, now - period.end))


def _is_this(period: Period, now: datetime) -> bool:
    if period.start <= now < period.end:
        return True
    stale = _crosses_years(period) and now - period.end > timedelta(days=180)
    return period.end.year == now.year and not stale


def _crosses_years(period: Period) -> bool:
    return period.start.year != (period.end - timedelta(microseconds=1)).year


def _occurrences(yearly: Callable[[int], Period], year: int, reach: int) -> Iterable[Period]:
    """Those of the years around; within eight there is always a 29 February."""
    for candidate in range(max(2, year - reach), min(9998, year + reach) + 1):
        try:
            yield yearly(candidate)
        except ValueError:
            continue
