"""Whether words hold to what they cite. Our own test, not a published one: shallow, cheap, and the same every time.

Of what a model says, every number and every name has to occur in the lines that it cites (or be the name of who
speaks), and at least half of the other words of content, by their stems. A date has to stand there too, or lie within
a year of the line, as "next summer" does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from mnemos.llm.lines import Line
from mnemos.recall.analyze import hash_words
from mnemos.recall.words import split

SHARE = 0.5
"""The share of a claim's words of content that have to occur in what it cites."""
YEAR = 370
"""Days between a line and a date that it speaks of without naming it."""

_EMPTY = frozenset(
    """a about after all also am an and any are as at be because been before being both but by can could currently
    did do does doing for from had has have having he her hers him his how i if in into is it its just me might more
    most my no not now of off on once one only or other our out over own same she should so some still such than that
    the their them then there these they this those through to too until up was we were what when where which while
    who whom whose why will with would you your yours since named called""".split()
)
_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split(),
        start=2,
    )
}
_MONTHS = "january february march april may june july august september october november december".split()
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_month = "|".join(f"{name[:3]}(?:{name[3:]})?" if name != "may" else "may" for name in _MONTHS)
_DATE = re.compile(
    rf"\b(?P<y1>\d{{4}})-(?P<m1>\d\d)(?:-(?P<d1>\d\d))?\b"
    rf"|(?P<y2>\d{{4}})年(?P<m2>\d\d?)月(?:(?P<d2>\d\d?)[日号])?"
    rf"|\b(?P<d3>\d\d?)(?:st|nd|rd|th)?(?: of)? (?P<m3>{_month})\b(?:,? (?P<y3>\d{{4}}))?"
    rf"|\b(?P<m4>{_month}) (?P<d4>\d\d?)(?:st|nd|rd|th)?\b(?:,? (?P<y4>\d{{4}}))?",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[^\W\d_]*[A-ZÀ-ÖØ-Þ][^\W\d_]+")
_PARTS = re.compile(r"[^\W\d_]+|\d+")


class Ground:
    """Lines, as words that a claim about them can be compared with."""

    def __init__(self, lines: Sequence[Line], aside: Iterable[str] = ()) -> None:
        """`aside` are words that may be used as well: names of who is spoken of in the lines around."""
        self._moments = [moment for line in lines for moment in (line.happened_at, line.until) if moment is not None]
        found: set[str] = set()
        for line in lines:
            found.update(_words(line.text), _words(line.speaker or ""))
        for text in aside:
            found.update(_words(text))
        for moment in self._moments:
            found.update((str(moment.year), str(moment.month), str(moment.day)))
        self._words = found
        self._stems = frozenset(hash_words(found))

    def holds(self, text: str) -> bool:
        """Whether these words can come from the lines."""
        if not all(self._dates(found) for found in _DATE.finditer(text)):
            return False
        plain = _DATE.sub(" ", text)
        words = [word for word in dict.fromkeys(_words(plain)) if word not in _EMPTY and not _is_of_date(word)]
        if any(word.isdecimal() and word not in self._words for word in words):
            return False
        names = [word for name in _NAME.findall(plain) for word in _words(name) if not _is_of_date(word)]
        if any(stem not in self._stems for stem in hash_words(names)):
            return False
        there = sum(stem in self._stems for stem in hash_words(words))
        return there >= SHARE * len(words)

    def _dates(self, found: re.Match[str]) -> bool:
        """Whether a date stands in the lines, or is near enough to the time of one."""
        parts = {name[0]: part for name, part in found.groupdict().items() if part}
        day, year = parts.get("d"), parts.get("y")
        if all(str(int(part)) in self._words or part in self._words for part in (day, year) if part):
            return True
        return any(_is_near(moment, parts) for moment in self._moments)


def _is_near(moment: datetime, parts: dict[str, str]) -> bool:
    said = parts["m"].casefold()
    month = int(said) if said.isdecimal() else 1 + next(at for at, name in enumerate(_MONTHS) if name[:3] == said[:3])
    years = (int(parts["y"]),) if "y" in parts else (moment.year - 1, moment.year, moment.year + 1)
    for year in years:
        try:
            there = datetime(year, month, int(parts.get("d", 15)), tzinfo=moment.tzinfo)
        except ValueError:
            continue
        if abs((there - moment).days) <= YEAR:
            return True
    return False


def _words(text: str) -> list[str]:
    found = [_NUMBERS.get(word, word) for word in split(text)]
    mixed = [part for word in found if not (word.isalpha() or word.isdecimal()) for part in _PARTS.findall(word)]
    return found + mixed


def _is_of_date(word: str) -> bool:
    return word in _MONTHS or word in _DAYS or (len(word) == 4 and word.isdecimal() and word[:2] in ("19", "20"))
