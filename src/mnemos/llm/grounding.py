"""Whether words hold to what they cite. Our own test, not a published one: shallow, cheap, and the same every time.

Of what a model says, every number and every name has to occur in the lines that it cites (or be a date of theirs, or
the name of who speaks), and at least half of the other words of content, by their stems.
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

_EMPTY = frozenset(
    """a about after all also am an and any are as at be because been before being both but by can could currently did
    do does doing for from had has have having he her hers him his how i if in into is it its just me might more
    most my no not now of off on once one only or other our out over own same she should so some still such than
    that the their them then there these they this those through to too until up was we were what when where which
    while who whom whose why will with would you your yours since named called""".split()
)
_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split(),
        start=2,
    )
}
_ISO = re.compile(r"\b\d{4}-\d\d(?:-\d\d)?\b")
_MONTHS = frozenset("january february march april may june july august september october november december".split())
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[^\W\d_]*[A-ZÀ-ÖØ-Þ][^\W\d_]+")


class Ground:
    """Lines, as words that a claim about them can be compared with."""

    def __init__(self, lines: Sequence[Line], aside: Iterable[str] = ()) -> None:
        """`aside` are words that may be used as well: names of who is spoken of in the lines around."""
        found: set[str] = set()
        for line in lines:
            found.update(_words(line.text), _words(line.speaker or ""), _dates(line.happened_at), _dates(line.until))
        for text in aside:
            found.update(_words(text))
        self._words = found
        self._stems = frozenset(hash_words(found))

    def holds(self, text: str) -> bool:
        """Whether these words can come from the lines."""
        plain = _ISO.sub(" ", text)
        words = [word for word in dict.fromkeys(_words(plain)) if word not in _EMPTY and not _is_of_date(word)]
        if any(word.isdecimal() and not _is_year(word) and word not in self._words for word in words):
            return False
        names = [word for name in _NAME.findall(plain) for word in _words(name) if not _is_of_date(word)]
        if any(stem not in self._stems for stem in hash_words(names)):
            return False
        there = sum(stem in self._stems for stem in hash_words(words))
        return there >= SHARE * len(words)


def _words(text: str) -> list[str]:
    return [_NUMBERS.get(word, word) for word in split(text)]


def _dates(moment: datetime | None) -> list[str]:
    return [] if moment is None else [str(moment.year), str(moment.month), str(moment.day)]


def _is_of_date(word: str) -> bool:
    return word in _MONTHS or word in _DAYS or _is_year(word)


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdecimal() and word[:2] in ("19", "20")
