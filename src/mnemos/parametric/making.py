"""Making an adapter: lessons become examples, first weights become an adapter that knows them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peft import LoraConfig
from torch import Tensor

from mnemos.errors import InvalidInput
from mnemos.parametric.course import Course
from mnemos.parametric.examples import Example, examples
from mnemos.parametric.files import Adapter, config_of
from mnemos.parametric.lesson import Lesson
from mnemos.parametric.mounting import Mount, quiet
from mnemos.parametric.training import Material, teach
from mnemos.parametric.watching import watching

NAME = "being-made"
"""Of an adapter while it is made."""
RANK = 16


@dataclass(frozen=True, slots=True)
class Made:
    """An adapter that was trained, and what is to be known of it."""

    config: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    seconds: float
    figures: Mapping[str, float]
    """How training went; no words of memories."""


def make(
    mount: Mount,
    tokenizer: Any,
    lessons: Sequence[Lesson],
    new: Collection[str],
    course: Course,
    begun: Adapter | None = None,
) -> Made:
    """Train an adapter; the model is afterwards what it was.

    Args:
        mount: the model, with nothing on it.
        tokenizer: the model's.
        lessons: of new memories and of older ones.
        new: ids of the new memories.
        course: how to train.
        begun: the adapter to go on from, which knows the older memories.

    Raises:
        InvalidInput: the tokenizer has words for none of the new lessons, or a setting does not fit.
        TrainingFailed: the loss is no number any more.
    """
    material = _material(lessons, tokenizer, new, course)
    config = _config(course) if begun is None else _going_on(course, begun)
    started = time.perf_counter()
    try:
        mount.put_on(NAME, config, seed=course.seed)
        if begun is not None:
            mount.fill(NAME, begun.weights)
        with watching(course.progress, f"learning {len(new)} memories") as watch, quiet(mount.model):
            taught = teach(mount.model, material, course, watch)
        entries, weights = config_of(mount.config(NAME)), mount.weights(NAME)
    finally:
        mount.take_off()
    figures = {
        "rank": entries["r"],
        "lessons": len(material.new),
        "epochs": taught.epochs,
        "steps": taught.steps,
        "loss": round(taught.loss, 6),
        "recalled": taught.recalled,
    }
    return Made(entries, weights, time.perf_counter() - started, figures)


def _material(lessons: Sequence[Lesson], tokenizer: Any, new: Collection[str], course: Course) -> Material:
    """New lessons, older ones, and one lesson of each memory to judge by."""
    fresh: list[Example] = []
    old: list[Example] = []
    probes: dict[str, tuple[bool, Example]] = {}
    for lesson, forms in zip(lessons, examples(lessons, tokenizer, course.longest), strict=True):
        is_new = any(one in new for one in lesson.memories)
        (fresh if is_new else old).extend(forms)
        if forms and (is_new or course.replay):
            for one in lesson.memories:
                if one not in probes or (lesson.is_question and not probes[one][0]):
                    probes[one] = (lesson.is_question, forms[-1])
    if not fresh:
        problem = "say nothing that this tokenizer has words for"
        raise InvalidInput("ids", problem, "give memories with words in the model's language")
    return Material(fresh, old, list(dict.fromkeys(example for _, example in probes.values())))


def _config(course: Course) -> dict[str, Any]:
    rank, targets = course.rank or RANK, course.targets or "all-linear"
    named = targets if isinstance(targets, str) else list(targets)
    alpha: Any = course.alpha or 2 * rank
    return config_of(LoraConfig(r=rank, lora_alpha=alpha, target_modules=named, task_type="CAUSAL_LM"))


def _going_on(course: Course, begun: Adapter) -> dict[str, Any]:
    """The configuration that is gone on with, where nothing else was asked for."""
    targets = sorted(course.targets) if isinstance(course.targets, tuple) else None
    given = {"rank": course.rank, "alpha": course.alpha, "targets": targets}
    for name, key in (("rank", "r"), ("alpha", "lora_alpha"), ("targets", "target_modules")):
        had = begun.config.get(key)
        if given[name] not in (None, had):
            problem = f"differs from that of the adapter that is gone on from ({had})"
            raise InvalidInput(name, problem, "leave it out, or begin with fresh=True")
    return dict(begun.config)
