"""Trains a small model by its recipe, from easy to hard, always the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from mnemos.bench.forms.recipes import Recipe
from mnemos.bench.forms.tasks import draw
from mnemos.errors import MnemosError

WARM_UP = 50
"""Steps over which the learning rate rises."""
MEMORY = 0.95
"""How much of the running loss stays at each step."""
UNKNOWN = 5.0
"""The running loss at the start of a stage."""

Tell = Callable[[int, int, float], None]
"""Told at every step: the step, pairs in a text, and the running loss."""


class NotLearned(MnemosError):
    """A model did not learn its task in as many steps as its recipe gives it."""


def learn(recipe: Recipe, start: LlamaForCausalLM | None = None, tell: Tell | None = None) -> LlamaForCausalLM:
    """A model that has learned its task, in evaluation mode. One thread; the caller's random state stays.

    Args:
        recipe: how.
        start: what the recipe starts from, if it does; it is not changed.
        tell: told of every step.

    Raises:
        NotLearned: it took too long.
    """
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = grown(start, recipe.config()) if start else LlamaForCausalLM(recipe.config())
        _train(model, recipe, tell)
    model.train(False)
    return model


@contextmanager
def one_thread() -> Iterator[None]:
    """Two threads are many times slower than one where something else runs, and add up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def grown(small: LlamaForCausalLM, config: LlamaConfig) -> LlamaForCausalLM:
    """A deeper model made of a shallower one: every layer several times in a row.

    A model this deep and narrow does not find out by itself what is asked. One that repeats the layers of another is
    wrong at first, and finds back in a few hundred steps (Gong et al. 2019, "Efficient Training of BERT by
    Progressively Stacking").
    """
    large = LlamaForCausalLM(config)
    old, new = small.model.layers, large.model.layers
    for number, layer in enumerate(new):
        layer.load_state_dict(old[number * len(old) // len(new)].state_dict())
    for part in ("embed_tokens", "norm"):
        getattr(large.model, part).load_state_dict(getattr(small.model, part).state_dict())
    large.lm_head.load_state_dict(small.lm_head.state_dict())
    return large


def _train(model: LlamaForCausalLM, recipe: Recipe, tell: Tell | None) -> None:
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=0.0)
    stage = 0 if recipe.start is None else len(recipe.stages) - 1
    running, falling = UNKNOWN, 0
    for step in range(recipe.most):
        optimiser.param_groups[0]["lr"] = recipe.rate * min(1.0, (step + 1) / WARM_UP) * (1 - falling / recipe.settling)
        passes = max(1, recipe.questions // recipe.stages[stage])
        texts = draw(recipe.task, recipe.batch, recipe.stages[stage], generator, passes)
        loss = model(input_ids=texts.whole, labels=texts.labels()).loss
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        running = MEMORY * running + (1 - MEMORY) * loss.item()
        if tell:
            tell(step, recipe.stages[stage], running)
        last = stage == len(recipe.stages) - 1
        if not last and running < recipe.passed:
            stage, running = stage + 1, UNKNOWN
        elif falling or (last and running < recipe.learned):
            falling += 1
        if falling == recipe.settling:
            return
    raise NotLearned(f"{recipe.name}: the loss is {running:.2f} after {recipe.most} steps")
