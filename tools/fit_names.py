"""Fit the weights by which words are taken for names.

    python tools/fit_names.py ../shared/data

Reads the case of every word in the middle of sentences, in the conversations and texts of a folder, and writes
`src/mnemos/entities/weights.npz`: one column for "is a name", three for its kind. No word of the data is kept.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnemos.entities.lexicon import KINDS, WEIGHTS, features, read_lists

WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
CODE = re.compile(r"```.*?```|`[^`]*`|https?://\S+", re.DOTALL)
SHRINK = 1e-4, 3e-4
"""Ridge of the first column and of the others."""


def texts(folder: Path) -> Iterator[str]:
    """Every turn of the English conversations, and every book."""
    for path in sorted(folder.glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            conversation = json.loads(line)
            if conversation["language"] == "en":
                yield from (CODE.sub(" ", turn["text"]) for turn in conversation["turns"])
    for path in sorted(folder.glob("text/*.gz")):
        yield gzip.decompress(path.read_bytes()).decode()


def cases(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """How often each word stands in small letters, and with a capital after a word in small letters."""
    small: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for text in texts(folder):
        end, after_small = 0, False
        for match in WORD.finditer(text):
            word = re.sub(r"['’]s$", "", match[0])
            if word.islower():
                small[word] += 1
            elif after_small and text[end : match.start()] == " " and word[0].isupper() and word[1:].islower():
                capital[word.lower()] += 1
            end, after_small = match.end(), word.islower()
    return small, capital


def fit(rows: NDArray[np.float32], wanted: NDArray[np.float64], shrink: float) -> NDArray[np.float64]:
    """Logistic regression (softmax for several columns), every class weighing the same, by Adam."""
    shares = wanted.mean(0)
    weigh = (wanted / shares / len(shares)).sum(1) if wanted.shape[1] > 1 else np.where(
        wanted[:, 0] == 1, 0.5 / shares[0], 0.5 / (1 - shares[0])
    )  # fmt: skip
    weights = np.zeros((rows.shape[1], wanted.shape[1]))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, 501):
        z = rows @ weights
        if wanted.shape[1] > 1:
            p = np.exp(z - z.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
        else:
            p = 1 / (1 + np.exp(-z))
        slope = rows.T @ ((p - wanted) * weigh[:, None]) / len(rows) + shrink * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.99 * second + 0.01 * slope**2
        weights -= 0.1 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return weights


def main() -> None:
    """Fit both and write them as int8 with a scale for each column."""
    small, capital = cases(Path(sys.argv[1]))
    listed = read_lists(WEIGHTS.with_name("kinds.txt").read_text(encoding="utf-8"))
    examples = {word: 1.0 for word, count in capital.items() if count >= 2 and count > 3 * small[word]}
    examples |= {word: 0.0 for word, count in small.items() if count >= 2 and count > 9 * capital[word]}
    examples |= {word: 1.0 for word in listed if small[word] < 3}
    words = sorted(word for word in examples if re.fullmatch(r"[^\W\d_]+(?:[-'][^\W\d_]+)*", word))
    random.Random(0).shuffle(words)
    rows, labels = features(words), np.array([[examples[word]] for word in words])
    kept = len(words) * 4 // 5
    trial = rows[kept:] @ fit(rows[:kept], labels[:kept], SHRINK[0])
    order = np.argsort(np.argsort(trial[:, 0]))
    names = labels[kept:, 0] == 1
    auc = (order[names].mean() - (names.sum() - 1) / 2) / (~names).sum()
    print(f"{len(words)} words, {int(labels.sum())} of them names; AUROC on a fifth held out {auc:.3f}")
    name = fit(rows, labels, SHRINK[0])
    known = sorted(listed)
    kind = fit(features(known), np.array([[listed[w] == k for k in KINDS] for w in known], np.float64), SHRINK[1])
    weights = np.hstack([name, kind])
    scales = np.abs(weights).max(0) / 127
    np.savez(WEIGHTS, rows=np.rint(weights / scales).astype(np.int8), scales=scales.astype(np.float32))


if __name__ == "__main__":
    main()
