"""Values that change (shares, sums of money, dates, spans of time, counts): which kind is asked for, what is stated."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)"
)
_COUNT = (
    r"(?:\d[\d,]*(?:\.\d+)?|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|"
    r"hundred|dozen)"
)
_SPAN = r"(?:ms|milliseconds?|secs?|seconds?|mins?|minutes?|hours?|hrs?|days?|weeks?|months?|years?)"

_stated: dict[str, re.Pattern[str]] = {
    "share": re.compile(r"\d+(?:\.\d+)?\s?(?:%|percent)", re.IGNORECASE),
    "money": re.compile(
        r"[$€£¥]\s?\d[\d,.]*\d?|\b\d[\d,.]*\s?(?:dollars|euros|pounds|bucks|usd|eur|gbp)\b", re.IGNORECASE
    ),
    "date": re.compile(
        rf"\b{_MONTH}\.? \d{{1,2}}\b|\b\d{{1,2}} {_MONTH}\b|\b\d{{4}}-\d\d-\d\d\b|"
        r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b\d{1,2}(?::\d\d)?\s?[ap]\.?m\b|"
        r"\b(?:reschedul|postpon|cancel|delay)\w+",
        re.IGNORECASE,
    ),
    "span": re.compile(rf"\b{_COUNT}[\s-]?{_SPAN}\b", re.IGNORECASE),
    "count": re.compile(rf"(?<![$€£¥\d.,])\b{_COUNT}\b(?!\s?(?:%|percent|[ap]\.?m\b))", re.IGNORECASE),
}
_asked: dict[str, re.Pattern[str]] = {
    "share": re.compile(r"percent|\brate\b|accuracy|coverage|share of", re.IGNORECASE),
    "money": re.compile(
        r"budget|cost|price|spend|\bpay|salary|\bfees?\b|worth|income|\brent\b|how much", re.IGNORECASE
    ),
    "date": re.compile(r"\bwhen\b|what time|deadline|(?:what|which) day|\bdate\b", re.IGNORECASE),
    "span": re.compile(
        r"how long|response time|how many (?:\w+ )?(?:hours|days|weeks|minutes|months|years)|duration", re.IGNORECASE
    ),
    "count": re.compile(
        r"how many|number of|count|quota|total|how much|average|target|limit|how (?:old|far|tall|big|high)",
        re.IGNORECASE,
    ),
}
_change = re.compile(
    r"\b(?:now|new|newly|recent(?:ly)?|updat\w+|chang\w+|increas\w+|decreas\w+|rais\w+|reduc\w+|exten[ds]\w*|"
    r"mov(?:ed|ing)|reschedul\w+|postpon\w+|cancel\w+|delay\w+|switch\w+|instead|revis\w+|improv\w+|gr[eo]w\w*|reach\w+|adjust\w+|"
    r"add(?:ed|ing|itional)|another|latest|current(?:ly)?|actually|finally|shift\w*|boost\w*|expand\w*|exceed\w*|"
    r"extra|more|up to|total of)\b",
    re.IGNORECASE,
)
_BEFORE, _AFTER = 50, 30
"""Characters around a value in which a word of change speaks of it."""
_sentence = re.compile(
    r"(?<=[.!?…])\s+(?=[^a-z])|"
    r"(?<=[.!?…])(?<!\b[A-Z]\.)(?<!\b[A-Z][a-z]\.)(?<!\b[A-Z][a-z]{2}\.)(?<!\b[A-Z][a-z]{3}\.)\s+(?=[a-z])|\n+"
)
"""An abbreviation with a small letter after it ("Lusa Inc. is") ends no sentence."""
_READ = 3000
"""Characters of a text that are looked at."""


def kinds_asked(question: str) -> tuple[str, ...]:
    """The kinds of value that a question can be answered with; none where it asks for something else."""
    return tuple(kind for kind, pattern in _asked.items() if pattern.search(question))


def values(sentence: str, kinds: Sequence[str]) -> frozenset[str]:
    """The values of these kinds that a sentence states, as written but for case and spaces."""
    found = (value for kind in kinds for value in _stated[kind].findall(sentence))
    return frozenset(value.lower().replace(" ", "").rstrip(",.") for value in found)


def is_changed(sentence: str, kinds: Sequence[str]) -> bool:
    """Whether a word of change ("now", "raised to", "rescheduled") stands near a value of these kinds."""
    return any(
        _change.search(sentence, max(0, match.start() - _BEFORE), match.end() + _AFTER)
        for kind in kinds
        for match in _stated[kind].finditer(sentence)
    )


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text's beginning."""
    return [part for part in _sentence.split(text[:_READ]) if part.strip()]
