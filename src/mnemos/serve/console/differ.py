"""What has changed between two versions of a text, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

_WORDS = re.compile(r"[^\S\n]*\w+|[^\w\s]|\s+")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
MOST = 16_000_000
"""Pairs of words, or else of lines, that are compared in between what both texts begin and end with."""


class Piece(NamedTuple):
    """Some words that stayed, went or came."""

    kind: Literal["same", "gone", "new"]
    text: str


def compare(before: str, after: str) -> list[Piece]:
    """The pieces of which both texts consist, in order."""
    pieces: list[Piece] = []
    for cut in (_WORDS, _LINES):
        old, new = cut.findall(before), cut.findall(after)
        head = _shared(old, new)
        tail = _shared(old[head:][::-1], new[head:][::-1])
        gone, came = old[head : len(old) - tail], new[head : len(new) - tail]
        few = len(gone) * len(came) <= MOST
        middle = _pieces(gone, came) if few else [Piece("gone", "".join(gone)), Piece("new", "".join(came))]
        same = (Piece("same", "".join(words)) for words in (old[:head], old[len(old) - tail :]))
        pieces = [next(same), *middle, next(same)]
        if few:
            break
    return [piece for piece in pieces if piece.text]


def _shared(old: list[str], new: list[str]) -> int:
    """With how many of the same words two texts begin."""
    pairs = zip(old, new, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(old), len(new)))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    for op, a, b, c, d in SequenceMatcher(None, old, new, autojunk=True).get_opcodes():
        if op == "equal":
            yield Piece("same", "".join(old[a:b]))
            continue
        if a < b:
            yield Piece("gone", "".join(old[a:b]))
        if c < d:
            yield Piece("new", "".join(new[c:d]))
