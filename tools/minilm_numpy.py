"""all-MiniLM-L6-v2 in plain numpy and 64-bit floats: slow, small, and the same on every machine to 14 digits."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HEADS = 12


def read_safetensors(path: Path) -> dict[str, Array]:
    """The float32 tensors of a safetensors file, widened."""
    blob = path.read_bytes()
    (size,) = struct.unpack("<Q", blob[:8])
    tensors = {}
    for key, entry in json.loads(blob[8 : 8 + size]).items():
        if key != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            flat = np.frombuffer(blob[8 + size + begin : 8 + size + end], dtype="<f4")
            tensors[key] = flat.reshape(entry["shape"]).astype(np.float64)
    return tensors


class MiniLM:
    """The forward pass of a BERT encoder, for batches of equally long inputs."""

    def __init__(self, path: Path) -> None:
        self.t = read_safetensors(path)
        self.layers = len({key.split(".")[2] for key in self.t if key.startswith("encoder.layer.")})

    def pooled(self, ids: NDArray[np.int64]) -> Array:
        """The mean of the last hidden states; `ids` is `[texts, positions]`, with special tokens."""
        t = self.t
        x = t["embeddings.word_embeddings.weight"][ids]
        x = x + t["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + t["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(self.layers):
            key = f"encoder.layer.{layer}"
            x = self._norm(x + self._attend(x, f"{key}.attention"), f"{key}.attention.output.LayerNorm")
            inner = gelu(self._linear(x, f"{key}.intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{key}.output.dense"), f"{key}.output.LayerNorm")
        return np.asarray(x.mean(1))

    def _linear(self, x: Array, key: str) -> Array:
        flat = x.reshape(-1, x.shape[-1]) @ self.t[f"{key}.weight"].T + self.t[f"{key}.bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def _norm(self, x: Array, key: str) -> Array:
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.t[f"{key}.weight"] + self.t[f"{key}.bias"]

    def _attend(self, x: Array, key: str) -> Array:
        n, length, width = x.shape

        def heads(part: str) -> Array:
            return self._linear(x, f"{key}.self.{part}").reshape(n, length, HEADS, -1).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.sqrt(width / HEADS)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ heads("value")
        return self._linear(mixed.transpose(0, 2, 1, 3).reshape(n, length, width), f"{key}.output.dense")


def gelu(x: Array) -> Array:
    """x·Φ(x), with the error function of Abramowitz and Stegun 7.1.26 (off by at most 1.5e-7)."""
    z = np.abs(x) * np.sqrt(0.5)
    t = 1 / (1 + 0.3275911 * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.asarray(0.5 * x * (1 + np.sign(x) * (1 - poly * np.exp(-z * z))))
