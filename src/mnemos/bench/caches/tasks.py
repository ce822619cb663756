"""The tasks: what is asked of every cache, and about which of them a policy's paper is."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from mnemos.bench.caches.texts import WORDS, Shape
from mnemos.errors import InvalidInput

TASKS: Mapping[str, Shape] = {
    "recall": Shape(24, 48),
    "update": Shape(8, 80, changes=8),
    "needles": Shape(4, 224),
    "untold": Shape(12, 64, named=False),
    "again": Shape(12, 64, named=False, mentions=6),
    "lists": Shape(6, 12, scratch=4, named=False),
    "stream": Shape(12, 176, asked=8, named=False, stream=True),
}
BOOK = "needles in a book"
"""The needles between the words of files that are given."""


def read_words(paths: Sequence[Path]) -> tuple[Tensor, dict[str, str]]:
    """The words of text files, plain or gzipped, as filler: of each word a number of 0 to 63 that its letters decide.

    Returns:
        [words], and the SHA-256 of each file by its name.

    Raises:
        InvalidInput: a file cannot be read, or all together have less than a thousand words.
    """
    found: list[int] = []
    sums = {}
    for path in paths:
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")
        except OSError as error:
            raise InvalidInput("filler", f"{str(path)!r} cannot be read", "name files of text") from error
        sums[path.name] = hashlib.sha256(data).hexdigest()
        found += [_hashed(word) for word in re.findall(r"[^\W\d_]+|[^\w\s]", text.lower())]
    if len(found) < 1000:
        raise InvalidInput("filler", f"has {len(found)} words", "name files of a thousand words or more")
    return torch.tensor(found), sums


def _hashed(word: str) -> int:
    return hashlib.blake2b(word.encode(), digest_size=4).digest()[0] % WORDS
