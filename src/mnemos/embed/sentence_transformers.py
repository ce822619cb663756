"""Any sentence-transformers model as an embedder. Needs the extra `mnemos[sentence-transformers]`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.checks import checked_texts, unit_rows
from mnemos.errors import EmbedderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

WEIGHTS = ("*.safetensors", "*.bin")


class SentenceTransformerEmbedder:
    """Embeds with a transformer, on the processor or a GPU.

    `model` is a name on the Hugging Face hub or a folder. `name` is what is stored with each vector; by default the
    model's name and revision, or for a folder its name and a fingerprint of its weights.
    """

    def __init__(
        self,
        model: str | Path = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        name: str | None = None,
        revision: str | None = None,
        device: str | None = None,
        batch_size: int = 32,
    ) -> None:
        self._model = _load(str(model), revision, device)
        self._name = name or _name(str(model), revision)
        self._batch_size = batch_size
        self._dim: int | None = None

    @property
    def name(self) -> str:
        """Model and version."""
        return self._name

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        if self._dim is None:
            self._dim = int(self._encode(["dimension"]).shape[1])
        return self._dim

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text, of length 1; blank texts get zeros."""
        checked = checked_texts(texts)
        full = [index for index, text in enumerate(checked) if text.strip()]
        rows = np.zeros((len(checked), self.dim), dtype=np.float32)
        if full:
            rows[full] = self._encode([checked[index] for index in full])
        return rows

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        rows = self._model.encode(texts, batch_size=self._batch_size, convert_to_numpy=True, show_progress_bar=False)
        return unit_rows(self._name, rows, len(texts))


def _load(model: str, revision: str | None, device: str | None) -> SentenceTransformer:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise EmbedderError(
            "the package sentence-transformers is not installed; pip install 'mnemos[sentence-transformers]'"
        ) from error
    try:
        return SentenceTransformer(model, revision=revision, device=device)
    except (OSError, ValueError, RuntimeError) as error:
        raise EmbedderError(f"sentence-transformers cannot load {model}: {error}") from error


def _name(model: str, revision: str | None) -> str:
    folder = Path(model)
    if not folder.is_dir():
        return f"{model}@{revision}" if revision else model
    digest = hashlib.sha256()
    for path in sorted(path for pattern in WEIGHTS for path in folder.rglob(pattern)):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{folder.resolve().name}@{digest.hexdigest()[:12]}"
