"""The machinery that reads words of time: rules tried together at each place of a text, each naming a period."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from mnemos.recall.calendar import Choice, Period, occurrence

_REACH = 60
"""Characters around a hint within which a time expression begins and ends."""
AHEAD = re.compile(
    r"\b(?:will|won't|going to|gonna|upcoming|plans|planned|planning|schedul\w+|deadlines?|looking forward|"
    r"can't wait|tomorrow|coming|next)\b|'ll\b|[将會会]|打算|计划|准备"
)
"""Words that say a text looks ahead, so that a date without a year need not lie in the past."""


@dataclass(frozen=True)
class Scene:
    """A text and the moment at which it was asked or said (local wall time)."""

    text: str
    """As written."""
    low: str
    """In lower case, character for character."""
    now: datetime
    habit: Choice = "past"
    """Which occurrence of a yearly date is meant where nothing else says so."""

    @cached_property
    def looks_ahead(self) -> bool:
        """Whether the text speaks of what is to come."""
        return AHEAD.search(self.low) is not None

    @property
    def choice(self) -> Choice:
        """Which occurrence of a date without a year is meant."""
        return "nearest" if self.looks_ahead else self.habit

    def before(self, start: int, length: int = 24) -> str:
        """The lower-case text that comes right before a place."""
        return self.low[max(0, start - length) : start]


@dataclass(frozen=True)
class Atom:
    """One time expression: its period, and where it stands in the text."""

    period: Period
    start: int
    end: int
    yearly: Callable[[int], Period] | None = None
    """For a date without a year: the period it names in a given year."""

    def within(self, period: Period) -> Atom:
        """The same words with another period."""
        return replace(self, period=period)


Groups = dict[str, str | None]
Reading = Period | Callable[[int], Period] | None
"""What a rule makes of its match: a period, something that comes every year, or nothing."""


class Rule(NamedTuple):
    """A pattern over lower-case text, and how to read its match."""

    pattern: str
    read: Callable[[Scene, re.Match[str]], Reading]


class RuleBook:
    """Rules tried together, earlier ones first, each place of a text used once.

    They are tried only near what `hint` finds, which is much cheaper to look for than all of them, and compiled when
    something is found for the first time.
    """

    def __init__(self, hint: re.Pattern[str], rules: Sequence[Rule]) -> None:
        self._hint = hint
        self._rules = tuple(rules)

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(rule.pattern) for rule in self._rules]

    @cached_property
    def _any(self) -> re.Pattern[str]:
        bare = [re.sub(r"\(\?P<\w+>", "(?:", rule.pattern) for rule in self._rules]
        return re.compile("|".join(f"(?P<r{i}>{pattern})" for i, pattern in enumerate(bare)))

    def atoms(self, scene: Scene) -> Iterator[Atom]:
        """Every time expression of a text, in order."""
        done = 0
        for hint in self._hint.finditer(scene.low):
            done = max(done, hint.start() - _REACH)
            while done < hint.end() and (found := self._any.search(scene.low, done, hint.end() + _REACH)):
                whole = self._any.match(scene.low, found.start()) or found
                done = whole.end()
                if atom := self._atom(scene, whole):
                    yield atom

    def _atom(self, scene: Scene, found: re.Match[str]) -> Atom | None:
        which = int((found.lastgroup or "r0")[1:])
        match = self._patterns[which].match(scene.low, found.start())
        if match is None:
            return None
        try:
            reading = self._rules[which].read(scene, match)
            if callable(reading):
                period = occurrence(reading, scene.now, scene.choice)
                return Atom(period, match.start(), match.end(), reading)
        except (ValueError, OverflowError):
            return None
        return Atom(reading, match.start(), match.end()) if reading else None


def lower(text: str) -> str:
    """Lower case that keeps every character's place."""
    low = text.lower()
    if len(low) == len(text):
        return low.replace("’", "'")
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text).replace("’", "'")
