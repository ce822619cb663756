"""What can be seen of a turn before anything is asked: its words, its neighbours, and how new its words are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.static import StaticEmbedder
from mnemos.recall import words
from mnemos.recall.analyze import hash_words
from mnemos.recall.query import FUNCTION_WORDS
from mnemos.recall.snapshot import MACHINE_NAMES
from mnemos.recall.words import Cue
from mnemos.records import Memory

FEATURES = (
    "rare",
    "common",
    "new",
    "time",
    "number",
    "names",
    "liking",
    "picture",
    "to the other",
    "praise",
    "ends asking",
    "answers",
    "was welcomed",
    "after a long one",
)
"""In the order of a row of `read`; each is between about 0 and 1, but for `rare` and `common`, which are standardised:
weight of the three heaviest wordpieces, and mean logarithm of their places in the vocabulary, which begins with the
most frequent ones."""
LONG = 60
"""Words; a turn of as many counts as long."""
_MEASURED = 2_000
"""Characters of which the length is measured: all that are longer count the same."""
_SECOND, _TIME, _NUMBER, _LIKING = (int(cue) for cue in (Cue.SECOND_PERSON, Cue.TIME, Cue.NUMBER, Cue.LIKING))

_picture = re.compile(r"\[(?:image|picture|photo|shares?)\b[^\]]*\]", re.IGNORECASE)
_name = re.compile(r"(?<=[a-z,;:'] )[A-Z][a-z]{2}")
_praise = re.compile(
    r"\b(?:awesome|amazing|great|cool|inspiring|proud|nice|wonderful|incredible|congrats|glad|support|keep|good luck|"
    r"thanks|thank|appreciate|agree|definitely|totally|absolutely)\b"
)
_welcome = re.compile(r"\W*(?:wow|congrat|that's|awesome|great|cool|sounds|amazing|nice|way to go|oh|aww|sorry)")
_vector_lengths: dict[int, NDArray[np.float32]] = {}


class Seen:
    """Which words have been met, in a fixed number of bits: a word may be taken for another, never forgotten.

    The fuller it is, the less counts as new.
    """

    BYTES = 8_192

    def __init__(self, bits: bytes | None = None) -> None:
        self._bits = bytearray(self.BYTES) if bits is None or len(bits) != self.BYTES else bytearray(bits)

    def count_new(self, hashes: set[int]) -> int:
        """How many of these have not been met; from now on they have been."""
        new = 0
        for value in hashes:
            place, bit = (value >> 3) % self.BYTES, 1 << (value & 7)
            new += not self._bits[place] & bit
            self._bits[place] |= bit
        return new

    def to_bytes(self) -> bytes:
        """All bits, to be kept."""
        return bytes(self._bits)


class Read(NamedTuple):
    """Some memories in reading order, and what was seen of them."""

    features: NDArray[np.float64]
    """One row each, in the order of `FEATURES`."""
    machine: NDArray[np.bool_]
    """Whether a machine speaks."""
    talk: NDArray[np.bool_]
    """Whether it stands in a talk with a machine."""
    size: NDArray[np.float64]
    """The length of what is no question, 0 to 1.2 on a logarithmic scale."""


def is_machine(memory: Memory) -> bool:
    """Whether a machine speaks, not a person who was given its role."""
    return memory.role == "assistant" and (memory.speaker or "").lower() in MACHINE_NAMES


def is_welcome(text: str) -> bool:
    """Whether a turn begins as one does that receives news."""
    return _welcome.match(text.lower()) is not None


def read(memories: Sequence[Memory], seen: Seen, before: Mapping[str | None, Memory] | None = None) -> Read:
    """Look at memories in reading order.

    Args:
        seen: the words met before; those of these memories are added.
        before: by session, the turn before the first of these.
    """
    said = [_picture.sub("", memory.text) for memory in memories]
    previous, following = _neighbours(memories, before or {})
    tokens = StaticEmbedder.bundled().tokenize(said)
    machine = np.array([is_machine(memory) for memory in memories], np.bool_)
    talks = {m.session_id for m, spoken in zip(memories, machine, strict=True) if spoken}
    talks |= {session for session, memory in (before or {}).items() if is_machine(memory)}
    rows, sizes = [], []
    for place, memory in enumerate(memories):
        rows.append([*_rarity(tokens[place]), *_own(said[place], memory.text, seen)])
        rows[-1] += _around(previous[place], following[place])
        sizes.append(_size(said[place]))
    talk = np.array([memory.session_id in talks for memory in memories], np.bool_)
    return Read(np.array(rows, np.float64).reshape(-1, len(FEATURES)), machine, talk, np.array(sizes, np.float64))


def _neighbours(
    memories: Sequence[Memory], before: Mapping[str | None, Memory]
) -> tuple[list[Memory | None], list[Memory | None]]:
    """The turn before and after each one in its session."""
    last: dict[str | None, int] = {}
    previous: list[Memory | None] = [None] * len(memories)
    following: list[Memory | None] = [None] * len(memories)
    for place, memory in enumerate(memories):
        if memory.kind != "turn":
            continue
        session = memory.session_id
        if session in last:
            previous[place] = memories[last[session]]
            following[last[session]] = memory
        else:
            previous[place] = before.get(session)
        last[session] = place
    return previous, following


def _rarity(tokens: NDArray[np.uint16]) -> tuple[float, float]:
    if not len(tokens):
        return -2.0, 0.0
    static = StaticEmbedder.bundled()
    if id(static) not in _vector_lengths:
        _vector_lengths[id(static)] = np.linalg.norm(static.vectors, axis=1).astype(np.float32)
    heaviest = float(np.sort(_vector_lengths[id(static)][tokens])[-3:].mean())
    place = float(np.log(np.unique(tokens).astype(np.float64) + 1).mean())
    return min(2.0, max(-2.0, (heaviest - 8.6) / 1.25)), min(2.0, max(-2.0, (place - 7.8) / 0.4))


def _own(said: str, text: str, seen: Seen) -> list[float]:
    found = words.split(said)
    cues = second = 0
    for word in found:
        cue = int(words.word_cue(word))
        cues |= cue
        second += cue & _SECOND > 0
    new = seen.count_new(set(hash_words(word for word in found if word not in FUNCTION_WORDS)))
    return [
        min(1.2, math.log1p(new) / 2),
        float(cues & _TIME > 0),
        float(cues & _NUMBER > 0),
        min(1.4, math.log1p(len(_name.findall(said)))),
        float(cues & _LIKING > 0),
        float(_picture.search(text) is not None),
        min(1.5, 5 * second / max(1, len(found))),
        min(1.5, 5 * len(_praise.findall(said.lower())) / (5 + len(found))),
        float(said.rstrip().endswith(("?", "？"))),
    ]


def _around(previous: Memory | None, following: Memory | None) -> list[float]:
    long = 2.5 if previous is None else math.log1p(len(words.split(_picture.sub("", previous.text[:_MEASURED]))))
    return [
        float(previous is not None and ("?" in previous.text or "？" in previous.text)),
        float(following is not None and is_welcome(following.text)),
        min(1.2, long / math.log1p(LONG)),
    ]


def _size(said: str) -> float:
    told = [
        part
        for part in re.split(r"(?<=[.!?…？。！])\s*|\n", said[:_MEASURED])
        if not part.rstrip().endswith(("?", "？"))
    ]
    return min(1.2, math.log1p(sum(len(words.split(part)) for part in told)) / math.log1p(LONG))
