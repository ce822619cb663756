"""The place of an embedder that made a store's vectors and was not given when the store was opened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class MissingEmbedder:
    """Gives every question a vector of zeros, which is equally unlike everything: the dense signal is silent."""

    def __init__(self, name: str, dim: int) -> None:
        self.name = name
        self.dim = dim

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A row of zeros per text."""
        return np.zeros((len(texts), self.dim), dtype=np.float32)
