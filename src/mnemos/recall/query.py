"""Reading a question: its words and vector, the people it names, what kind of answer it wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.protocol import Embedder
from mnemos.embed.static import StaticEmbedder
from mnemos.recall import words
from mnemos.recall.analyze import hash_words
from mnemos.recall.snapshot import Snapshot


class Asks(IntFlag):
    """What a question asks for, by its words."""

    WHEN = 1
    NUMBER = 2
    WHO = 4
    WHERE = 8
    WHY = 16
    HOW = 32
    FEELING = 64
    LIKING = 128
    ADVICE = 256
    MINE = 512
    """About the one who asks: I, my, we."""
    YOURS = 1024
    """About what the other one said: you, your."""


_asks: dict[Asks, frozenset[str]] = {
    Asks.WHEN: frozenset(("when", "date", "year", "month", "day", "days", "weeks", "months", "ago", "time")),
    Asks.NUMBER: frozenset(("many", "much", "number", "count", "total", "percentage", "cost", "age", "old", "times")),
    Asks.WHO: frozenset(("who", "whom", "whose")),
    Asks.WHERE: frozenset(("where", "country", "city", "place", "town", "state")),
    Asks.WHY: frozenset(("why", "reason", "inspired", "motivated", "made")),
    Asks.HOW: frozenset(("how",)),
    Asks.FEELING: frozenset(("feel", "feeling", "felt", "feelings", "think", "reaction", "describe", "emotions")),
    Asks.LIKING: frozenset(("favorite", "favourite", "like", "prefer", "enjoy", "hobbies", "interests", "love")),
    Asks.ADVICE: frozenset(("recommend", "suggest", "suggestions", "recommendations", "advice", "tips", "ideas")),
    Asks.MINE: frozenset(("i", "my", "me", "we", "our", "mine", "im", "ive", "us")),
    Asks.YOURS: frozenset(("you", "your")),
}

_FUNCTION_WORDS = frozenset(
    """a about after all also am an and any are as at be because been before being between both but by can could did do
    does doing during each for from had has have having he her hers him his how i if in into is it its just me might
    more most my no not of off on once only or other our out over own same she should so some such than that the their
    them then there these they this those through to too until up very was we were what when where which while who whom
    whose why will with would you your yours im ive ever get got mention mentioned tell told said say during""".split()
)


@dataclass(frozen=True)
class Query:
    """A question, read against one snapshot."""

    text: str
    terms: NDArray[np.uint32]
    term_weights: NDArray[np.float32]
    """1 for a word of content, less for one of grammar."""
    tokens: NDArray[np.uint16]
    token_weights: NDArray[np.float32]
    """The length of the wordpiece's vector, times the same."""
    vector: NDArray[np.float32]
    lexicon: NDArray[np.float32] = field(repr=False)
    """The vectors of all wordpieces."""
    asks: Asks
    named: NDArray[np.int32]
    """Speakers whose name stands in the question."""
    times: tuple[tuple[int, int], ...] = ()
    """Ranges of time that the question speaks of, in microseconds since 1970 UTC."""


FUNCTION_WEIGHT = 0.25


def read_query(text: str, *, now: datetime, snapshot: Snapshot, embedder: Embedder | None = None) -> Query:
    """Read a question. `embedder` is the one that made the snapshot's vectors (default: the bundled one)."""
    static = StaticEmbedder.bundled()
    found = list(dict.fromkeys(words.split(text)))
    named = _named(set(found), snapshot)
    weights = [FUNCTION_WEIGHT if word in _FUNCTION_WORDS else 1.0 for word in found]
    terms, first = np.unique(np.array(hash_words(found), np.uint32), return_index=True)
    pieces = static.tokenize([" ".join(word for word in found if word not in _FUNCTION_WORDS) or text])[0]
    tokens = np.unique(pieces)
    vector = (static if embedder is None else embedder).embed([text])[0]
    return Query(
        text=text,
        terms=terms,
        term_weights=np.array(weights, np.float32)[first],
        tokens=tokens,
        token_weights=np.linalg.norm(static.vectors[tokens], axis=1).astype(np.float32),
        vector=vector.astype(np.float32),
        lexicon=static.vectors,
        asks=_kind(found),
        named=np.array(named, np.int32),
    )


def _kind(found: list[str]) -> Asks:
    have = set(found)
    kind = Asks(0)
    for asks, marks in _asks.items():
        if have & marks:
            kind |= asks
    return kind


def _named(have: set[str], snapshot: Snapshot) -> list[int]:
    people = []
    for number, name in enumerate(snapshot.speakers.all()):
        parts = set(words.split(name)) - {"user", "assistant", "system", "tool"}
        if any(len(part) > 1 and part in have for part in parts):
            people.append(number)
    return people
