"""The part of a long text to show: the run of whole sentences that says most about a question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BREAK = re.compile(r"\n+|(?<=[.!?])[\"'”’)\]*]*\s+|(?<=[。！？])|(?<=[,;:])\s+")
_SUFFIX = re.compile(r"(?:ing|ies|ied|ed|es|s|ly|e|y)$")
_SPAN = 9
"""Characters a word that an excerpt is looked for in at least, where its best passage is shorter."""
_FURTHEST = 6000
"""Characters looked through where no best passage is known."""
_LONGEST = 14
"""Characters a word that an excerpt has at most, whatever its words are."""
COMMON = frozenset(
    "a about after again all also am an and any are as at be because been before being between both but by can could "
    "did do does doing down during each else ever few for from get go got had has have having he her here hers him his "
    "how i if in into is it its just let like many may me mention mentioned might more most much my no nor not of off "
    "on once one only or other our out over own said same say she should since so some such tell than that the their "
    "them then there these they this those through time to told too under up us very was we were what when where which "
    "while who whom whose why will with would you your".split()
)
"""Words that say little about what a text is about."""


def one_line(text: str) -> str:
    """A text as it may stand inside one line: every run of white space and control characters is one space."""
    return " ".join((_CONTROL.sub(" ", text) if _CONTROL.search(text) else text).split())


def word_list(text: str) -> list[str]:
    """The words of a text in lower case; each Chinese, Japanese or Korean character is a word."""
    return _WORD.findall(text.lower())


class _Piece(NamedTuple):
    """A sentence, a clause of a long one, or some words of what nothing else breaks."""

    start: int
    end: int
    words: int
    told: tuple[str, ...]
    """The question's words in it."""


class Focus:
    """What a question asks about, to find it again in long texts."""

    def __init__(self, query: str) -> None:
        told = dict.fromkeys(word for word in word_list(query) if word not in COMMON)
        self.stems = tuple(_SUFFIX.sub("", word) if len(word) > 4 else word for word in told)
        """Beginnings of the question's words, without those of grammar."""

    def cut(self, text: str, words: int, passage: tuple[int, int] | None = None) -> str:
        """About `words` words of a longer text, in one line, with "…" where something is left out."""
        first, last = passage or (0, _FURTHEST)
        reach = max(0, _SPAN * words - (last - first))
        pieces = list(self._pieces(text, max(0, first - reach), min(len(text), last + reach), max(8, words // 4)))
        start, end = _best_run(pieces, words) if pieces else (first, first + 4 * words)
        end = min(end, start + _LONGEST * words)
        shown = one_line(text[start:end])
        return f"{'… ' if text[:start].strip() else ''}{shown}{' …' if text[end:].strip() else ''}"

    def _pieces(self, text: str, first: int, last: int, longest: int) -> Iterator[_Piece]:
        start = first
        for end in [*(match.end() for match in _BREAK.finditer(text, first, last)), last]:
            words = word_list(text[start:end])
            if not words:
                continue
            if len(words) <= longest:
                yield _Piece(start, end, len(words), self._told(words))
            else:
                places = [match.start() for match in _WORD.finditer(text, start, end)]
                cuts = [start, *places[longest::longest], end]
                for number, (begin, stop) in enumerate(pairwise(cuts)):
                    part = words[number * longest : (number + 1) * longest]
                    yield _Piece(begin, stop, len(part), self._told(part))
            start = end

    def _told(self, words: list[str]) -> tuple[str, ...]:
        if not self.stems:
            return ()
        found = [word for word in words if word.startswith(self.stems)]
        return tuple(stem for word in found for stem in self.stems if word.startswith(stem))


def _best_run(pieces: list[_Piece], words: int) -> tuple[int, int]:
    """Of the shortest runs of at least `words` words, the one that holds most of what is asked about, amid the rest."""
    runs: list[tuple[int, int]] = []
    value, stop, total = -1.0, 0, 0
    for first, piece in enumerate(pieces):
        while total < words and stop < len(pieces):
            total += pieces[stop].words
            stop += 1
        if total < words and value >= 0:
            break
        told = [stem for one in pieces[first:stop] for stem in one.told]
        worth = len(set(told)) + 0.1 * len(told)
        if worth > value:
            runs, value = [], worth
        if worth == value:
            runs.append((piece.start, pieces[stop - 1].end))
        total -= piece.words
    return runs[len(runs) // 2]
