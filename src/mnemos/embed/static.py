"""The bundled embedder: a vector for every token of a vocabulary, and nothing else to compute."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache, cached_property, lru_cache
from itertools import chain
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from mnemos.embed.checks import checked_texts, without_surrogates
from mnemos.errors import EmbedderError

DATA = Path(__file__).parent / "data"
TOKENIZE_BATCH = 2048
"""Texts tokenised at once: enough to keep the tokenizer busy, few enough to stay small in memory."""
FEW_TEXTS = 8
"""Fewer are tokenised one by one: handing out a batch costs more than they do."""
POOL_TOKENS = 1024
"""Tokens pooled at once: their vectors fit in a processor's cache."""

COUNTED = 1 << 15
"""Written words whose tokens are counted once and kept."""

ALIKE = 0.3
"""Tokens whose vectors' cosine is less do not count as alike."""
FEW_TOKENS = 6000
"""Fewer are compared with a token sooner than the whole vocabulary."""
REMEMBERED = 1 << 13
"""Tokens whose likes are kept: some 80 each, 8 bytes apiece."""

LONGEST_COUNTED = 40
"""Characters of the longest of them: a text without spaces is no word."""

Tokens = NDArray[np.uint16]
Likes = tuple[NDArray[np.uint32], NDArray[np.float32]]
"""Tokens and cosines."""

_written = re.compile(r"[^ \n]+")
"""What stands between spaces and line ends: the tokenizer joins nothing across them."""


class StaticEmbedder:
    """Embeds a text as the sum of its tokens' vectors, scaled to length 1.

    The length of a token's vector is its weight: rare words are long and common ones short. Tokens outside the
    vocabulary (`[UNK]`) are left out everywhere.
    """

    def __init__(self, name: str, tokenizer: Tokenizer, vectors: NDArray[np.float32]) -> None:
        if tokenizer.get_vocab_size() != len(vectors):
            raise EmbedderError(
                f"{name}: {tokenizer.get_vocab_size()} tokens but {len(vectors)} vectors; reinstall mnemos"
            )
        self._name = name
        self._tokenizer = tokenizer
        self._unknown = tokenizer.token_to_id("[UNK]")
        self.vectors = vectors
        """One row per token of the vocabulary, as distilled: the length carries the token's weight."""
        self._count = lru_cache(COUNTED)(self._count_whole)
        self._likes: dict[int, Likes] = {}

    @classmethod
    def load(cls, folder: Path) -> StaticEmbedder:
        """Reads `tokenizer.json` and `vectors.npz` (int8 rows, a float32 scale for each) from a folder."""
        try:
            tokenizer = wordpiece(json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"])
            with (folder / "vectors.npz").open("rb") as file, np.load(file) as table:
                vectors = table["rows"] * table["scales"][:, None]
                name = str(table["name"].item())
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise EmbedderError(f"no static embedder in {folder}: {error}; reinstall mnemos") from error
        return cls(name, tokenizer, vectors)

    @classmethod
    def bundled(cls) -> StaticEmbedder:
        """The embedder that ships with Mnemos; loaded at the first call and shared."""
        return _bundled()

    @property
    def name(self) -> str:
        """Model and version."""
        return self._name

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return int(self.vectors.shape[1])

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """The token ids of each text, whole, without special tokens and without unknown ones."""
        return self.tokenize_with_unknown(texts)[0]

    def tokenize_with_unknown(self, texts: Sequence[str]) -> tuple[list[Tokens], NDArray[np.float32]]:
        """The known token ids of each text, and the share of its tokens that the vocabulary lacks."""
        texts = checked_texts(texts)
        tokens: list[Tokens] = []
        shares = [np.empty(0, dtype=np.float32)]
        for start in range(0, len(texts), TOKENIZE_BATCH):
            flat, lengths = self._ids(texts[start : start + TOKENIZE_BATCH])
            known = flat != self._unknown
            offsets = np.concatenate([[0], np.cumsum(lengths)])
            kept = np.concatenate([[0], np.cumsum(known)])[offsets]
            shares.append((1 - np.diff(kept) / np.maximum(lengths, 1)).astype(np.float32) * (lengths > 0))
            tokens.extend(np.split(flat[known], kept[1:-1]))
        return tokens, np.concatenate(shares, dtype=np.float32)

    def _ids(self, texts: list[str]) -> tuple[Tokens, NDArray[np.int64]]:
        """All token ids of a batch end to end, and how many each text has."""
        if len(texts) < FEW_TEXTS:
            lists = [self._tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        else:
            lists = [code.ids for code in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        lengths = np.array([len(ids) for ids in lists], dtype=np.int64)
        flat = np.fromiter(chain.from_iterable(lists), dtype=np.uint16, count=int(lengths.sum()))
        return flat, lengths

    def count(self, text: str) -> int:
        """How many tokens a text has, unknown ones included."""
        written = _written.findall(without_surrogates(text))
        short = max(map(len, written), default=0) <= LONGEST_COUNTED
        return sum(map(self._count if short else self._count_whole, written))

    def _count_whole(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def alike(self, tokens: Tokens, among: NDArray[np.uint32]) -> list[Likes]:
        """For each token those that are `ALIKE`, itself included, and their cosines, ascending.

        Args:
            tokens: whose likes are wanted.
            among: the tokens that matter, ascending. Where they are few, only they are looked at and nothing is kept.
        """
        likes = self._likes
        missing = [token for token in set(tokens.tolist()) if token not in likes]
        if missing:
            few = len(among) < FEW_TOKENS
            found = self._compared(missing, among if few else np.arange(len(self.vectors), dtype=np.uint32))
            kept = {one: likes[one] for one in tokens.tolist() if one in likes} if len(likes) > REMEMBERED else likes
            # a new dictionary each time: other threads read the old one meanwhile
            likes = kept | found
            if not few:
                self._likes = likes
        return [likes[token] for token in tokens.tolist()]

    def _compared(self, tokens: list[int], among: NDArray[np.uint32]) -> dict[int, Likes]:
        whole = len(among) == len(self.vectors)
        table, lengths = (self.vectors, self._lengths) if whole else (self.vectors[among], self._lengths[among])
        cosines = (self.vectors[tokens] / self._lengths[tokens][:, None]) @ table.T / lengths
        return {token: _nearest(row, among) for token, row in zip(tokens, cosines, strict=True)}

    @cached_property
    def _lengths(self) -> NDArray[np.float32]:
        """The length of each token's vector, and at least a little."""
        lengths: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors))
        return np.maximum(lengths, np.float32(1e-9))

    def pool(self, tokens: Tokens, offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Sentence vectors of length 1; text `i` owns `tokens[offsets[i]:offsets[i + 1]]`.

        A text without a known token gets a row of zeros, which is equally unlike everything.
        """
        pooled = np.zeros((len(offsets) - 1, self.dim), dtype=np.float32)
        filled = np.flatnonzero(np.diff(offsets))
        firsts, ends = offsets[filled], offsets[filled + 1]
        start = 0
        while start < len(filled):
            first = firsts[start]
            stop = max(start + 1, int(np.searchsorted(ends, first + POOL_TOKENS, side="right")))
            part = tokens[first : ends[stop - 1]]
            if len(part) > POOL_TOKENS:
                distinct, repeats = np.unique(part, return_counts=True)
                pooled[filled[start]] = repeats.astype(np.float32) @ self.vectors[distinct]
            else:
                inner = firsts[start:stop] - first
                pooled[filled[start:stop]] = np.add.reduceat(self.vectors[part], inner, axis=0)
            start = stop
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        np.divide(pooled, norms, out=pooled, where=norms > 0)
        return pooled

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text, of length 1, or zeros where no token is known."""
        tokens = self.tokenize(texts)
        offsets = np.zeros(len(tokens) + 1, dtype=np.int64)
        np.cumsum([len(ids) for ids in tokens], out=offsets[1:])
        flat = np.concatenate(tokens) if tokens else np.empty(0, dtype=np.uint16)
        return self.pool(flat, offsets)


def wordpiece(vocabulary: dict[str, int]) -> Tokenizer:
    """BERT's uncased tokenizer over a vocabulary, whole: nothing is cut off, padded or added.

    It knows no special tokens, so `[SEP]` in a text is a word in brackets.
    """
    if "[UNK]" not in vocabulary:
        raise ValueError("the vocabulary lacks [UNK]")
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


@cache
def _bundled() -> StaticEmbedder:
    return StaticEmbedder.load(DATA)


def _nearest(cosines: NDArray[np.float32], tokens: NDArray[np.uint32]) -> Likes:
    near = np.flatnonzero(cosines > ALIKE)
    near = near[np.argsort(cosines[near], kind="stable")]
    return tokens[near], cosines[near]
