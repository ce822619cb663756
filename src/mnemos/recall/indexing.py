"""From words to what the index stores: passages with tokens, terms and a vector each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.checks import unit_rows
from mnemos.embed.missing import MissingEmbedder
from mnemos.embed.protocol import Embedder
from mnemos.embed.static import StaticEmbedder
from mnemos.errors import EmbedderError
from mnemos.passages import Indexed, Source
from mnemos.recall.analyze import Source as AnalyzeSource
from mnemos.recall.analyze import Unit, analyze


class Indexer:
    """Tokenises texts once with the bundled vocabulary and embeds them with the embedder that serves.

    Which one that is may change while a store is open, also by another process: it is asked for each time.
    """

    def __init__(self, serving: Callable[[], Embedder]) -> None:
        self._serving = serving

    def index(self, sources: Sequence[Source]) -> list[list[Indexed]]:
        """The passages of each text, in order."""
        return self._index(sources, self._serving())

    def index_offline(self, sources: Sequence[Source]) -> list[list[Indexed]]:
        """The same, without waiting for an embedder that is not the bundled one: its vectors are left out."""
        static, embedder = StaticEmbedder.bundled(), self._serving()
        return self._index(sources, embedder if embedder is static else MissingEmbedder(embedder.name, embedder.dim))

    def _index(self, sources: Sequence[Source], embedder: Embedder) -> list[list[Indexed]]:
        static = StaticEmbedder.bundled()
        analysed = analyze([AnalyzeSource(*source) for source in sources], static)
        flat = list(chain.from_iterable(analysed))
        texts = [source.text[u.start : u.end] for source, units in zip(sources, analysed, strict=True) for u in units]
        vectors = iter(_pooled(flat, static) if embedder is static else embedded(embedder, texts))
        return [[Indexed(*unit, next(vectors), embedder.name) for unit in units] for units in analysed]


def embedded(embedder: Embedder, texts: Sequence[str]) -> list[bytes]:
    """The stored form of the vectors of whole passages; empty where the embedder was not given."""
    if isinstance(embedder, MissingEmbedder):
        return [b""] * len(texts)
    if not texts:
        return []
    rows = unit_rows(embedder.name, embedder.embed(texts), len(texts))
    if rows.shape[1] != embedder.dim:
        raise EmbedderError(
            f"{embedder.name} says that its vectors have {embedder.dim} numbers; they have {rows.shape[1]}"
        )
    return _stored(rows)


def _pooled(units: Sequence[Unit], static: StaticEmbedder) -> list[bytes]:
    offsets = np.zeros(len(units) + 1, dtype=np.int64)
    np.cumsum([len(unit.tokens) // 2 for unit in units], out=offsets[1:])
    tokens = np.frombuffer(b"".join(unit.tokens for unit in units), dtype=np.uint16)
    return _stored(static.pool(tokens, offsets))


def _stored(vectors: NDArray[np.float32]) -> list[bytes]:
    return [row.tobytes() for row in vectors.astype(np.float16)]
