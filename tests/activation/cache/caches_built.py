"""Models and texts for the tests of caches, and small policies that stand for what others ask of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

import torch
from models_built import FAMILIES, build, tokens
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from mnemos.activation.cache import Look, MemoryCache, Oracle, Policy, Random, Shown, StreamingLLM
from mnemos.activation.cache.policy import POLICIES, read_policy

ALL = ("llama", "qwen2", "qwen2 sliding", "qwen3", "mistral", "gemma", "gemma2", "gemma3", "phi3", "gpt-neox")
LONG, SHORT = 13, 7
"""Tokens of the two texts of a batch."""


class Heavy(Policy):
    """Keeps what got most attention so far, and the later half of its room: needs all weights."""

    looks = None
    marks: ClassVar = {"got": 0.0}

    def look(self, look: Look) -> Mapping[str, Tensor]:
        return {"got": look.marks["got"] + look.weights.sum(2)}

    def scores(self, shown: Shown) -> Tensor:
        return shown.mark("got").masked_fill(shown.latest((shown.room + 1) // 2), torch.inf)


class Watched(Policy):
    """Keeps what the last three queries of a text looked at, and decides once: needs the last weights."""

    looks = 3
    marks: ClassVar = {"got": 0.0}

    def look(self, look: Look) -> Mapping[str, Tensor]:
        return {"got": look.weights.sum(2)}

    def due(self, shown: Shown) -> Tensor:
        return shown.prefill

    def scores(self, shown: Shown) -> Tensor:
        return shown.mark("got").masked_fill(shown.latest(3), torch.inf)


class Near(Policy):
    """Keeps what lies nearest to the mean query of a text: needs the queries."""

    queries = True

    def due(self, shown: Shown) -> Tensor:
        return shown.prefill

    def scores(self, shown: Shown) -> Tensor:
        assert shown.queries is not None
        heads = shown.keys.shape[1]
        said = (shown.at >= 0)[:, None, :, None]
        mean = (shown.queries * said).sum(2) / said.sum(2).clamp_min(1)
        wanted = mean.view(len(mean), heads, -1, mean.shape[-1]).mean(2)
        return (shown.keys * wanted[:, :, None]).sum(-1)


class Lopsided(Policy):
    """Lets other tokens go in each head, also where there is room: heads come to hold different numbers."""

    prunes = True

    def scores(self, shown: Shown) -> Tensor:
        heads = torch.arange(2, 2 + shown.positions.shape[1])[None, :, None]
        old = shown.age() > 3
        return shown.positions.float().masked_fill((shown.positions % heads == 0) & old, -torch.inf)


OWN: dict[str, Callable[[], Policy]] = {
    "heavy": Heavy,
    "watched": Watched,
    "near": Near,
    "given positions": lambda: Oracle([0, 3, 4]),
    "other lots": lambda: Random(3),
    "sinks in place": lambda: StreamingLLM(2, close=False),
}
EVERY = (*sorted(POLICIES), *OWN)
"""Every policy that is known by name, and those of these tests."""


def policy(name: str) -> Policy:
    """A policy by its name."""
    return OWN[name]() if name in OWN else read_policy(name)


@cache
def model(name: str) -> PreTrainedModel:
    """A tiny model of a family; tests leave it as it is."""
    return build(FAMILIES[name]())


def memory(name: str, kind: str | Policy, budget: float = 1.0, **more: Any) -> MemoryCache:
    """An empty cache of a model."""
    return MemoryCache(model(name), policy(kind) if isinstance(kind, str) else kind, budget, **more)


def said(model: PreTrainedModel, ids: Tensor, cache: Any = None, steps: int = 4, mask: Tensor | None = None) -> Tensor:
    """Scores of what a model says greedily after texts, [texts, steps, vocabulary]."""
    mask = torch.ones_like(ids) if mask is None else mask
    out = model.generate(
        ids,
        attention_mask=mask,
        past_key_values=DynamicCache(config=model.config) if cache is None else cache,
        max_new_tokens=steps,
        min_new_tokens=steps,
        do_sample=False,
        return_dict_in_generate=True,
        output_logits=True,
    )
    return torch.stack(out.logits, 1)


def batch(left: bool = True) -> tuple[Tensor, Tensor]:
    """Two texts, the shorter one filled up, and their mask."""
    long, short = tokens(LONG, 1), tokens(SHORT, 2)
    fill = torch.full((LONG - SHORT,), 2)
    row = torch.cat([fill, short] if left else [short, fill])
    ids = torch.stack([long, row])
    mask = torch.ones_like(ids)
    mask[1] = (torch.arange(LONG) >= LONG - SHORT if left else torch.arange(LONG) < SHORT).long()
    return ids, mask


def texts() -> list[Tensor]:
    """The two texts of the batch, each alone, [1, tokens]."""
    return [tokens(LONG, 1)[None], tokens(SHORT, 2)[None]]
