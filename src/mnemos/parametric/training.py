"""Teaching lessons to whatever of a model is to be trained: the same seed, the same weights; stops when it knows them.

A lesson counts as recalled where every token of its answer, the end included, is the likeliest one after the right
tokens before it. For greedy generation that is the same as generating the answer word for word, since up to the first
wrong token what was generated is what was right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mnemos.parametric.course import Course, Report
from mnemos.parametric.errors import TrainingFailed
from mnemos.parametric.examples import IGNORED, Example, batch
from mnemos.parametric.watching import Watch

LOWER = 0.99
"""A loss below this share of the best is a new best."""
CLIP = 1.0
"""The longest that a step's gradient may be."""


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of training."""

    epochs: int
    steps: int
    loss: float
    """Of the weights that were kept, over the probes, in nats per token."""
    recalled: float
    """The share of probes that these weights complete word for word."""


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to read."""

    new: Sequence[Example]
    """All of it in every epoch."""
    old: Sequence[Example] = ()
    """Of older memories, from which as many are drawn in each epoch as the course says."""
    probes: Sequence[Example] = ()
    """By which it is judged."""


def teach(model: Any, material: Material, course: Course, watch: Watch) -> Taught:
    """Train every parameter of a model that wants a gradient; leaves it with the best weights seen.

    Args:
        model: a causal language model.
        material: examples of one adapter.
        course: how to train.
        watch: is told after each epoch.

    Raises:
        TrainingFailed: the loss is no number any more.
    """
    weights = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=course.lr, weight_decay=0.0)
    drawn = torch.Generator().manual_seed(course.seed)
    taught = Taught(0, 0, *_judged(model, material.probes, course))
    best, kept, waited, steps = taught.loss, [one.detach().clone() for one in weights], 0, 0
    for epoch in range(1, course.epochs + 1):
        with torch.enable_grad():  # dropout stays off, so that the seed decides everything
            for chosen in _batches(material, course, drawn):
                _step(model, chosen, optimiser, weights)
                steps += 1
                if steps == course.steps:
                    break
        loss, recalled = _judged(model, material.probes, course)
        watch(Report(epoch, course.epochs, steps, loss, recalled))
        waited = 0 if loss < best * LOWER else waited + 1
        if loss < best:
            best, kept = loss, [one.detach().clone() for one in weights]
            taught = Taught(epoch, steps, loss, recalled)
        known = recalled == 1.0 and loss <= course.enough
        if known or waited >= course.patience or steps == course.steps:
            break
    with torch.no_grad():
        for one, value in zip(weights, kept, strict=True):
            one.copy_(value)
            one.grad = None
    return taught


def _batches(material: Material, course: Course, drawn: torch.Generator) -> Iterator[list[Example]]:
    """What is read in an epoch: all that is new, and some of the old, in an order of chance."""
    count = min(len(material.old), math.ceil(course.replay * len(material.new)))
    again = torch.randperm(len(material.old), generator=drawn)[:count].tolist()
    read = [*material.new, *(material.old[at] for at in again)]
    order = torch.randperm(len(read), generator=drawn).tolist()
    for at in range(0, len(order), course.batch):
        yield [read[place] for place in order[at : at + course.batch]]


def _step(model: Any, chosen: Sequence[Example], optimiser: torch.optim.Optimizer, weights: list[Any]) -> None:
    scores, labels = _scores(model, chosen)
    loss = cross_entropy(scores, labels)
    if not torch.isfinite(loss):
        raise TrainingFailed("the loss is no number any more; give a lower lr")
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(weights, CLIP)
    optimiser.step()


@torch.no_grad()
def _judged(model: Any, probes: Sequence[Example], course: Course) -> tuple[float, float]:
    """The loss over probes, in nats per token, and the share of them that is recalled."""
    total, tokens, recalled = 0.0, 0, 0
    for at in range(0, len(probes), course.batch):
        chosen = probes[at : at + course.batch]
        scores, labels = _scores(model, chosen)
        total += float(cross_entropy(scores, labels, reduction="sum"))
        tokens += len(labels)
        right = torch.split(scores.argmax(-1) == labels, [len(one.ids) - one.start for one in chosen])
        recalled += sum(bool(one.all()) for one in right)
    return (total / tokens, recalled / len(probes)) if probes else (0.0, 0.0)


def _scores(model: Any, chosen: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Scores of every token that is learned, [tokens, vocabulary] in float32, and the right ones, [tokens]."""
    ids, mask, labels = batch(chosen, model.device)
    scores = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    asked = labels[:, 1:] != IGNORED
    return scores[asked].float(), labels[:, 1:][asked]
