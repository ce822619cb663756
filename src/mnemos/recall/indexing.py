"""From words to what the index stores: passages with tokens, terms and a vector each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from mnemos.embed.protocol import Embedder
from mnemos.embed.static import StaticEmbedder
from mnemos.passages import Indexed, Source
from mnemos.recall.analyze import Source as AnalyzeSource
from mnemos.recall.analyze import Unit, analyze


class Indexer:
    """Tokenises texts once with the bundled vocabulary and embeds them with the store's embedder."""

    def __init__(self, embedder: Embedder | None) -> None:
        self.embedder = embedder

    def index(self, sources: Sequence[Source]) -> list[list[Indexed]]:
        """The passages of each text, in order."""
        static = StaticEmbedder.bundled()
        analysed = analyze([AnalyzeSource(*source) for source in sources], static)
        flat = list(chain.from_iterable(analysed))
        texts = [source.text[u.start : u.end] for source, units in zip(sources, analysed, strict=True) for u in units]
        vectors = iter(self._vectors(flat, texts, static))
        return [[Indexed(*unit, next(vectors)) for unit in units] for units in analysed]

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        """The stored form of the vectors of whole passages."""
        if self.embedder is None:
            return [b""] * len(texts)
        return _stored(self.embedder.embed(texts)) if texts else []

    def _vectors(self, units: Sequence[Unit], texts: Sequence[str], static: StaticEmbedder) -> list[bytes]:
        if self.embedder is not static:
            return self.embed(texts)
        offsets = np.zeros(len(units) + 1, dtype=np.int64)
        np.cumsum([len(unit.tokens) // 2 for unit in units], out=offsets[1:])
        tokens = np.frombuffer(b"".join(unit.tokens for unit in units), dtype=np.uint16)
        return _stored(static.pool(tokens, offsets))


def _stored(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[bytes]:
    return [row.tobytes() for row in vectors.astype(np.float16)]
