"""Small models that the benchmark trains itself, kept in a folder so that each is trained once on a machine.

No pretrained weights are needed, and every figure can be made again from a seed. The folder is `$MNEMOS_BENCH_CACHE`,
or `mnemos/bench` in the user's cache folder; a model's name in it is a hash of its recipe and of the versions that made
it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mnemos.bench.forms import school
from mnemos.bench.forms.recipes import Recipe
from mnemos.bench.forms.school import SCHOOL, School
from mnemos.bench.forms.training import Tell, learn
from mnemos.bench.forms.words import tokenizer

BUNDLED = Path(__file__).with_name("school.safetensors")
"""The small language model as it was trained once."""


class Known(Protocol):
    """What is needed to find a model again."""

    @property
    def key(self) -> str:
        """Of its file."""
        ...

    def config(self) -> LlamaConfig:
        """Of the model."""
        ...


def folder() -> Path:
    """Where trained models are kept."""
    own = os.environ.get("MNEMOS_BENCH_CACHE")
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(caches, "mnemos", "bench")


def trained(recipe: Recipe, tell: Tell | None = None) -> LlamaForCausalLM:
    """A model made by a recipe, from the folder if it is there, in evaluation mode.

    Args:
        recipe: how it is made; one that it starts from is kept too.
        tell: told of every step of a training.

    Raises:
        NotLearned: it did not learn its task.
    """
    return kept(recipe, lambda: learn(recipe, trained(recipe.start, tell) if recipe.start else None, tell))


def schooled(at: School = SCHOOL, tell: school.Tell | None = None) -> LlamaForCausalLM:
    """A small language model that knows 2,000 facts and reads others, from the folder if it is there.

    Its tokenizer is `words.tokenizer()`.

    Raises:
        NotLearned: it did not learn enough.
    """
    return kept(at, lambda: school.learn(at, trained(at.start), tell))


def kept(known: Known, make: Callable[[], LlamaForCausalLM]) -> LlamaForCausalLM:
    """A model from the folder, in evaluation mode; made, and laid into it, if it is not there."""
    path = folder() / f"{known.key}.safetensors"
    if path.is_file():
        model = LlamaForCausalLM(known.config())
        model.load_state_dict(load_file(path))
        model.train(False)
        return model
    model = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as making:
        made = Path(making, path.name)
        save_file(model.state_dict(), made)
        made.replace(path)
    return model


def bundled() -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The model of `schooled` that comes with Mnemos, rounded to 16 bits to be stored, and its tokenizer.

    Nothing is trained: for examples and for tests.
    """
    model = LlamaForCausalLM(SCHOOL.config())
    model.load_state_dict({name: weight.float() for name, weight in load_file(BUNDLED).items()})
    model.train(False)
    return model, tokenizer()


def bundle(model: LlamaForCausalLM, path: Path = BUNDLED) -> None:
    """Store a model as the one that `bundled` gives."""
    save_file({name: weight.half() for name, weight in model.state_dict().items()}, path)
