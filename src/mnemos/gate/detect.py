"""Finding secrets in a text, in some microseconds where there is none.

Three searches tell whether a text can hold a secret at all, and of the rules only those are tried whose literals stand
in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mnemos.gate.secret_rules import Rule, rules, spot_named, spot_numbers

_LONG = re.compile(r"[!-~]{20,}")
_DIGITS = re.compile(r"\d[\d -]{11}|[A-Z]{2}\d\d[ A-Z\d]{10}")
_WORDS = (
    *"passw passp passc pwd secret token key pin cvv cvc kennwort contrase wachtwoord senha пароль".split(),
    *("密码", "密碼", "パスワード", "security code", "mot de passe"),
)
_BEFORE, _AFTER = 80, 320
"""Characters on either side of such a word within which a secret stands that it announces."""
_TAIL = re.compile(r"[A-Za-z0-9_+/=-]*")

Span = tuple[int, int, str]


def may_hold(text: str) -> bool:
    """Whether a text can hold a secret at all; False for nearly all talk."""
    if _LONG.search(text) or _DIGITS.search(text):
        return True
    lower = text.lower()
    return any(word in lower for word in _WORDS)


def find(text: str) -> list[Span]:
    """The secrets of a text: start, end and kind, in order, without overlap."""
    spans: list[Span] = []
    if runs := [match.span() for match in _LONG.finditer(text)]:
        spans += _tokens(text, runs)
    if _DIGITS.search(text):
        spans += spot_numbers(text)
    for start, end in _windows(text):
        spans += spot_named(text, start, end)
    return _apart(spans) if spans else spans


def _tokens(text: str, runs: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """What is known by its form; most rules are passed over for want of their literals."""
    alone = [_Part(text, start, end) for start, end in runs]
    labelled = [_Part(text, max(0, start - _BEFORE), end) for start, end in runs]
    for rule in rules():
        for part in labelled if rule.reach else alone:
            if rule.literals and not part.holds(rule):
                continue
            for match in rule.pattern.finditer(text, part.start, part.end + rule.reach):
                if rule.holds(match[rule.part]):
                    first, last = match.span(rule.part)
                    tail = None if rule.part else _TAIL.match(text, last)
                    yield first, tail.end() if tail else last, rule.kind


class _Part:
    """A stretch of a text, as it stands and in lower case."""

    __slots__ = ("end", "lower", "start", "words")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.words = text[start:end]
        self.lower = self.words.lower()

    def holds(self, rule: Rule) -> bool:
        held = self.lower if rule.any_case else self.words
        return any(literal in held for literal in rule.literals)


def _windows(text: str) -> list[tuple[int, int]]:
    """Where words stand that may announce a secret, with what is around them, without overlap."""
    lower = text.lower()
    places: list[int] = []
    for word in _WORDS:
        place = lower.find(word)
        while place >= 0:
            places.append(place)
            place = lower.find(word, place + len(word))
    windows: list[tuple[int, int]] = []
    for place in sorted(places):
        start, end = max(0, place - _BEFORE), place + _AFTER
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


def _apart(spans: list[Span]) -> list[Span]:
    """Overlapping finds as one, under the name of the first rule that found it; what is masked already is left."""
    joined: list[Span] = []
    for start, end, kind in sorted(spans, key=lambda span: span[:2]):
        if joined and start < joined[-1][1]:
            first = joined[-1]
            joined[-1] = (first[0], max(end, first[1]), first[2])
        else:
            joined.append((start, end, kind))
    return joined
