"""Blocks of one text on disk, and a model that goes on from them: what `bench reuse` times and compares."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.blocks import Block, read_block
from mnemos.activation.files import load, save
from mnemos.activation.fingerprint import Fingerprint, fingerprint_of
from mnemos.activation.models import Decoder, Layers
from mnemos.activation.quantising import Storage
from mnemos.activation.repair import repair


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

    def joined(self, blocks: Sequence[Block], share: float) -> tuple[Layers, float]:
        """Keys and values of a text from its blocks, and what was read again."""
        ids = torch.cat([block.ids for block in blocks])
        places, device = torch.arange(len(ids), device=self.decoder.device), self.decoder.device
        layers: Layers = []
        for number in range(len(blocks[0].layers)):
            keys = torch.cat([block.layers[number][0].to(device) for block in blocks], 1)
            values = torch.cat([block.layers[number][1].to(device) for block in blocks], 1)
            layers.append((keys, values))
        layers = self.decoder.placed(layers, places, len(ids))
        done = repair(self.decoder, layers, ids.to(device), len(blocks[0]), share)
        return done.layers, done.cost

    @torch.no_grad()
    def answer(self, layers: Layers, question: Tensor, last: int = 1) -> Tensor:
        """Logits after the last tokens of a question that follows a text, [last, vocabulary]."""
        start = layers[0][0].shape[1]
        places = torch.arange(start, start + len(question), device=self.decoder.device)[None]
        asked = question[None].to(self.decoder.device)
        cache = self.decoder.cache(layers)
        told = self.model(input_ids=asked, past_key_values=cache, position_ids=places, logits_to_keep=last)
        logits: Tensor = told.logits[0]
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
            with path.open("rb") as file:
                os.fsync(file.fileno())

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
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
