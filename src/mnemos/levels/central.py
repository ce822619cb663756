"""The most central sentences of some turns: what stands for them where there is no room for all.

Centroid-based extraction (Radev et al., 2004) over static vectors, LexRank's idea without its power iteration: near
to what the whole is about, and then maximal marginal relevance (Carbonell and Goldstein, 1998), so that no two say the
same. The words are the speakers' own; nothing is resolved or rewritten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.levels.sentences import content, sentences, shortened
from mnemos.levels.telling import EVENT, FIRST, telling

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Vectors of unit length (or zero), one row a text."""

RELEVANCE = 0.6
"""What centrality counts in maximal marginal relevance; the rest is difference from what has been taken."""
MOST = 160
"""Sentences that are looked at; of more, those from the beginning and the end."""
_ASSISTANT = 0.62
_QUESTION = 0.8
_FIRST = 1.15
_LOUD = 1.25
_ENOUGH = 6
"""Content words from which on a sentence says enough to stand by itself."""
_TELLING = re.compile(r"\d|[a-z,] [A-ZÀ-Þ][a-zß-ÿ]+|\b(?:I|my|we|our|i'm|im|i've|we're)\b")
_EMPHASIS = re.compile(r"!!|\b[A-Z]{2,}(?: [A-Z]+)+\b|\b[A-Z]{5,}\b")
"""Signs that something matters to who says it."""


class Line(NamedTuple):
    """A sentence, who said it, and from which of the texts it is."""

    text: str
    place: int
    """Which of the texts."""
    speaker: str


class Voice(NamedTuple):
    """A text to take sentences from."""

    text: str
    speaker: str
    own: bool = True
    """Whether a person speaks, not an assistant or a tool."""


def central(voices: Sequence[Voice], embed: Embed, count: int) -> list[Line]:
    """The most central sentences of some texts, in reading order; at most `count`, fewer where little is said."""
    lines = [
        (Line(sentence, place, voice.speaker), voice.own)
        for place, voice in enumerate(voices)
        for sentence in shortened_sentences(voice.text)
    ]
    if len(lines) > MOST:
        lines = lines[: MOST // 2] + lines[-MOST // 2 :]
    if not lines:
        return []
    vectors = embed([line.text for line, _ in lines])
    worth = np.array([_worth(line, own) for line, own in lines], dtype=np.float32)
    if len(lines) > count and float(worth.max()) > 0:
        chosen = pick(vectors, worth, count)
    else:
        chosen = [place for place in range(len(lines)) if worth[place] > 0][:count] or [0]
    lead = _lead(lines)
    if lead is not None and lead not in chosen:
        chosen = [*chosen[: count - 1], lead]
    return [lines[place][0] for place in sorted(chosen)]


def shortened_sentences(text: str) -> list[str]:
    """The sentences of a text as they are shown, of a very long text those of its beginning and its end."""
    found = sentences(text)
    if len(found) > MOST:
        found = found[: MOST // 2] + found[-MOST // 2 :]
    return [shortened(sentence) for sentence in found]


def _lead(lines: Sequence[tuple[Line, bool]]) -> int | None:
    """The sentence of a person that tells of an event best; None where none tells of any."""
    first = next((place for place, (_, own) in enumerate(lines) if own), None)
    values = [telling(line.text) + FIRST * (place == first) if own else 0.0 for place, (line, own) in enumerate(lines)]
    best = max(range(len(values)), key=lambda place: (values[place], -place))
    return best if values[best] >= EVENT else None


def pick(vectors: NDArray[np.float32], worth: NDArray[np.float32], count: int) -> list[int]:
    """Rows that are central, weighted by their worth, and unlike one another; best first."""
    centre = worth @ vectors
    norm = float(np.linalg.norm(centre))
    closeness = vectors @ (centre / norm) if norm > 0 else np.zeros(len(vectors), np.float32)
    scores = worth * np.maximum(closeness, 0.0) + 1e-4 * worth
    taken: list[int] = []
    alike = np.zeros(len(vectors), np.float32)
    while len(taken) < min(count, len(vectors)):
        values = RELEVANCE * scores - (1 - RELEVANCE) * alike * scores.max()
        values[taken] = -np.inf
        best = int(np.argmax(values))
        if worth[best] <= 0:
            break
        taken.append(best)
        alike = np.maximum(alike, vectors @ vectors[best])
    return taken


def _worth(line: Line, own: bool) -> float:
    """How well a sentence can stand for others, by its form."""
    said = len(set(content(line.text)))
    value = min(1.0, said / _ENOUGH)
    if not own:
        value *= _ASSISTANT
    if line.text.rstrip("\"'”’)").endswith(("?", "？")):
        value *= _QUESTION
    if _TELLING.search(line.text):
        value *= 1.15
    if own and _EMPHASIS.search(line.text):
        value *= _LOUD
    return value * _FIRST if line.place == 0 and own else value
