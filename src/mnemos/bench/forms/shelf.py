"""Blocks of one text on disk, and a model that goes on from them: what `bench reuse` times and compares."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.assembled import Assembled
from mnemos.activation.blocks import Block, read_block
from mnemos.activation.files import load, save
from mnemos.activation.fingerprint import Fingerprint, fingerprint_of
from mnemos.activation.joining import Wish, join
from mnemos.activation.models import Decoder
from mnemos.activation.quantising import Storage


class Numbers:
    """The tokenizer of a model whose tokens are no words."""

    def __init__(self, size: int) -> None:
        self._size = size

    def get_vocab(self) -> Mapping[str, int]:
        """Every token by its own number."""
        return {str(number): number for number in range(self._size)}


class Reader:
    """A model that reads texts, keeps them as blocks, and answers after them.

    Args:
        model: on any device.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.decoder = Decoder(model)
        self._tokenizer = Numbers(model.config.vocab_size)

    def fingerprint(self) -> Fingerprint:
        """Of the model as it is now; taken at every use of stored blocks, as a program would."""
        return fingerprint_of(self.model, self._tokenizer)

    def encode(self, parts: Sequence[Tensor]) -> list[Block]:
        """Each part of a text, read alone."""
        fingerprint = self.fingerprint()
        return [read_block(self.decoder, fingerprint, part) for part in parts]

    def joined(self, blocks: Sequence[Block], share: float, following: int) -> Assembled:
        """A text's cache from its blocks, by the way that a `KVMemory` goes.

        Args:
            blocks: of the text, in their order.
            share: what may be read again.
            following: tokens of the question that follows.
        """
        ids, first = torch.cat([block.ids for block in blocks]), len(blocks[0])
        made = join(self.decoder, [block.layers for block in blocks], ids, Wish(share, first, first, following, False))
        cache = Assembled(self.decoder.config, made.layers, ids, before=made.before)
        cache.cost = made.cost
        return cache

    @torch.no_grad()
    def answer(self, cache: Assembled, question: Tensor, last: int = 1) -> Tensor:
        """Logits after the last tokens of a question that follows a text, [last, vocabulary]."""
        asked = cache.following([question.tolist()], self.decoder.device)
        logits: Tensor = self.model(**asked, past_key_values=cache, logits_to_keep=last).logits[0]
        return logits

    @torch.no_grad()
    def read_all(self, text: Tensor, question: Tensor) -> Tensor:
        """Logits after a question, text and question read together, [1, vocabulary]."""
        asked = torch.cat([text, question])[None].to(self.decoder.device)
        logits: Tensor = self.model(input_ids=asked, logits_to_keep=1).logits[0]
        return logits


class Shelf:
    """The files of one text's blocks.

    Args:
        folder: where they are; there is no other file in it.
        blocks: what they hold.
        storage: how.
    """

    def __init__(self, folder: Path, blocks: Sequence[Block], storage: Storage = "full") -> None:
        folder.mkdir(parents=True)
        self.paths = [folder / f"{number}.safetensors" for number in range(len(blocks))]
        for path, block in zip(self.paths, blocks, strict=True):
            save(block, path, storage)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(path.stat().st_size for path in self.paths)

    def load(self, expected: Fingerprint) -> list[Block]:
        """The blocks again."""
        return [load(path, expected) for path in self.paths]

    def cool(self) -> None:
        """Ask the system to hold none of their bytes in its file cache."""
        for path in self.paths:
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
