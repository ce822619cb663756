"""English words of time that hang on the moment of speaking: "yesterday", "last Friday", "two weeks ago"."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mnemos.recall.calendar import (
    HOLIDAYS,
    SEASONS,
    Choice,
    Period,
    add_months,
    days,
    midnight,
    month_of,
    occurrence,
    quarter_of,
    season_of,
    week_of,
    weekday_after,
    weekday_before,
    weekend_of,
    year_of,
)
from mnemos.recall.when_rules import Reading, Rule, Scene
from mnemos.recall.when_words import (
    COUNT,
    HOLIDAY,
    MONTH,
    PART_OF_DAY,
    SEASON,
    WEEKDAY,
    WEEKDAYS,
    any_of,
    holiday_name,
    read_count,
    read_month,
)

_SHIFTS = {"last": -1, "previous": -1, "past": -1, "this past": -1, "this": 0, "current": 0}
_SHIFTS |= {"next": 1, "coming": 1, "this coming": 1, "upcoming": 1}
_WHICH = rf"(?:{'|'.join(sorted(_SHIFTS, key=len, reverse=True))})"
_UNIT = r"(?:minute|hour|day|night|week|weekend|fortnight|month|quarter|year|decade)"
_LENGTHS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_LENGTHS |= {"night": timedelta(days=1), "week": timedelta(days=7), "weekend": timedelta(days=7)}
_LENGTHS |= {"fortnight": timedelta(days=14)}
_SLACK_DAYS = {"day": 0, "night": 0, "week": 4, "fortnight": 4, "month": 15, "quarter": 45}
"""How far from the day named "two weeks ago" and the like may lie."""
_MONTHS_IN = {"month": 1, "quarter": 3, "year": 12, "decade": 120}
_DAY_SHIFTS = {"the day before yesterday": -2, "day before yesterday": -2, "yesterday": -1, "today": 0, "tonight": 0}
_DAY_SHIFTS |= {"tomorrow": 1, "day after tomorrow": 2, "the day after tomorrow": 2}
_BEFORE_WEEKDAY = re.compile(r"\b(on|since|by|until|till|before|after|from|to|and|between|through|of)\s+(?:the\s+)?$")
_EVERY = re.compile(r"\b(?:every|each)\s+$")


def _later(moment: datetime, count: int, unit: str) -> datetime:
    if unit in _MONTHS_IN:
        return add_months(moment, count * _MONTHS_IN[unit])
    return moment + count * _LENGTHS[unit]


def _unit_of(now: datetime, unit: str, shift: int) -> Period:
    """The calendar unit that `now` is in, `shift` units on."""
    today = now.date()
    if unit in ("day", "night", "morning", "afternoon", "evening"):
        return days(today + timedelta(days=shift))
    if unit == "week":
        return week_of(now, shift)
    if unit == "fortnight":
        return days(today + timedelta(days=14 * shift), 14)
    if unit == "weekend":
        return weekend_of(now, shift)
    if unit == "month":
        moment = add_months(now, shift)
        return month_of(moment.year, moment.month)
    if unit == "quarter":
        moment = add_months(now, 3 * shift)
        return quarter_of(moment.year, (moment.month + 2) // 3)
    if unit == "year":
        return year_of(now.year + shift)
    return year_of(now.year // 10 * 10 + 10 * shift, 10)


def _which_unit(scene: Scene, match: re.Match[str]) -> Reading:
    unit, which = match["u"], match["w"]
    shift = _SHIFTS[which]
    if which in ("past", "this past") and unit not in ("weekend", "night"):
        return Period(_later(midnight(scene.now), -1, unit), midnight(scene.now) + timedelta(days=1))
    if unit == "weekend" and shift < 0 and scene.now.weekday() < 5:
        return weekend_of(scene.now, -1)
    if unit == "weekend" and shift == 0 and scene.now.weekday() < 3 and not scene.looks_ahead:
        return weekend_of(scene.now, -1)
    return _unit_of(scene.now, unit, shift)


def _which_weekday(scene: Scene, match: re.Match[str]) -> Reading:
    weekday, shift = WEEKDAYS[match["d"]], _SHIFTS[match["w"]]
    if shift < 0 or (shift == 0 and not scene.looks_ahead and scene.habit == "past"):
        return weekday_before(scene.now, weekday)
    return weekday_after(scene.now, weekday, today=shift == 0)


def _which_yearly(scene: Scene, match: re.Match[str]) -> Reading:
    shift, name = _SHIFTS[match["w"]], match["n"]
    choice: Choice = "last" if shift < 0 else "this" if shift == 0 else "next"
    if name in SEASONS:
        if name == "fall" and re.search(r"\b(?:my|his|her|their|your)\s+$|'s\s+$", scene.before(match.start())):
            return None
        return occurrence(lambda year: season_of(year, name), scene.now, choice)
    if re.fullmatch(HOLIDAY, name):
        return occurrence(HOLIDAYS[holiday_name(name)], scene.now, choice)
    if name == "may" and shift == 0 and scene.text[match.start("n")] == "m":
        return None
    month = read_month(name)
    return occurrence(lambda year: month_of(year, month), scene.now, choice)


def _rolling(scene: Scene, match: re.Match[str]) -> Reading:
    """ "The past three months", "the next few days": up to now, or from now on."""
    most, unit = read_count(match["n"])[1], match["u"]
    today = midnight(scene.now)
    if _SHIFTS[match["w"]] < 0:
        return Period(_later(today, -most, unit), today + timedelta(days=1))
    return Period(today, _later(today, most, unit) + timedelta(days=1))


def _distance(scene: Scene, match: re.Match[str]) -> Reading:
    """ "Two weeks ago", "a week or two ago", "three days from now": as vague as such words are."""
    low, high = read_count(match["n"]) if match["n"] else (2, 10)
    for more in (match["n2"], match["n3"]):
        high = max(high, read_count(more)[1]) if more else high
    if match["half"]:
        high += 1
    if match["ahead"]:
        return _spread(scene.now, low, high, match["u"])
    return _spread(scene.now, -high, -low, match["u"])


def _spread(now: datetime, low: int, high: int, unit: str) -> Period:
    """From `low` to `high` units on, each end widened by what is usually meant."""
    today = midnight(now)
    if unit in ("minute", "hour"):
        slack = timedelta(minutes=15) + max(abs(low), abs(high)) * _LENGTHS[unit] / 4
        return Period(_later(now, low, unit) - slack, _later(now, high, unit) + slack)
    if unit in ("year", "decade"):
        return Period(year_of(_later(today, low, unit).year).start, year_of(_later(today, high, unit).year).end)
    if unit == "weekend":
        first, last = weekend_of(now, low), weekend_of(now, high)
        return Period(first.start, last.end)
    slack = timedelta(days=_SLACK_DAYS[unit] or (low == high and abs(low) > 3))
    return Period(_later(today, low, unit) - slack, _later(today, high, unit) + slack + timedelta(days=1))


def _weekdays_ago(scene: Scene, match: re.Match[str]) -> Reading:
    count = read_count(match["n"])[0]
    latest = weekday_before(scene.now, WEEKDAYS[match["d"].removesuffix("s")])
    back = timedelta(weeks=max(count, 1) - 1)
    return Period(latest.start - back, latest.end - back)


def _ahead(scene: Scene, match: re.Match[str]) -> Reading:
    """ "In two weeks" is a time only where the text looks ahead; else it is a length."""
    low, high = read_count(match["n"])
    return _spread(scene.now, low, high, match["u"]) if scene.looks_ahead else None


def _day_word(scene: Scene, match: re.Match[str]) -> Reading:
    return days(scene.now.date() + timedelta(days=_DAY_SHIFTS[re.sub(r"\s+", " ", match["w"])]))


def _other_day(scene: Scene, match: re.Match[str]) -> Reading:
    reach = {"day": 10, "night": 10, "evening": 10, "week": 28, "weekend": 28, "month": 90}[match["u"]]
    today = midnight(scene.now)
    return Period(today - timedelta(days=reach), today)


def _weekday(scene: Scene, match: re.Match[str]) -> Reading:
    """ "On Monday", "since Friday", "Tuesday night"; not "every Monday", and not a girl called Wed."""
    name, before = match["d"], scene.before(match.start())
    led = _BEFORE_WEEKDAY.search(before)
    if not ((led and (name.endswith("day") or led[1] == "on")) or match["p"]) or _EVERY.search(before):
        return None
    find = weekday_after if scene.looks_ahead else weekday_before
    return find(scene.now, WEEKDAYS[name])


def _the_weekend(scene: Scene, match: re.Match[str]) -> Reading:
    return weekend_of(scene.now, 0 if scene.looks_ahead or scene.now.weekday() >= 5 else -1)


RELATIVE = (
    Rule(
        r"\b(?P<w>(?:the\s+)?day\s+(?:before\s+yesterday|after\s+tomorrow)|yesterday|today|tonight|tomorrow)\b",
        _day_word,
    ),
    Rule(
        rf"\b(?:(?P<n>{COUNT})(?:\s+or\s+(?P<n2>{COUNT}))?(?:\s+and\s+a\s+half)?\s+|(?<!many )(?={_UNIT}s))"
        rf"(?P<u>{_UNIT})s?"
        rf"(?:\s+or\s+(?:so|(?P<n3>{COUNT}))|(?P<half>\s+and\s+a\s+half))?\s+(?:ago|back|(?P<ahead>from\s+(?:now|today)))\b",
        _distance,
    ),
    Rule(rf"\b(?P<n>{COUNT})\s+(?P<d>{any_of(WEEKDAYS)}s?)\s+ago\b", _weekdays_ago),
    Rule(rf"\b(?P<w>{_WHICH})\s+(?P<n>{COUNT})\s+(?P<u>{_UNIT})s\b", _rolling),
    Rule(rf"\b(?P<w>{_WHICH})\s+(?P<u>{_UNIT}|{PART_OF_DAY})(?![a-z])", _which_unit),
    Rule(rf"\b(?P<w>{_WHICH})\s+(?P<d>{WEEKDAY})(?:\s+{PART_OF_DAY})?", _which_weekday),
    Rule(rf"\b(?P<w>{_WHICH})\s+(?P<n>{SEASON}|{HOLIDAY}|{MONTH})(?!,?\s+(?:of\s+)?\d)", _which_yearly),
    Rule(r"\bthe\s+other\s+(?P<u>day|night|evening|weekend|week|month)\b", _other_day),
    Rule(rf"(?<=\bin )(?P<n>{COUNT})\s+(?P<u>{_UNIT})s?\b(?!\s+of)", _ahead),
)
"""Rules that hold in a question and in a turn."""

LOOSE = (
    Rule(rf"\b(?P<d>{WEEKDAY})(?P<p>\s+{PART_OF_DAY})?(?!\s+(?:mornings|afternoons|evenings|nights)\b)", _weekday),
    Rule(r"(?:(?<=over )|(?<=at )|(?<=on )|(?<=for ))the\s+weekend\b", _the_weekend),
)
"""Rules for questions only: in a turn they may as well mean the day to come."""
