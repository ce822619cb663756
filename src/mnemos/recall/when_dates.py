"""English dates: "7 May 2023", "2023-05-07", "in March", "summer of 2022", "Thanksgiving", "Q3 2023", "the 90s"."""

from __future__ import annotations

import re
from datetime import datetime

from mnemos.recall.calendar import (
    HOLIDAYS,
    SEASONS,
    Period,
    add_months,
    days,
    month_of,
    quarter_of,
    season_of,
    year_of,
)
from mnemos.recall.when_rules import Reading, Rule, Scene
from mnemos.recall.when_words import (
    DAY,
    HOLIDAY,
    MONTH,
    ORDINALS,
    PLAIN_MONTHS,
    SEASON,
    YEAR,
    any_of,
    holiday_name,
    read_day,
    read_month,
)

_YEARS = {"last": -1, "this": 0, "next": 1}
_NOT_A_DAY = r"(?![:%/]\d|%|\.\d|\s*(?:[ap]m|km|kg|miles?|minutes?|hours?|people|percent|times|years?)\b)"
_LEADS = r"in|since|until|till|by|during|last|this|next|past|early|mid|late|of|before|after|around|for|to|through|from"
_BEFORE_MONTH = re.compile(
    rf"(?:\b(?:{_LEADS}|between|and|or|the|my|our|his|her|their|your)\s+|\b(?:early|mid|late)-|'s\s+|^|[,;(–-]\s*)$"
)
_BEFORE_SHY_MONTH = re.compile(
    rf"(?:\b(?:in|since|until|till|last|next|early|mid|late|of|by|between|from)\s+|\b(?:early|mid|late)-|"
    rf"{MONTH}\s+(?:and|to|or|through)\s+)$"
)
_BEFORE_SEASON = re.compile(rf"(?:\b(?:{_LEADS}|over|between|and)\s+(?:the\s+)?|\b(?:early|mid|late)-)$")
_AFTER_MAY = re.compile(r"\s*(?:i|we|you|he|she|they|it|be|have|not|also|the)\b")
_AFTER_FALL = re.compile(r"\s+(?:of|off|from|asleep|in love|down|on|in (?:my|the)|that|onto?)\b")
_BEFORE_YEAR = re.compile(rf"(?:\b(?:{_LEADS}|between|and|year|the|my|our|his|her|their|your)[\s-]+|'s\s+)$")
_AFTER_COUNT = re.compile(
    r"[\d:/%_]|[.,]\d|[\s-]*(?:words?|steps?|calor\w+|kcal|dollars?|people|usd|eur\w*|km|miles|m|kg|points?|users?|times|"
    r"hours?|minutes?|\w+ (?:words?|steps?))\b"
)


def _month_day(scene: Scene, match: re.Match[str]) -> Reading:
    found = match.groupdict()
    month, first = read_month(found["m"]), read_day(found["d"])
    last = read_day(found["d2"]) if found.get("d2") else first
    start, end = match.span("m")
    if scene.text[start:end] in ("may", "march") and _AFTER_MAY.match(scene.low, match.end()):
        return None

    def yearly(year: int) -> Period:
        return days(datetime(year, month, first), max(1, last - first + 1))

    return yearly(int(found["y"])) if found.get("y") else yearly


def _numeric_date(scene: Scene, match: re.Match[str]) -> Reading:
    """5/13/2023 and 13/5/2023 are plain, 5/7/2023 is not, 7.5.2023 is day first everywhere."""
    a, b, year = int(match["a"]), int(match["b"]), int(match["y"])
    if match["sep"] == "." or a > 12 or a == b:
        return days(datetime(year, b, a))
    return days(datetime(year, a, b)) if b > 12 else None


def _iso_date(scene: Scene, match: re.Match[str]) -> Reading:
    year, month = int(match["y"]), int(match["m"])
    return days(datetime(year, month, int(match["d"]))) if match["d"] else month_of(year, month)


def _month_and_year(scene: Scene, match: re.Match[str]) -> Reading:
    return month_of(int(match["y"]), read_month(match["m"]))


def _season_and_year(scene: Scene, match: re.Match[str]) -> Reading:
    return season_of(int(match["y"]), match["s"])


def _part_of_relative_year(scene: Scene, match: re.Match[str]) -> Reading:
    year = scene.now.year + _YEARS[match["w"]]
    part = match["p"].rstrip(".")
    return season_of(year, part) if part in SEASONS else month_of(year, read_month(part))


def _bare_month(scene: Scene, match: re.Match[str]) -> Reading:
    word, before = match["m"].rstrip("."), scene.before(match.start())
    shy = scene.text[match.start()].islower() and word in ("may", "march")
    if word not in PLAIN_MONTHS:
        gate = _BEFORE_SHY_MONTH if shy or (len(word.rstrip(".")) < 4 and word != "may") else _BEFORE_MONTH
        if not gate.search(before) or (not before and word != "april"):
            return None
    if word == "may" and _AFTER_MAY.match(scene.low, match.end()) and not before.endswith("in "):
        return None
    month = read_month(word)
    return lambda year: month_of(year, month)


def _bare_season(scene: Scene, match: re.Match[str]) -> Reading:
    name = match["s"]
    if not _BEFORE_SEASON.search(scene.before(match.start())):
        return None
    if name in ("fall", "spring") and _AFTER_FALL.match(scene.low, match.end()):
        return None
    return lambda year: season_of(year, name)


def _bare_year(scene: Scene, match: re.Match[str]) -> Reading:
    led = _BEFORE_YEAR.search(scene.before(match.start()))
    return year_of(int(match["y"])) if led and not _AFTER_COUNT.match(scene.low, match.end()) else None


def _day_of_month(scene: Scene, match: re.Match[str]) -> Reading:
    """ "On the 7th": the latest one, or the coming one where the text looks ahead."""
    steps = (0, 1, 2) if scene.looks_ahead else (0, -1, -2)
    for step in steps:
        try:
            period = days(add_months(scene.now.replace(day=1), step).replace(day=read_day(match["d"])))
        except ValueError:
            continue
        if (scene.looks_ahead and period.end > scene.now) or (not scene.looks_ahead and period.start <= scene.now):
            return period
    return None


def _holiday(scene: Scene, match: re.Match[str]) -> Reading:
    yearly = HOLIDAYS[holiday_name(match["h"])]
    return yearly(int(match["y"])) if match["y"] else yearly


def _quarter(scene: Scene, match: re.Match[str]) -> Reading:
    quarter = int(match["q"]) if match["q"] else ORDINALS[match["o"]]
    return quarter_of(int(match["y"]) if match["y"] else scene.now.year + _YEARS[match["w"]], quarter)


_NAMED_DECADES = {name: 10 * n for n, name in enumerate("twent thirt fort fift sixt sevent eight ninet".split(), 2)}


def _decade(scene: Scene, match: re.Match[str]) -> Reading:
    short = int(match["d"]) if match["d"] else _NAMED_DECADES[match["n"]]
    if short < 100:
        short += 2000 if short < 30 else 1900
    return year_of(short, 10)


DATES = (
    Rule(rf"(?<![\d/.-])(?P<y>{YEAR})[-/.](?P<m>0?[1-9]|1[0-2])(?:[-/.](?P<d>[0-3]?\d))?(?![\d/-])", _iso_date),
    Rule(rf"(?<![\d/.-])(?P<a>\d\d?)(?P<sep>[-/.])(?P<b>\d\d?)[-/.](?P<y>{YEAR})", _numeric_date),
    Rule(rf"\b(?P<h>{HOLIDAY})(?:,?\s+(?:of\s+)?(?P<y>{YEAR}))?", _holiday),
    Rule(
        rf"\b(?P<m>{MONTH})\s*(?:the\s+)?(?P<d>{DAY})(?:\s*(?:-|–|to|through|until)\s*(?P<d2>{DAY}))?{_NOT_A_DAY}"
        rf"(?:(?:,\s*|\s+|\s+of\s+)(?P<y>{YEAR}))?",
        _month_day,
    ),
    Rule(
        rf"\b(?P<d>{DAY})(?:\s*(?:-|–|to)\s*(?P<d2>{DAY}))?\s*(?:of\s+)?(?P<m>{MONTH})"
        rf"(?:(?:,\s*|\s+|\s+of\s+)(?P<y>{YEAR}))?",
        _month_day,
    ),
    Rule(rf"\b(?P<m>{MONTH})(?:,|\s+of|\s+in)?\s+(?P<y>{YEAR})", _month_and_year),
    Rule(rf"\b(?P<s>{SEASON})(?:,|\s+of|\s+in)?\s+(?P<y>{YEAR})", _season_and_year),
    Rule(rf"\b(?P<p>{MONTH}|{SEASON})\s+(?:of\s+)?(?P<w>last|this|next)\s+year\b", _part_of_relative_year),
    Rule(
        rf"\b(?:q(?P<q>[1-4])|(?P<o>{any_of(ORDINALS)})\s+quarter)\s*(?:of\s+)?"
        rf"(?:(?P<y>{YEAR})|(?P<w>last|this|next)\s+year)\b",
        _quarter,
    ),
    Rule(r"\bthe\s+'?(?:(?P<d>(?:19|20)?\d0)'?s|(?P<n>twent|thirt|fort|fift|sixt|sevent|eight|ninet)ies)\b", _decade),
    Rule(rf"\b(?P<m>{MONTH})", _bare_month),
    Rule(rf"\b(?P<s>{SEASON})", _bare_season),
    Rule(r"(?<=on the )(?P<d>\d\d?(?:st|nd|rd|th))(?=\s*(?:[?.!,;]|$|and\b))", _day_of_month),
    Rule(rf"(?<![\d$€£#.,/:_])\b(?P<y>{YEAR})", _bare_year),
)
