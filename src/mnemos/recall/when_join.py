"""How words around a date change it: "between March and May", "since April", "early June", "the week before"."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mnemos.recall.calendar import EARLIEST, LATEST, Period, add_months, days, week_of, weekend_of
from mnemos.recall.when_rules import Atom, Scene
from mnemos.recall.when_words import COUNT, any_of, read_count

_PARTS: dict[str, tuple[float, float]] = {
    "early": (0, 1 / 3),
    "earlier": (0, 1),
    "later": (0, 1),
    "mid": (1 / 4, 3 / 4),
    "middle": (1 / 4, 3 / 4),
    "late": (2 / 3, 1),
    "beginning": (0, 1 / 3),
    "start": (0, 1 / 3),
    "end": (2 / 3, 1),
    "first half": (0, 1 / 2),
    "second half": (1 / 2, 1),
}
_WEEKS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}

_PART = re.compile(
    rf"\b(?P<p>{any_of(_PARTS)})(?:-|\s+(?:(?:in|of)\s+)?(?:the\s+)?)$|"
    rf"\b(?P<w>{any_of(_WEEKS)})\s+(?P<u>week|weekend|day|few\s+days)\s+of\s+(?:the\s+)?$"
)
_NEAR = re.compile(
    rf"\b(?:the\s+)?(?:(?P<n>{COUNT})\s+)?(?P<u>day|night|week|weekend|month|year)s?\s+"
    r"(?P<d>before|prior\s+to|after|following|of)\s+(?:the\s+)?$"
)
_LIMIT = re.compile(r"\b(?P<l>before|prior\s+to|until|till|up\s+to|after|since|from|starting|as\s+of)\s+(?:the\s+)?$")
_FIRST_OF_TWO = re.compile(r"\b(?P<l>between|from)\s+(?:the\s+)?$")
_AND = re.compile(r",?\s*(?:and|to|until|till|through|–|-)\s+(?:the\s+)?")
_ONWARD = re.compile(r"\s+(?:on|onwards?|until\s+now)\b")


def join(scene: Scene, atoms: list[Atom]) -> list[Atom]:
    """Atoms with the words around them taken into account, fewer where two make one range."""
    joined: list[Atom] = []
    for atom in (_part(scene, atom) for atom in atoms):
        pair = _pair(scene, joined[-1], atom) if joined else None
        if pair:
            joined[-1] = pair
        else:
            joined.append(atom)
    return [_limit(scene, _near(scene, atom)) for atom in joined]


def _slice(period: Period, low: float, high: float) -> Period:
    length = period.end - period.start
    return Period(period.start + length * low, period.start + length * high)


def _part(scene: Scene, atom: Atom) -> Atom:
    """ "Early June", "the second week of May": a part of the period, and of every year's."""
    match = _PART.search(scene.before(atom.start, 40))
    if match is None:
        return atom

    def cut(period: Period) -> Period:
        if match["p"]:
            return _slice(period, *_PARTS[match["p"]])
        length = {"week": 7, "weekend": 7, "day": 1}.get(match["u"], 4)
        if match["w"] == "last":
            return Period(period.end - timedelta(days=length), period.end)
        return days(period.start + timedelta(days=length * _WEEKS[match["w"]]), length)

    yearly = atom.yearly
    start = atom.start - len(match[0])
    again = (lambda year: cut(yearly(year))) if yearly else None
    return Atom(cut(atom.period), start, atom.end, again)


def _pair(scene: Scene, first: Atom, second: Atom) -> Atom | None:
    """ "Between March and May": one range; a missing year is taken from the other date, or set so that they follow."""
    lead = _FIRST_OF_TWO.search(scene.before(first.start))
    if lead is None or not _AND.fullmatch(scene.low[first.end : second.start]):
        return None
    if lead["l"] == "from" and scene.low[first.end : second.start].strip(" ,").startswith("and"):
        return None
    start, end = first.period, second.period
    try:
        if first.yearly and (second.yearly is None or start.start >= end.end):
            start = first.yearly(end.start.year)
            start = first.yearly(end.start.year - 1) if start.start >= end.end else start
        elif second.yearly and first.yearly is None:
            end = second.yearly(start.start.year)
            end = second.yearly(start.start.year + 1) if end.end <= start.start else end
    except ValueError:
        return None
    if start.start >= end.end:
        return None
    return Atom(Period(start.start, end.end), first.start - len(lead[0]), second.end)


def _near(scene: Scene, atom: Atom) -> Atom:
    """ "The week before 3 August", "two days after Christmas", "the week of 5 March"."""
    match = _NEAR.search(scene.before(atom.start, 40))
    if match is None or scene.before(atom.start - len(match[0]), 8).endswith(("many ", "how ")):
        return atom
    try:
        period = _beside(atom.period, match)
    except (ValueError, OverflowError):
        return atom
    return Atom(period, atom.start - len(match[0]), atom.end)


def _beside(period: Period, match: re.Match[str]) -> Period:
    unit, back = match["u"], match["d"].startswith(("before", "prior"))
    if match["d"] == "of":
        return week_of(period.start) if unit == "week" else weekend_of(period.start) if unit == "weekend" else period
    if match["n"] is None or unit == "weekend":
        return _next_to(period, unit, back)
    low, high = read_count(match["n"])
    if unit in ("day", "night") and high == 1:
        return _next_to(period, unit, back)
    slack = timedelta(days={"day": 1, "night": 1, "week": 4}.get(unit, 16))
    if back:
        return Period(_later(period.start, -high, unit) - slack, _later(period.start, -low, unit) + slack)
    return Period(_later(period.end, low, unit) - slack, _later(period.end, high, unit) + slack)


def _next_to(period: Period, unit: str, back: bool) -> Period:
    """The one unit that comes right before or after."""
    if unit == "weekend" and back:
        near = (weekend_of(period.start, shift) for shift in (0, -1))
        return next(weekend for weekend in near if weekend.end <= period.start)
    if unit == "weekend":
        near = (weekend_of(period.end, shift) for shift in (0, 1))
        return next(weekend for weekend in near if weekend.start + timedelta(hours=6) >= period.end)
    if back:
        return Period(_later(period.start, -1, unit), period.start)
    return Period(period.end, _later(period.end, 1, unit))


def _later(moment: datetime, count: int, unit: str) -> datetime:
    if unit in ("month", "year"):
        return add_months(moment, count * (12 if unit == "year" else 1))
    return moment + timedelta(days=count * (7 if unit == "week" else 1))


def _limit(scene: Scene, atom: Atom) -> Atom:
    """ "Since April", "before June 2023": open at one end."""
    match = _LIMIT.search(scene.before(atom.start))
    if match is None:
        return atom
    start, word, period = atom.start - len(match[0]), match["l"], atom.period
    if word.startswith(("before", "prior")):
        return Atom(Period(EARLIEST, period.start), start, atom.end)
    if word in ("until", "till") or word.startswith("up"):
        return Atom(Period(EARLIEST, period.end), start, atom.end)
    if word == "after":
        return Atom(Period(period.end, LATEST), start, atom.end)
    if word == "from" and not _ONWARD.match(scene.low, atom.end):
        return atom
    return Atom(Period(period.start, LATEST), start, atom.end)
