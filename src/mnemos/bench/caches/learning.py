"""How the model that is asked learns its tasks: one small Llama for all, at first without filler, then with more."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import transformers
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from mnemos.bench.caches.tasks import TASKS
from mnemos.bench.caches.texts import VOCABULARY, Shape, draw
from mnemos.bench.forms.fixtures import kept, trained
from mnemos.bench.forms.recipes import UPDATE_3, Recipe
from mnemos.bench.forms.training import MEMORY, UNKNOWN, WARM_UP, NotLearned, Tell, one_thread

FORMAT = 2
"""Changes when the same course would give other weights."""


@dataclass(frozen=True, slots=True)
class Course:
    """All that decides about the weights of the model. Two equal ones make the same on the same machine."""

    start: Recipe = UPDATE_3
    """The model that it begins as: one that has learned that the last value counts."""
    tasks: tuple[str, ...] = ("update", "recall", "update", "needles", "again", "lists", "update", "stream")
    """The shapes of which it is given texts, in turn."""
    filler: tuple[float, ...] = (0.0, 0.25, 1.0)
    """The share of each shape's filler, stage by stage."""
    batch: int = 32
    rate: float = 1.5e-3
    """Learning rate of AdamW, after a warm-up."""
    passed: float = 0.3
    """The running loss of every task below which the next stage begins."""
    learned: float = 0.1
    """That of the last stage at which the learning rate begins to fall to nothing."""
    settling: int = 800
    """Steps over which it falls."""
    most: int = 4000
    """Steps before it is given up."""
    seed: int = 0

    @property
    def key(self) -> str:
        """16 hexadecimal digits: equal where course, shapes and versions are."""
        made: dict[str, Any] = {"format": FORMAT, "course": asdict(self)}
        made |= {"shapes": [asdict(TASKS[name]) for name in self.tasks]}
        made |= {"torch": torch.__version__, "transformers": transformers.__version__}
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16]

    def config(self) -> LlamaConfig:
        """Of the model."""
        config = self.start.config()
        config.vocab_size = VOCABULARY
        config.max_position_embeddings = 512
        return config


COURSE = Course()


def reader(course: Course = COURSE, tell: Tell | None = None) -> LlamaForCausalLM:
    """The model, from the folder of the small models if it is there, in evaluation mode.

    Raises:
        NotLearned: it did not learn its tasks.
    """
    return kept(course, lambda: learn(course, trained(course.start, tell), tell))


def learn(course: Course, start: LlamaForCausalLM, tell: Tell | None = None) -> LlamaForCausalLM:
    """A model that has learned the tasks, in evaluation mode. One thread; the caller's random state stays.

    Args:
        course: how.
        start: what it begins as; it is not changed.
        tell: told of every step: the step, the stage from 0, and the highest running loss of a task.

    Raises:
        NotLearned: it took too long.
    """
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        model = _with_more_words(start, course.config())
        _train(model, course, tell)
    model.train(False)
    return model


@torch.no_grad()
def _with_more_words(small: LlamaForCausalLM, config: LlamaConfig) -> LlamaForCausalLM:
    """The same model with a larger vocabulary."""
    large = LlamaForCausalLM(config)
    old = small.state_dict()
    for name, weight in large.state_dict().items():
        weight[: len(old[name])].copy_(old[name])
    return large


def _train(model: LlamaForCausalLM, course: Course, tell: Tell | None) -> None:
    generator = torch.Generator().manual_seed(course.seed + 1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=course.rate, weight_decay=0.0)
    running = dict.fromkeys(course.tasks, UNKNOWN)
    stage, falling, last = 0, 0, len(course.filler) - 1
    for step in range(course.most):
        optimiser.param_groups[0]["lr"] = course.rate * min(1.0, (step + 1) / WARM_UP) * (1 - falling / course.settling)
        task = course.tasks[step % len(course.tasks)]
        texts = draw(_thinned(TASKS[task], course.filler[stage]), course.batch, generator)
        loss = model(input_ids=texts.whole, labels=texts.labels).loss
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        running[task] = _RUNNING * running[task] + (1 - _RUNNING) * loss.item()
        worst = max(running.values())
        if tell:
            tell(step, stage, worst)
        if falling or (stage == last and worst < course.learned):
            falling += 1
        elif stage < last and worst < course.passed:
            stage, running = stage + 1, dict.fromkeys(course.tasks, UNKNOWN)
        if falling == course.settling:
            return
    raise NotLearned(f"the highest loss is {worst:.2f} after {course.most} steps")


_RUNNING = MEMORY**4
"""Each of the tasks comes once in several steps."""


def _thinned(shape: Shape, share: float) -> Shape:
    return replace(shape, filler=int(shape.filler * share))
