"""A text as words with their places: which begin a sentence, which are capitalised, and what is no prose at all."""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

from mnemos.entities.wordlists import INITIAL_TITLES
from mnemos.recall.words import fold

_NO_PROSE = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|www\.\S+|\S{1,64}@\S+|^\s{0,64}#+ .*$|^\s{0,64}\|.*$|"
    r"[\w.-]{0,64}[/\\][\w./\\-]{3,}|^\s{0,64}(?:[-*•+]|\d{1,9}[.)])?\s{0,64}\*\*[^*\n]{1,90}\*\*:?|<[^<>\n]{1,200}>|"
    r"\[image:[^\]]{0,9999}\]",
    re.DOTALL | re.MULTILINE,
)
"""Code, addresses, headings, tables, paths, bold labels, mark-up, captions of images: capitals mean nothing there.

What repeats is bounded, so that no text takes more than a moment."""
_WORD = re.compile(r"[^\W\d_][^\W_]*(?:[-'’][^\W_]+)*")
_POSSESSIVE = re.compile(r"(?:['’]s|(?<=s)['’])$")
_PLAIN_GAP = frozenset({" ", "\u00a0", " & "})
_BEGINS = re.compile(r"[.!?…:;\n\"“”*(\[{>|•]|^$|[-–—]\s|\s[-–—]|[^\x00-\u02ff\u2010-\u201f]")
_LINE = re.compile(r"[^\n]+")
_HEADLINE_WORDS = 4


class Token(NamedTuple):
    """One word: without a possessive ending, folded too."""

    text: str
    word: str
    start: int
    end: int
    begins: bool
    """Whether a sentence, a quotation or a line begins here, so that a capital says nothing."""
    joined: bool
    """Whether only a space (or the stop of an initial, or an ampersand) stands between it and the word before."""
    owns: bool
    """Whether a possessive ending was taken off."""

    @property
    def capital(self) -> bool:
        """Written as names are: Rita, O'Brien, Jean-Luc, YouTube, iPhone; not NASA, not X, not Boston-based."""
        text = self.text
        parts = text.split("-")
        if not text[0].isupper():
            return len(text) > 3 and text[0].islower() and text[1].isupper() and text[2].islower()
        return len(text) > 1 and not text.isupper() and (len(parts) == 1 or parts[-1][0].isupper())

    @property
    def shouted(self) -> bool:
        """All in capitals, and more than one letter."""
        return len(self.text) > 1 and self.text.isupper()

    @property
    def initial(self) -> bool:
        """One capital letter."""
        return len(self.text) == 1 and self.text.isupper()


class Words:
    """The words of a text in order."""

    def __init__(self, text: str) -> None:
        self.text = _NO_PROSE.sub(lambda found: "\n" * len(found[0]), text)
        self.tokens = _tokens(self.text)

    @cached_property
    def small(self) -> frozenset[str]:
        """Words that stand in small letters."""
        return frozenset(token.word for token in self.tokens if token.text.islower())

    @cached_property
    def headlines(self) -> list[tuple[int, int]]:
        """Where lines stand in which nearly every word has a capital."""
        spans, place = [], 0
        for line in _LINE.finditer(self.text):
            begin = place
            while place < len(self.tokens) and self.tokens[place].start < line.end():
                place += 1
            long = [token for token in self.tokens[begin:place] if len(token.text) > 3]
            if len(long) >= _HEADLINE_WORDS and sum(not t.text[0].islower() for t in long) > 0.8 * len(long):
                spans.append(line.span())
        return spans

    def before(self, place: int, count: int = 1) -> list[str]:
        """Up to `count` folded words before a place, nearest last, not past a sentence's end."""
        found: list[str] = []
        while count and place > 0 and not self.tokens[place].begins:
            place -= 1
            count -= 1
            found.append(self.tokens[place].word)
        return found[::-1]

    def after(self, place: int, count: int = 1) -> list[str]:
        """Up to `count` folded words after a place, not past a sentence's end."""
        found = []
        for token in self.tokens[place + 1 : place + 1 + count]:
            if token.begins:
                break
            found.append(token.word)
        return found

    def gap(self, place: int) -> str:
        """What stands between a word and the one before it."""
        start = self.tokens[place - 1].end if place else 0
        return self.text[start : self.tokens[place].start]

    def follows(self, place: int) -> str:
        """The next character after a word that is no space; empty at the end of the text."""
        return self.text[self.tokens[place].end :].lstrip(" ")[:1]


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    end = 0
    for match in _WORD.finditer(text):
        written = _POSSESSIVE.sub("", match[0])
        gap = text[end : match.start()]
        last = tokens[-1] if tokens else None
        dotted = last is not None and gap in (". ", ".") and (last.initial or last.word in INITIAL_TITLES)
        begins = not dotted and (last is None or (gap not in _PLAIN_GAP and _BEGINS.search(gap) is not None))
        joined = last is not None and (dotted or gap in _PLAIN_GAP)
        word = fold(written).replace("’", "'")
        tokens.append(Token(written, word, match.start(), match.start() + len(written), begins, joined,
                            len(written) < len(match[0])))  # fmt: skip
        end = match.end()
    return tokens
