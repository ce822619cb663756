"""Any OpenAI-compatible `/embeddings` endpoint (OpenAI, vLLM, Ollama, llama.cpp, ...) as an embedder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.checks import checked_texts, unit_rows
from mnemos.endpoint import EndpointError, JsonEndpoint
from mnemos.errors import EmbedderError, InvalidInput

DEFAULT_URL = "https://api.openai.com/v1"
BATCH_CHARACTERS = 200_000
"""Most characters in one request; hosted models refuse requests of more than some 300,000 tokens."""


class OpenAIEmbedder:
    """Embeds over HTTP, in batches, with retries.

    `base_url` and `api_key` default to the environment's `OPENAI_BASE_URL` and `OPENAI_API_KEY`; local servers need
    no key. `dimensions` asks the server for shorter vectors, where the model can. `name` is what is stored with each
    vector, by default the model's name.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        dimensions: int | None = None,
        name: str | None = None,
        batch_size: int = 128,
        timeout: float = 30.0,
        retries: int = 4,
        backoff: float = 0.5,
    ) -> None:
        if batch_size < 1:
            raise InvalidInput("batch_size", f"is {batch_size}", "pass 1 or more")
        url = base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
        self._endpoint = JsonEndpoint(
            url.rstrip("/") + "/embeddings",
            api_key=api_key or os.environ.get("OPENAI_API_KEY"),
            timeout=timeout,
            retries=retries,
            backoff=backoff,
        )
        self._model = model
        self._dimensions = dimensions
        self._dim = dimensions
        self._name = name or (f"{model}:{dimensions}" if dimensions else model)
        self._batch_size = batch_size

    def __repr__(self) -> str:
        return f"OpenAIEmbedder({self._name!r}, base_url={self._endpoint.url.removesuffix('/embeddings')!r})"

    @property
    def name(self) -> str:
        """Model and version."""
        return self._name

    @property
    def dim(self) -> int:
        """How many numbers a vector has; the server is asked once where `dimensions` was not given."""
        if self._dim is None:
            self._request(["dimension"])
        assert self._dim is not None
        return self._dim

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text, of length 1; blank texts get zeros and are not sent."""
        checked = checked_texts(texts)
        full = [index for index, text in enumerate(checked) if text.strip()]
        parts = [(batch, self._request([checked[index] for index in batch])) for batch in self._batches(checked, full)]
        rows = np.zeros((len(checked), self.dim), dtype=np.float32)
        for batch, part in parts:
            rows[batch] = part
        return rows

    def _batches(self, texts: list[str], full: list[int]) -> Iterator[list[int]]:
        """The indices of the texts, cut so that no request is too long in texts or characters."""
        batch: list[int] = []
        characters = 0
        for index in full:
            if batch and (len(batch) == self._batch_size or characters + len(texts[index]) > BATCH_CHARACTERS):
                yield batch
                batch, characters = [], 0
            batch.append(index)
            characters += len(texts[index])
        if batch:
            yield batch

    def _request(self, texts: list[str]) -> NDArray[np.float32]:
        body: dict[str, object] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if self._dimensions:
            body["dimensions"] = self._dimensions
        try:
            answer = self._endpoint.post(body)
        except EndpointError as error:
            raise EmbedderError(str(error)) from None
        rows = unit_rows(self._name, _vectors(self._name, answer, len(texts)), len(texts))
        if self._dim is None:
            self._dim = int(rows.shape[1])
        if rows.shape[1] != self._dim:
            raise EmbedderError(f"{self._name} answered with {rows.shape[1]} dimensions instead of {self._dim}")
        return rows


def _vectors(name: str, answer: object, count: int) -> list[object]:
    """The vectors of an answer, in the order of the texts: each says with `index` which text it belongs to."""
    try:
        items = answer["data"]  # type: ignore[index]
        places = [item.get("index", place) for place, item in enumerate(items)]
        vectors = {place: item["embedding"] for place, item in zip(places, items, strict=True)}
    except (TypeError, KeyError, AttributeError) as error:
        raise EmbedderError(f"{name} answered with JSON that is not a list of embeddings") from error
    if len(items) != count or set(vectors) != set(range(count)):
        raise EmbedderError(f"{name} answered {count} texts with {len(items)} vectors")
    return [vectors[place] for place in range(count)]
