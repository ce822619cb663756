"""What `profile` and `timeline` return: lines with their dates and the memories that they cite; `str()` reads well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

_YEAR = re.compile(r"\b(?:in|since) \d{4}\W*$")
_MONTH = re.compile(r"\b(?:in|since) [A-Z][a-z]+ \d{4}\W*$")


@dataclass(frozen=True, slots=True)
class ProfileLine:
    """One thing that is known about somebody."""

    group: str
    """`home`, `work`, `people`, `pets`, `health`, `likes`, `plans`, `has`, `also`, or `themes`."""
    text: str
    since: datetime | None
    """Since when it holds; where that was not said, when it was said."""
    until: datetime | None
    """When it ceased to hold; None for what holds now."""
    memory_ids: tuple[str, ...]

    def __str__(self) -> str:
        if self.until is not None:
            return f"until {_day(self.until)}: {self.text}"
        return f"{self.text} ({_day(self.since)})" if self.since else self.text


@dataclass(frozen=True, slots=True)
class Profile:
    """What is stable about somebody. False where nothing is known."""

    subject: str
    lines: tuple[ProfileLine, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        rows = [self.subject]
        for group, lines in groupby(self.lines, key=lambda line: line.group):
            rows += [f"  {group}", *(f"    {line}" for line in lines)]
        return "\n".join(rows)


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline."""

    at: datetime
    text: str
    kind: str
    """`fact` or `episode`."""
    memory_ids: tuple[str, ...]
    speaker: str | None = None
    until: datetime | None = None
    """For a fact that no longer holds: when it ceased to."""

    @property
    def day(self) -> str:
        """The day as an ISO date; the month or the year alone where no more was said."""
        if _YEAR.search(self.text):
            return _day(self.at)[:4]
        return _day(self.at)[:7] if _MONTH.search(self.text) else _day(self.at)

    def __str__(self) -> str:
        return f"{self.day:<10}  {self.text}" + (f" (until {_day(self.until)})" if self.until else "")


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened, in order. False where nothing is known."""

    subject: str | None
    moments: tuple[Moment, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.moments)

    def __iter__(self) -> Iterator[Moment]:
        return iter(self.moments)

    def __len__(self) -> int:
        return len(self.moments)

    def __str__(self) -> str:
        return "\n".join(map(str, self.moments))


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
