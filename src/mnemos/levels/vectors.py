"""Vectors of texts for the levels: the bundled embedder's, over whole sentences or over what a text is about.

The levels do not depend on which embedder a store searches with. Vectors are remembered for a while, and what is
missing is tokenised together: most texts are looked at again, by the episode, its theme and the next batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.static import StaticEmbedder
from mnemos.levels.sentences import content, prose

REMEMBERED = 8192
"""Texts whose vector is kept in memory."""
_LONGEST = 4_000
"""Characters of a text that are read."""
_RARE = 10.0
"""The length of a rare word's vector."""

_known: dict[str, NDArray[np.float32]] = {}


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of whole texts, of unit length, or zero where no word is known."""
    static = StaticEmbedder.bundled()
    asked = [text[:_LONGEST] for text in texts]
    missing = [text for text in dict.fromkeys(asked) if text not in _known]
    found = dict(zip(missing, static.embed(missing), strict=True)) if missing else {}
    rows = [found[text] if text in found else _known[text] for text in asked]
    if len(_known) + len(found) > REMEMBERED:
        _known.clear()
    _known.update(found)
    return np.stack(rows) if rows else np.zeros((0, static.dim), np.float32)


def topics(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of what texts are about: of their words but those that stand everywhere and make everything alike."""
    return embed([" ".join(dict.fromkeys(content(prose(text[:_LONGEST])))) for text in texts])


def rarity(words: Sequence[str]) -> list[float]:
    """How much each word tells, 0 to 1: the length of its tokens' vectors, which grows with their rarity."""
    static = StaticEmbedder.bundled()
    lengths = (float(np.linalg.norm(static.vectors[tokens], axis=1).sum()) for tokens in static.tokenize(words))
    return [min(1.0, length / _RARE) if length else 1.0 for length in lengths]
