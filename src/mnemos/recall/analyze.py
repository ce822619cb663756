"""Text to units: the wordpieces, hashed stems and cues by which a text, or each passage of a long one, is found."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

import numpy as np
import Stemmer
from numpy.typing import NDArray

from mnemos.recall import words

ANALYZER = "3"
"""Version of everything below; units written under another version have to be made again."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CACHE_LIMIT = 200_000
_LOW = 0xFFFFFFFF


class Source(NamedTuple):
    """A text to analyse, with what stands in its header."""

    text: str
    speaker: str | None
    happened_at: int | None
    """Microseconds since 1970 UTC."""


class Unit(NamedTuple):
    """A short text, or one passage of a long one, as recall needs it."""

    start: int
    end: int
    tokens: bytes
    """uint16 wordpiece ids of the passage."""
    terms: bytes
    """uint32: a word of cue bits, then the hashes of header and passage stems, repeats kept."""


class Tokenizer(Protocol):
    """What analysing needs of the bundled embedder."""

    def tokenize(self, texts: Sequence[str]) -> list[NDArray[np.uint16]]:
        """Wordpiece ids of each text, without special tokens and unknowns."""
        ...


class _Hashes(dict[str, int]):
    """Word to the hash of its stem, with its cue bits above bit 32; filled as words are met."""

    def __init__(self) -> None:
        super().__init__()
        self._stem = Stemmer.Stemmer("english", 0).stemWord

    def __missing__(self, word: str) -> int:
        if len(self) > _CACHE_LIMIT:
            self.clear()
        value = zlib.crc32(self._stem(word).encode("utf-8", "surrogatepass")) | words.word_cue(word) << 32
        self[word] = value
        return value


_hashes = _Hashes()


def hash_words(found: Iterable[str]) -> list[int]:
    """The stem hash of each word, in order."""
    return [_hashes[word] & _LOW for word in found]


def analyze(sources: Sequence[Source], embedder: Tokenizer) -> list[list[Unit]]:
    """Cut each source into passages where it is long, and read words, wordpieces and cues of each."""
    spans = [words.passages(source.text) for source in sources]
    texts = [source.text[a:b] for source, cuts in zip(sources, spans, strict=True) for a, b in cuts]
    tokens = iter(embedder.tokenize(texts))
    passages = iter(texts)
    result = []
    for source, cuts in zip(sources, spans, strict=True):
        header = _header(source)
        result.append([Unit(a, b, _bytes16(next(tokens)), _terms(header, next(passages))) for a, b in cuts])
    return result


def _header(source: Source) -> list[int]:
    found = words.split(source.speaker) if source.speaker else []
    if source.happened_at is not None:
        found = words.split((_EPOCH + timedelta(microseconds=source.happened_at)).strftime("%Y-%m-%d")) + found
    return hash_words(found)


def _terms(header: list[int], text: str) -> bytes:
    found = [_hashes[word] for word in words.split(text)]
    bits = 0
    for value in found:
        bits |= value
    cues = bits >> 32
    return array("I", [cues | words.text_cue(text, cues), *header, *[value & _LOW for value in found]]).tobytes()


def _bytes16(ids: NDArray[np.uint16]) -> bytes:
    return np.ascontiguousarray(ids, np.uint16).tobytes()
