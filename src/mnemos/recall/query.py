"""Reading a question: its words and vector, the people and times it names, what kind of answer it wants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.protocol import Embedder
from mnemos.embed.static import Likes, StaticEmbedder
from mnemos.recall import words
from mnemos.recall.analyze import hash_words
from mnemos.recall.postings import Postings
from mnemos.recall.snapshot import Snapshot, pair
from mnemos.recall.when import TimeRange, read_times

FUNCTION_WEIGHT = 0.4
"""What a word of grammar weighs beside a word of content."""


class Asks(IntFlag):
    """What a question asks for, by its words."""

    WHEN = 1
    NUMBER = 2
    WHO = 4
    WHERE = 8
    WHY = 16
    FEELING = 32
    LIKING = 64
    ADVICE = 128
    MINE = 256
    """About the one who asks: I, my, we."""
    YOURS = 512
    """About what the machine said before: did you, you recommended, your advice."""


_asks: dict[Asks, frozenset[str]] = {
    Asks.WHEN: frozenset("when date year month day days weeks months ago time".split()),
    Asks.NUMBER: frozenset("many much number count total percentage cost age old times".split()),
    Asks.WHO: frozenset("who whom whose".split()),
    Asks.WHERE: frozenset("where country city place town state".split()),
    Asks.WHY: frozenset("why reason inspired motivated made".split()),
    Asks.FEELING: frozenset("feel feeling felt feelings think reaction describe emotions".split()),
    Asks.LIKING: frozenset("favorite favourite like prefer enjoy hobbies interests love".split()),
    Asks.ADVICE: frozenset("recommend suggest suggestions recommendations advice tips ideas".split()),
    Asks.MINE: frozenset("i my me we our mine im ive us".split()),
}
_yours = re.compile(
    r"\b(?:did|have|had) you\b|\byou (?:had |have |also |previously |just )?(?:recommend|suggest|said|told|gave|give|"
    r"help|explain|mention|provid|list|describ|propos|advis|shared?|wrote|creat|outlin)|"
    r"\byour (?:advice|recommend|suggest|explan|answer|respon|list|last|previous)|"
    r"\bremind me (?:what|of|how|which|who)\b",
    re.IGNORECASE,
)
_dated = re.compile(r"\d{4}|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)
FUNCTION_WORDS = frozenset(
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
    phrases: NDArray[np.uint32]
    """Pairs of terms that follow each other in the question."""
    tokens: NDArray[np.uint16]
    vector: NDArray[np.float32]
    lexicon: NDArray[np.float32] = field(repr=False)
    """The vectors of all wordpieces."""
    alike: tuple[Likes, ...] = field(repr=False)
    """For each of `tokens` the wordpieces that are like it, and how much."""
    asks: Asks
    named: NDArray[np.int32]
    """Speakers whose name stands in the question."""
    times: tuple[tuple[int, int], ...] = ()
    """Ranges of time that the question speaks of, in microseconds since 1970 UTC."""


def read_query(text: str, *, now: datetime, snapshot: Snapshot, embedder: Embedder | None = None) -> Query:
    """Read a question. `embedder` is the one that made the snapshot's vectors (default: the bundled one)."""
    static = StaticEmbedder.bundled()
    spoken = read_times(text, now=now)
    rest = _without(text, spoken)
    found = words.split(text)
    distinct = list(dict.fromkeys(found))
    light = FUNCTION_WORDS | (set(found) - set(words.split(rest)))
    weights = [FUNCTION_WEIGHT if word in light else 1.0 for word in distinct]
    terms, first = np.unique(np.array(hash_words(distinct), np.uint32), return_index=True)
    content = " ".join(word for word in distinct if word not in light)
    pieces, whole = static.tokenize([content or text, rest if content else text])
    if embedder is None or embedder is static:
        vector = _pooled(whole, static.vectors, snapshot)
    else:
        vector = embedder.embed([text])[0].astype(np.float32)
    tokens = np.array(sorted(set(pieces.tolist())), pieces.dtype)
    return Query(
        text=text,
        terms=terms,
        term_weights=np.array(weights, np.float32)[first],
        phrases=_phrases(words.split(rest)),
        tokens=tokens,
        vector=vector,
        lexicon=static.vectors,
        alike=tuple(static.alike(tokens, snapshot.token_keys)),
        asks=_kind(set(found), text),
        named=np.array(_named(set(found), snapshot), np.int32),
        times=tuple((found.start, found.end) for found in spoken),
    )


def _without(text: str, spoken: Sequence[TimeRange]) -> str:
    """The text with words like "three weeks ago" blanked out: they say when, and no turn has to repeat them."""
    for found in spoken:
        if _dated.search(found.phrase):
            continue
        start, end = found.span
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def rarity(postings: Postings, keys: NDArray[np.uint32] | NDArray[np.uint16], total: int) -> NDArray[np.float32]:
    """The inverse document frequency of each key, never negative."""
    held = postings.held(keys.astype(np.uint32)).astype(np.float32)
    return np.log1p((total - held + np.float32(0.5)) / (held + np.float32(0.5)))


def _pooled(pieces: NDArray[np.uint16], vectors: NDArray[np.float32], snapshot: Snapshot) -> NDArray[np.float32]:
    """The sum of the wordpieces' vectors, rare ones weighing more, scaled to length 1."""
    weights = np.sqrt(rarity(snapshot.tokens, pieces, len(snapshot.columns.num)))
    total: NDArray[np.float32] = weights @ vectors[pieces]
    return total / np.float32(max(float(np.linalg.norm(total)), 1e-9))


def _phrases(found: list[str]) -> NDArray[np.uint32]:
    pairs = [(a, b) for a, b in pairwise(found) if not (a in FUNCTION_WORDS and b in FUNCTION_WORDS)]
    first = np.array(hash_words(a for a, _ in pairs), np.uint32)
    second = np.array(hash_words(b for _, b in pairs), np.uint32)
    return np.array(sorted(set(pair(first, second).tolist())), np.uint32)


def _kind(have: set[str], text: str) -> Asks:
    kind = Asks.YOURS if _yours.search(text) else Asks(0)
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
