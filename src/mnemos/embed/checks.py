"""What every embedder does to texts on the way in and to vectors on the way out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mnemos.errors import EmbedderError, InvalidInput


def checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts as a list of well-formed strings; refuses a single string and anything that is not text."""
    if isinstance(texts, str):
        raise InvalidInput("texts", "is one string", "pass a list of strings")
    checked = list(texts)
    for index, text in enumerate(checked):
        if not isinstance(text, str):
            raise InvalidInput(f"texts[{index}]", f"is {type(text).__name__}", "pass strings only")
        if not text.isascii():
            checked[index] = without_surrogates(text)
    return checked


def without_surrogates(text: str) -> str:
    """Half characters (left behind by broken UTF-8 or UTF-16) become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def unit_rows(name: str, rows: object, count: int) -> NDArray[np.float32]:
    """`rows` as a float32 matrix of `count` rows, each of length 1 (rows of zeros stay); else an EmbedderError."""
    try:
        matrix = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EmbedderError(f"{name} answered with vectors of different lengths or without numbers") from error
    if matrix.ndim != 2 or len(matrix) != count or matrix.shape[1] == 0:
        raise EmbedderError(f"{name} answered {count} texts with an array of shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise EmbedderError(f"{name} answered with a vector that holds NaN or infinity")
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(norms > 0, norms, 1)).astype(np.float32)
