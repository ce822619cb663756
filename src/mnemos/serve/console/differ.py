"""What has changed between two versions of a text, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
MOST_WORDS = 4000
"""A longer text is compared line by line."""
MOST_LINES = 4000
"""One with more lines is not compared."""


class Piece(NamedTuple):
    """Some words that stayed, went or came."""

    kind: Literal["same", "gone", "new"]
    text: str


def compare(before: str, after: str) -> list[Piece]:
    """The pieces of which both texts consist, in order."""
    for cut, most in ((_WORDS, MOST_WORDS), (_LINES, MOST_LINES)):
        old, new = cut.findall(before), cut.findall(after)
        if max(len(old), len(new)) <= most:
            return list(_pieces(old, new))
    return [Piece("gone", before), Piece("new", after)]


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    for op, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if op == "equal":
            yield Piece("same", "".join(old[a:b]))
            continue
        if a < b:
            yield Piece("gone", "".join(old[a:b]))
        if c < d:
            yield Piece("new", "".join(new[c:d]))
