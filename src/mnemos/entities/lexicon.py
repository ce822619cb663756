"""Is this word a name, and of what kind? A guess from its vector, its ending, and short lists of known names.

The weights are fitted by `tools/fit_names.py`: which words are written with a capital in the middle of sentences, and
which of the known names are people, places and things.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.static import StaticEmbedder
from mnemos.entities.wordlists import AMBIGUOUS

Kind = Literal["person", "animal", "place", "thing"]
KINDS: tuple[Kind, ...] = ("person", "place", "thing")
"""Those that a word alone can tell; an animal is told by what is said of it."""

WEIGHTS = Path(__file__).with_name("weights.npz")
ENDINGS = (
    "ing ed ly s tion ness er est al ous ive able ment ity ful less ism ist y a o i e ia land ton ville shire ski ez "
    "son sen berg"
).split()
_LIMIT = 100_000


def features(words: Sequence[str]) -> NDArray[np.float32]:
    """One row for each word in lower case: its vector, in how many pieces the vocabulary has it, length, ending."""
    embedder = StaticEmbedder.bundled()
    tokens = embedder.tokenize(list(words))
    pieces = np.array([len(ids) for ids in tokens])
    offsets = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum(pieces, out=offsets[1:])
    vectors = embedder.pool(np.concatenate(tokens), offsets)
    marks = [
        [len(word) <= 3, len(word) >= 9, *(word.endswith(e) and len(word) > len(e) + 1 for e in ENDINGS)]
        for word in words
    ]
    shape = np.stack([pieces > 1, pieces > 2, np.ones(len(words))], axis=1)
    return np.hstack([vectors, shape, np.array(marks, np.float32)]).astype(np.float32)


class Lexicon:
    """What is known and guessed of single words; remembers what it was asked."""

    def __init__(self, weights: NDArray[np.float32], listed: dict[str, Kind]) -> None:
        self._weights = weights
        self.listed = listed
        """Known names by their word in lower case."""
        self._guesses: dict[str, tuple[float, tuple[float, ...]]] = {}

    @classmethod
    def bundled(cls) -> Lexicon:
        """The one that ships with Mnemos; loaded at the first call and shared."""
        return _bundled()

    def read(self, words: Iterable[str]) -> None:
        """Guess all these words at once; asking them one by one afterwards costs nothing."""
        new = [word for word in dict.fromkeys(words) if word not in self._guesses]
        if not new:
            return
        if len(self._guesses) > _LIMIT:
            self._guesses.clear()
        for word, row in zip(new, (features(new) @ self._weights).tolist(), strict=True):
            self._guesses[word] = (row[0], tuple(row[1:]))

    def namelike(self, word: str) -> float:
        """Log-odds that a word in lower case is a name, where names and words were equally common."""
        if word in self.listed:
            return 4.0 if word not in AMBIGUOUS else 1.0
        self.read((word,))
        return self._guesses[word][0]

    def kinds(self, words: Sequence[str]) -> dict[Kind, float]:
        """How well each kind suits a name of these words, as scores that sum to nothing in particular."""
        self.read(words)
        sums = np.zeros(len(KINDS))
        for word in words:
            if word in self.listed:
                sums[KINDS.index(self.listed[word])] += 4.0
            else:
                guess = np.array(self._guesses[word][1])
                sums += np.clip(guess - guess.mean(), -3.0, 3.0)
        return dict(zip(KINDS, (sums / max(1, len(words))).tolist(), strict=True))


def read_lists(text: str) -> dict[str, Kind]:
    """Known names from lines of `kind:` followed by indented words."""
    listed: dict[str, Kind] = {}
    kind: Kind = "thing"
    for line in text.splitlines():
        if line.endswith(":"):
            kind = next(known for known in KINDS if known == line[:-1])
        else:
            listed.update((word, kind) for word in line.split() if word not in listed)
    return listed


@cache
def _bundled() -> Lexicon:
    with np.load(WEIGHTS) as stored:
        weights = stored["rows"] * stored["scales"]
    return Lexicon(weights, read_lists(Path(__file__).with_name("kinds.txt").read_text(encoding="utf-8")))
