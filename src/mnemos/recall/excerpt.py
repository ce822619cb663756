"""The part of a long text to show: the run of whole sentences that says most about a question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_BREAK = re.compile(r"\n+|(?<=[.!?])[\"'”’)\]*]*\s+|(?<=[。！？])|(?<=[,;:])\s+|\s+(?=[-*•|#])")
_SUFFIX = re.compile(r"(?:ing|ies|ied|ed|es|s|ly|e|y)$")
_REACH = 4000
"""Characters on either side of a long text's best passage in which an excerpt is looked for."""
_COMMON = frozenset(
    "a about after again all also am an and any are as at be because been before being between both but by can could "
    "did do does doing down during each else ever few for from get go got had has have having he her here hers him his "
    "how i if in into is it its just let like many may me mention mentioned might more most much my no nor not of off "
    "on once one only or other our out over own said same say she should since so some such tell than that the their "
    "them then there these they this those through time to told too under up us very was we were what when where which "
    "while who whom whose why will with would you your".split()
)


class _Piece(NamedTuple):
    """A sentence or a clause."""

    start: int
    end: int
    words: int
    terms: frozenset[str]


def one_line(text: str) -> str:
    """A text as it may stand inside one line: every run of white space and control characters is one space."""
    return " ".join(_CONTROL.sub(" ", text).split())


def word_list(text: str) -> list[str]:
    """The words of a text in lower case; each Chinese, Japanese or Korean character is a word."""
    return _WORD.findall(text.lower())


class Focus:
    """What a question asks about, to find it again in long texts."""

    def __init__(self, query: str) -> None:
        told = [word for word in word_list(query) if word not in _COMMON]
        stems = {_SUFFIX.sub("", word) if len(word) > 4 else word for word in word_list(query) if word not in _COMMON}
        longest_first = sorted(stems, key=len, reverse=True)
        self._terms = (
            re.compile("|".join(rf"\b{re.escape(s)}" for s in longest_first), re.IGNORECASE) if stems else None
        )

    def cut(self, text: str, words: int, passage: tuple[int, int] | None = None) -> str:
        """About `words` words of a longer text, in one line, with "…" where something is left out."""
        first, last = 0, len(text)
        if passage is not None:
            first, last = max(0, passage[0] - _REACH), min(last, passage[1] + _REACH)
        elif last > 2 * _REACH:
            last = 2 * _REACH
        pieces = list(self._pieces(text, first, last, words))
        start, end = _best_run(pieces, words, passage)
        shown = one_line(text[start:end])
        return f"{'… ' if text[:start].strip() else ''}{shown}{' …' if text[end:].strip() else ''}"

    def _pieces(self, text: str, first: int, last: int, words: int) -> Iterator[_Piece]:
        """Sentences, clauses where a sentence runs on, and hard cuts where nothing else breaks it."""
        start = first
        for end in [*(match.end() for match in _BREAK.finditer(text, first, last)), last]:
            if end <= start:
                continue
            while (count := len(_WORD.findall(text, start, end))) > words // 2:
                stop = [match.end() for match in _WORD.finditer(text, start, end)][words // 3]
                yield self._piece(text, start, stop, words // 3 + 1)
                start = stop
            if count:
                yield self._piece(text, start, end, count)
            start = end

    def _piece(self, text: str, start: int, end: int, words: int) -> _Piece:
        found = self._terms.findall(text, start, end) if self._terms else ()
        return _Piece(start, end, words, frozenset(term.lower() for term in found))


def _best_run(pieces: list[_Piece], words: int, passage: tuple[int, int] | None) -> tuple[int, int]:
    """The shortest runs of at least `words` words, and of these the one that holds most of what is asked about."""
    best, value = (0, 0), -1.0
    stop, total = 0, 0
    for first, piece in enumerate(pieces):
        while stop < len(pieces) and total < words:
            total += pieces[stop].words
            stop += 1
        run = pieces[first:stop]
        if total < words and value >= 0:
            break
        worth = _worth(run, passage)
        if worth > value:
            best, value = (piece.start, run[-1].end), worth
        total -= piece.words
    return best


def _worth(run: list[_Piece], passage: tuple[int, int] | None) -> float:
    kinds = len(frozenset().union(*(piece.terms for piece in run)))
    times = sum(len(piece.terms) for piece in run)
    inside = passage is not None and any(passage[0] <= piece.start < passage[1] for piece in run)
    return kinds + 0.1 * times + 1.5 * inside
