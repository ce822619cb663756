"""What each storage type of a block takes, and what it loses: in keys and values, in logits, and in answers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from mnemos.activation.blocks import Block
from mnemos.activation.quantising import STORAGES, Storage
from mnemos.bench.forms.fixtures import trained
from mnemos.bench.forms.recipes import Recipe
from mnemos.bench.forms.shelf import Reader, Shelf
from mnemos.bench.forms.tasks import draw, right
from mnemos.bench.reuse_report import Stored


@dataclass(frozen=True, slots=True)
class Case:
    """A model, texts in parts, and a question after each."""

    name: str
    reader: Reader
    parts: Sequence[Sequence[Tensor]]
    """Of each text, the ids of its blocks."""
    questions: Tensor
    """Token ids, [texts, tokens]."""
    learned: bool = False
    """Whether questions are as in `tasks`, and the model has learned to answer them."""

    @classmethod
    def of_nothing(cls, reader: Reader, block: int, seed: int) -> Case:
        """Two blocks of random tokens, and 64 more, for a model with random weights."""
        size, generator = reader.model.config.vocab_size, torch.Generator().manual_seed(seed)
        text = torch.randint(size, (2 * block,), generator=generator)
        return cls(
            "random weights", reader, [torch.split(text, block)], torch.randint(size, (1, 64), generator=generator)
        )

    @classmethod
    def of_task(cls, recipe: Recipe, texts: int, seed: int) -> Case:
        """Texts of a task in one block each, for a model that has learned it."""
        drawn = draw(recipe.task, texts, recipe.stages[-1], torch.Generator().manual_seed(seed))
        reader = Reader(trained(recipe))
        return cls(recipe.name, reader, [[read] for read in drawn.read], drawn.asked, learned=True)


def losses(case: Case) -> list[Stored]:
    """What each storage type takes and loses in a case."""
    blocks = [case.reader.encode(parts) for parts in case.parts]
    exact = _logits(case, blocks)
    return [_loss(case, storage, blocks, exact) for storage in STORAGES]


def _loss(case: Case, storage: Storage, blocks: Sequence[Sequence[Block]], exact: Tensor) -> Stored:
    fingerprint = case.reader.fingerprint()
    with tempfile.TemporaryDirectory(prefix="mnemos-bench-") as folder:
        shelves = [Shelf(Path(folder, str(number)), own, storage) for number, own in enumerate(blocks)]
        again = [shelf.load(fingerprint) for shelf in shelves]
        logits = _logits(case, again)
        pairs = list(zip(chain.from_iterable(again), chain.from_iterable(blocks), strict=True))
        return Stored(
            case.name,
            storage,
            round(sum(shelf.bytes for shelf in shelves) / sum(len(one) for _, one in pairs), 1),
            _far([(new.layers[at][0], old.layers[at][0]) for new, old in pairs for at in range(len(old.layers))]),
            _far([(new.layers[at][1], old.layers[at][1]) for new, old in pairs for at in range(len(old.layers))]),
            _far([(logits, exact)]),
            round(float((logits.argmax(-1) == exact.argmax(-1)).float().mean()), 4),
            round(float(right(logits, case.questions).float().mean()), 4) if case.learned else None,
        )


def _logits(case: Case, texts: Sequence[Sequence[Block]]) -> Tensor:
    """After every token of every question, [texts, tokens, vocabulary]."""
    told = []
    for blocks, question in zip(texts, case.questions, strict=True):
        cache = case.reader.joined(blocks, 0.0, len(question))
        told.append(case.reader.answer(cache, question, len(question)).cpu())
    return torch.stack(told)


def _far(pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Root mean square of the differences, as a part of that of the second of each pair."""
    apart = sum(float((new.float().cpu() - old.float().cpu()).square().sum()) for new, old in pairs)
    whole = sum(float(old.float().square().sum()) for _, old in pairs)
    return float(f"{(apart / whole) ** 0.5:.3g}")
