"""The English vocabulary of time: names of months, days and feasts, counts in words, and patterns made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mnemos.recall.calendar import SEASONS


def _numbered(names: str, start: int) -> dict[str, int]:
    return {word: n for n, group in enumerate(names.split("|"), start) for word in group.split()}


MONTHS = _numbered(
    "jan january|feb february|mar march|apr april|may|jun june|jul july|aug august|sep sept september|"
    "oct october|nov november|dec december",
    start=1,
)
WEEKDAYS = _numbered(
    "mon monday|tue tues tuesday|wed weds wednesday|thu thur thurs thursday|fri friday|sat saturday|sun sunday",
    start=0,
)
NUMBERS = _numbered("zero|one a an|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve", start=0)
NUMBERS |= {"a couple of": 2, "couple of": 2, "a couple": 2, "couple": 2}
FUZZY = {"a few": (2, 6), "few": (2, 6), "several": (3, 9), "some": (2, 9)}
ORDINALS = _numbered("first 1st|second 2nd|third 3rd|fourth 4th", start=1)


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of these words, the longest first."""
    return "(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + ")"


MONTH = rf"{any_of(MONTHS)}(?![a-z'])\.?"
WEEKDAY = rf"{any_of(WEEKDAYS)}(?![a-z])"
SEASON = rf"{any_of(SEASONS)}(?![a-z])"
HOLIDAY = (
    r"(?:christmas(?: eve| day)?|xmas|boxing day|(?:chinese |lunar )?new year(?:'?s)?(?: eve| day)?|"
    r"(?:saint |st\.? )?valentine'?s?(?: day)?|(?:saint|st\.?) patrick'?s day|easter|mother'?s day|father'?s day|"
    r"independence day|(?:4th|fourth) of july|halloween|thanksgiving|black friday|holiday season)(?![a-z])"
)
PART_OF_DAY = r"(?:morning|afternoon|evening|night)(?![a-z])"
YEAR = r"(?:1[89]|20)\d\d(?!\d)"
DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?![\da-z])"
COUNT = rf"(?:{any_of({*NUMBERS, *FUZZY} - {'zero'})}|\d{{1,3}})"
PLAIN_MONTHS = frozenset(MONTHS) - {"march", "april", "may", "june", "august"} - {n for n in MONTHS if len(n) < 5}
"""Month names that are hardly ever a person, a verb or a piece of another word."""


def read_count(word: str) -> tuple[int, int]:
    """A count in words or digits, as the least and the most that it may mean."""
    word = " ".join(word.split())
    if word in FUZZY:
        return FUZZY[word]
    number = NUMBERS[word] if word in NUMBERS else int(word)
    return number, number


def read_month(word: str) -> int:
    """1 to 12 for a month's name or its abbreviation."""
    return MONTHS[word.rstrip(".")]


def read_day(word: str) -> int:
    """The number in "7" or "7th"."""
    return int(word.rstrip("stndrh"))


def holiday_name(phrase: str) -> str:
    """The name under which the calendar knows a feast: "xmas", "St. Valentine's Day" and the like."""
    words = phrase.replace("st. ", "st ").replace("saint ", "st ").replace("chinese", "lunar")
    if "valentine" in words:
        return "valentine's day"
    if words.startswith("lunar"):
        return "lunar new year"
    words = words.replace("years", "year's").replace("mothers", "mother's").replace("fathers", "father's")
    words = words.replace("patricks", "patrick's")
    return words.replace("year eve", "year's eve").replace("year day", "year's day")
