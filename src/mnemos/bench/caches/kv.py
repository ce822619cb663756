"""Measures what is left of a model's answers when its cache keeps a part, by policy, task and share kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from mnemos.bench import kv_report as report
from mnemos.bench.caches.answers import answers
from mnemos.bench.caches.contenders import STORINGS, contenders, reads
from mnemos.bench.caches.learning import COURSE, reader
from mnemos.bench.caches.speed import STEPS, TOKENS, speeds
from mnemos.bench.caches.tasks import BOOK, TASKS, read_words
from mnemos.bench.caches.texts import Shape, Texts, draw
from mnemos.bench.forms.reuse import SHAPES
from mnemos.bench.forms.reuse import Shape as Size
from mnemos.bench.forms.training import one_thread

STORED_UNDER = ("full", "snapkv")
"""Policies under which ways to keep keys and values in few bits are measured."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    texts: int = 200
    """Of every task."""
    read: int = 40
    """Of them, those from which policies answer that read: they go row by row, and take many times as long."""
    shares: Sequence[float] = (1.0, 0.5, 0.25, 0.12, 0.06)
    tokens: int = TOKENS
    """Behind which tokens are made to time that; 0: nothing is timed."""
    steps: int = STEPS
    size: Size = SHAPES["small"]
    """Of the model that is timed."""
    tasks: Sequence[str] = (*TASKS, BOOK)
    policies: Sequence[str] = ()
    """Only these; none: all."""


FULL = Extent()
QUICK = Extent(texts=20, read=5, shares=(1.0, 0.25, 0.12), tokens=1024, steps=4)


def run(
    extent: Extent = FULL,
    *,
    filler: Sequence[Path] = (),
    seed: int = 0,
    model: LlamaForCausalLM | None = None,
    progress: Progress | None = None,
) -> report.Run:
    """Have every cache answer, and time it.

    Args:
        extent: how much.
        filler: files of text between whose words needles stand; none: that task is left out.
        seed: of texts, of the weights of the model that is timed, and of what is kept by chance.
        model: that answers; None: the one that has learned the tasks, trained if it is not there yet.
        progress: told what is done.
    """
    words, files = read_words(filler) if filler else (None, {})
    asked = model or reader(COURSE, _training(progress))
    with one_thread():
        scores, shapes = _scores(asked, extent, words, seed, progress)
    timed = (
        speeds(
            extent.size,
            tokens=extent.tokens,
            steps=extent.steps,
            only=lambda name: not extent.policies or name in extent.policies,
            seed=seed,
            tell=progress,
        )
        if extent.tokens
        else []
    )
    settings = {one.name: one.settings for one in contenders()}
    readers = [one.name for one in contenders() if reads(one.policy)]
    return report.Run(
        shapes, scores, timed, settings, readers, extent.texts, min(extent.read, extent.texts), seed, files
    )


def _scores(
    model: LlamaForCausalLM, extent: Extent, words: Tensor | None, seed: int, progress: Progress | None
) -> tuple[list[report.Score], dict[str, Mapping[str, int]]]:
    measured = [one for one in contenders() if not extent.policies or one.name in extent.policies]
    tasks = [name for name in extent.tasks if name != BOOK or words is not None]
    drawn = {name: _drawn(name, extent.texts, words, seed) for name in tasks}
    storings = {name: made(model) for name, made in STORINGS.items()}
    found = []
    total, done = len(tasks) * (len(measured) + len(STORINGS)), 0
    for name, (_, texts) in drawn.items():
        for one in measured:
            own = texts.first(extent.read) if reads(one.policy) else texts
            policy = one.made_for(own, model)
            found += [answers(model, name, own, one, share, policy=policy) for share in extent.shares]
            if progress:
                progress(f"{name}: {one.name}", done := done + 1, total)
        for storing in storings.items():
            for one in measured:
                if one.name in STORED_UNDER:
                    share = 1.0 if one.name == "full" else 0.25
                    found.append(answers(model, name, texts, one, share, storing))
            if progress:
                progress(f"{name}: {storing[0]}", done := done + 1, total)
    shapes: dict[str, Mapping[str, int]] = {
        name: {"tokens": shape.tokens, "questions": shape.asked} for name, (shape, _) in drawn.items()
    }
    return found, shapes


def _drawn(name: str, texts: int, words: Tensor | None, seed: int) -> tuple[Shape, Texts]:
    shape = TASKS["needles" if name == BOOK else name]
    generator = torch.Generator().manual_seed(1000 + seed)
    return shape, draw(shape, texts, generator, words if name == BOOK else None)


def _training(progress: Progress | None) -> Callable[[int, int, float], None] | None:
    if progress is None:
        return None
    return lambda step, _, loss: progress(f"training, loss {loss:.2f}", step, COURSE.most)
