"""Vectors of texts for the levels: the bundled embedder's, over the words that say what a text is about.

The levels do not depend on which embedder a store searches with. Words that stand everywhere would make everything
alike, and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.static import StaticEmbedder
from mnemos.levels.sentences import content, prose

REMEMBERED = 4096
"""Texts whose vector is kept in memory."""
_LONGEST = 4_000
"""Characters of a text that are read."""
_RARE = 10.0
"""The length of a rare word's vector."""


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of whole texts, of unit length, or zero where no word is known."""
    return StaticEmbedder.bundled().embed([text[:_LONGEST] for text in texts])


def topics(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of what texts are about."""
    if not texts:
        return np.zeros((0, StaticEmbedder.bundled().dim), np.float32)
    return np.stack([np.frombuffer(_topic(text[:_LONGEST]), np.float32) for text in texts])


@lru_cache(REMEMBERED)
def _topic(text: str) -> bytes:
    words = " ".join(dict.fromkeys(content(prose(text))))
    row: bytes = StaticEmbedder.bundled().embed([words])[0].tobytes()
    return row


def rarity(words: Sequence[str]) -> list[float]:
    """How much each word tells, 0 to 1: the length of its tokens' vectors, which grows with their rarity."""
    static = StaticEmbedder.bundled()
    lengths = (float(np.linalg.norm(static.vectors[tokens], axis=1).sum()) for tokens in static.tokenize(words))
    return [min(1.0, length / _RARE) if length else 1.0 for length in lengths]
