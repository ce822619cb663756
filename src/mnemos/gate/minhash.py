"""MinHash: sketches by which texts that share most of their words are found without comparing all with all.

The share of equal entries of two sketches estimates the Jaccard similarity of two sets; entries are grouped into bands,
and texts that agree in a whole band are candidates (Broder 1997; banding as in Leskovec et al., Mining of Massive
Datasets, 3.4). With eight bands of four, texts alike to 0.9 meet with probability 0.9998, to 0.5 with 0.40, to 0.2
with 0.01.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

BANDS, ROWS = 8, 4
RUN = 3
"""Words in a shingle; a shorter text is one shingle of its words."""

_chance = np.random.default_rng(20_261_121)
_FACTORS = _chance.integers(0, 1 << 64, (BANDS * ROWS, 1), dtype=np.uint64) | np.uint64(1)
_TERMS = _chance.integers(0, 1 << 64, (BANDS * ROWS, 1), dtype=np.uint64)
_MIX = _chance.integers(1, 1 << 62, (1, ROWS), dtype=np.uint64)


def shingles(words: Sequence[str]) -> frozenset[int]:
    """Hashes of each word, and of each run of three in their order."""
    runs: Iterable[str] = (" ".join(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1)))
    return frozenset(zlib.crc32(text.encode("utf-8", "replace")) for text in (*words, *runs))


def bands(found: frozenset[int]) -> list[int]:
    """The bands of a set of hashes: 63-bit numbers, by which it meets sets like it; none for an empty set."""
    if not found:
        return []
    values = np.fromiter(found, np.uint64, len(found))
    sketch: NDArray[np.uint64] = ((values * _FACTORS + _TERMS) >> np.uint64(32)).min(axis=1).reshape(BANDS, ROWS)
    mixed = (sketch * _MIX).sum(axis=1, dtype=np.uint64) >> np.uint64(4)
    return [int(value) * BANDS + place for place, value in enumerate(mixed)]


def similarity(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard similarity: shared over all."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0
