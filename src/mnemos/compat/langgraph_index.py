"""LangGraph's `index=`: by which fields items are found, and whose vectors rank them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import wait
from typing import Any, Literal, Protocol, TypeVar, get_args

import numpy as np
from langgraph.store.base import Embeddings, ensure_embeddings, get_text_at_path
from numpy.typing import NDArray

from mnemos.errors import EmbedderError, InvalidInput
from mnemos.store.item_vectors import ItemVectors
from mnemos.system import Mnemos

Distance = Literal["cosine", "l2", "inner_product"]
WHOLE = ("$",)
"""The field that is the whole value, as JSON."""
BATCH = 256
"""Texts that are given to an embedder at once, and items that are looked at for them."""
BLOCK = 4096
"""Vectors that are compared at once."""
DIGITS = 9
"""To so many digits scores are rounded: equal texts score alike, in whatever order they are summed."""

T = TypeVar("T")


class Embed(Protocol):
    """How texts are embedded: by LangChain's `Embeddings`, or in the event loop of a caller that awaits."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text."""
        ...

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        ...


class EmbedInLoop:
    """In the event loop of whoever awaits, while this thread waits for it."""

    def __init__(self, embeddings: Embeddings, loop: asyncio.AbstractEventLoop) -> None:
        self._embeddings = embeddings
        self._loop = loop

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text."""
        return self._wait(self._embeddings.aembed_documents(texts))

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        return self._wait(self._embeddings.aembed_query(text))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        answer = asyncio.run_coroutine_threadsafe(work, self._loop)
        while not wait([answer], timeout=1).done:
            if self._loop.is_closed():
                raise EmbedderError("index.embed was not heard: its event loop was closed; await what was begun in it")
        return answer.result()


def read_fields(config: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The paths by which items are found; None where nothing was said, and every text in a value counts."""
    named = None if config is None else config.get("fields") or config.get("text_fields")
    if named is None:
        return None
    paths = (named,) if isinstance(named, str) else named
    return _paths(paths, "index.fields")


def texts_of(value: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    """The texts at some paths of a value; what is missing is left out."""
    return [text for path in paths for text in get_text_at_path(value, path) if text.strip()]


def read_paths(index: object) -> tuple[str, ...]:
    """The paths that a put names for its own item; none for `index=False`."""
    return () if index is False else _paths(index, "index")


def _paths(paths: object, field: str) -> tuple[str, ...]:
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str) for path in paths):
        raise InvalidInput(field, "is not a list of paths", "give paths such as ['text', 'notes[*].body']")
    return tuple(paths)


class VectorIndex:
    """Ranks items by the vectors of an embedder that LangGraph was given, kept in the store beside its own.

    Items that have none yet, as those that came another way, are embedded before the next question.
    """

    def __init__(self, memory: Mnemos, config: Mapping[str, Any]) -> None:
        embed, dims = config["embed"], config.get("dims")
        if isinstance(dims, bool) or not isinstance(dims, int) or dims < 1:
            raise InvalidInput("index.dims", f"{str(dims)[:40]!r} is not a number of dimensions", "give 1 or more")
        distance = config.get("distance_type") or "cosine"
        if distance not in get_args(Distance):
            known = ", ".join(get_args(Distance))
            raise InvalidInput("index.distance_type", f"{str(distance)[:40]!r} is unknown", f"use {known}")
        self.embeddings = ensure_embeddings(embed)
        self._dims = dims
        self._distance = distance
        self._kept: ItemVectors = memory.item_vectors(f"{_name(embed)}:{dims}", dims)

    def read(self, texts: Iterable[str], embed: Embed) -> dict[str, bytes]:
        """The vector of each text, as float32 bytes."""
        wanted, found = list(dict.fromkeys(texts)), dict[str, bytes]()
        for start in range(0, len(wanted), BATCH):
            part = wanted[start : start + BATCH]
            rows = self._matrix(embed.embed_documents(part), len(part))
            found.update(zip(part, (row.tobytes() for row in rows), strict=True))
        return found

    def keep(self, ids: Sequence[str], vectors: Mapping[str, bytes]) -> None:
        """Keep vectors with the items just written; one whose words were masked since is embedded before a question."""
        known = [item for item in self._kept.written(ids) if vectors.keys() >= set(item.texts)]
        self._kept.keep((item, [vectors[text] for text in item.texts]) for item in known)

    def catch_up(self, below: Sequence[str], embed: Embed) -> None:
        """Embed the items of a place that have no vectors, or none of what they say now."""
        while found := self._kept.missing(below, BATCH):
            vectors = self.read((text for item in found for text in item.texts), embed)
            self._kept.keep((item, [vectors[text] for text in item.texts]) for item in found)

    def scores(self, question: str, below: Sequence[str], embed: Embed) -> dict[str, float]:
        """How near the nearest text of each item of a place is to a question, by the item's id; higher is nearer."""
        self.catch_up(below, embed)
        asked = self._matrix([embed.embed_query(question)], 1)[0].astype(np.float64)
        best: dict[str, float] = {}
        rows = self._kept.all(below)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            vectors = np.frombuffer(b"".join(row.vector for row in block), np.float32).reshape(len(block), -1)
            for row, score in zip(block, self._alike(vectors.astype(np.float64), asked).tolist(), strict=True):
                best[row.id] = max(score, best.get(row.id, -np.inf))
        return best

    def _alike(self, vectors: NDArray[np.float64], asked: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._distance == "l2":
            found = -np.linalg.norm(vectors - asked, axis=1)
        else:
            found = vectors @ asked
            if self._distance == "cosine":
                lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(asked)
                found = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)
        rounded: NDArray[np.float64] = np.round(found, DIGITS)
        return rounded

    def _matrix(self, rows: object, count: int) -> NDArray[np.float32]:
        try:
            matrix = np.asarray(rows, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EmbedderError("index.embed answered without numbers, or with vectors of different lengths") from error
        if matrix.shape != (count, self._dims) or not np.isfinite(matrix).all():
            raise EmbedderError(
                f"index.embed answered {count} texts with {'x'.join(map(str, matrix.shape))} numbers; "
                f"give vectors of index.dims = {self._dims}, without NaN or infinity"
            )
        return matrix


def _name(embed: object) -> str:
    """By what vectors of this embedder are known again: what makes them, and its model where it names one."""
    if isinstance(embed, str):
        return embed
    if isinstance(embed, Embeddings):
        model = getattr(embed, "model", None) or getattr(embed, "model_name", None)
        return f"{type(embed).__qualname__}:{model}" if isinstance(model, str) else type(embed).__qualname__
    return str(getattr(embed, "__qualname__", type(embed).__qualname__))
