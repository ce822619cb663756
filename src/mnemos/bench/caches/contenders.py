"""Which caches are measured: every registered policy, and the ends, with settings that suit texts of a hundred tokens.

The defaults of policies are made for prompts of thousands of tokens. A window of 32 would be a third of these texts.
Sentinels need a model that was trained with them; that this one was not is part of what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LlamaForCausalLM

from mnemos.activation.cache import KIVI, AdaKV, PyramidKV, WKVQuant
from mnemos.activation.cache.budgets import Spread
from mnemos.activation.cache.held import Storing
from mnemos.activation.cache.policies import Oracle
from mnemos.activation.cache.policy import POLICIES, Policy
from mnemos.activation.cache.quantisers.wkvquant import Smoothing
from mnemos.activation.cache.reading import Retrieval
from mnemos.bench.caches.tasks import TASKS
from mnemos.bench.caches.texts import CLOSE, OPEN, Texts, draw
from mnemos.bench.kv_report import ENDS

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "random": {"by_row": True},
    "snapkv": {"window": 8, "pool": 3},
    "scissorhands": {"history": 16, "recent": 4},
    "expected": {"future": 32},
    "lazy": {"window": 8, "threshold": 0.01},
    "sentinels": {"opens": OPEN, "closes": CLOSE},
    "tim": {"opens": [OPEN], "closes": [CLOSE], "pending": 0},
    "cam": {"window": 8},
    "em-llm": {"window": 32, "least": 2, "most": 4, "vectors": 1},
    "actqkv": {"size": 4},
    "longmem": {"size": 2},
}
SPREAD: Mapping[str, Callable[[], Spread]] = {
    "snapkv + PyramidKV": lambda: PyramidKV(window=8),
    "snapkv + Ada-KV": AdaKV,
}
STORINGS: Mapping[str, Callable[[LlamaForCausalLM], Storing]] = {
    "int8": lambda model: KIVI(8, residual=32),
    "int4": lambda model: KIVI(4, residual=32),
    "WKVQuant int8": lambda model: WKVQuant(8, _smoothing(model)),
    "WKVQuant int4": lambda model: WKVQuant(4, _smoothing(model)),
}
"""KIVI with 32 exact tokens, not 128: else little of texts so short would be coded at all."""
FITTED_ON = 4
"""Texts of each task from which WKVQuant takes the channels of the model; other ones than are asked about."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy, and how room is shared out under it."""

    name: str
    policy: str
    """Its registered name."""
    spread: Callable[[], Spread] | None = None

    def make(self) -> Policy:
        """As it comes, for long texts."""
        return POLICIES[self.policy]()

    def made_for(self, texts: Texts, model: LlamaForCausalLM) -> Policy:
        """For these texts, which the oracle has read before."""
        if self.policy == Oracle.name:
            return Oracle.foreseeing(model, texts.whole, texts.prompt.shape[1])
        return POLICIES[self.policy](**SETTINGS.get(self.policy, {}))

    @property
    def settings(self) -> str:
        """How it is set here, in words."""
        return ", ".join(f"{name}={value}" for name, value in SETTINGS.get(self.policy, {}).items())


def contenders() -> list[Contender]:
    """Every policy that is registered, the ends first, and SnapKV with other ways to share out room."""
    names = [*ENDS, *sorted(name for name in POLICIES if name not in ENDS)]
    plain = [Contender(name, name) for name in names]
    at = next(number for number, one in enumerate(plain) if one.name == "snapkv") + 1
    spread = [Contender(name, "snapkv", made) for name, made in SPREAD.items()]
    return [*plain[:at], *spread, *plain[at:]]


def reads(name: str) -> bool:
    """Whether a policy lets nothing go, and reads a part."""
    return isinstance(POLICIES[name](), Retrieval)


def _smoothing(model: LlamaForCausalLM) -> Smoothing:
    generator = torch.Generator().manual_seed(1)
    return Smoothing.fitted(
        model, [text for shape in TASKS.values() for text in draw(shape, FITTED_ON, generator).whole]
    )
