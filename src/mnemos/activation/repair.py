"""Blocks that were read apart are joined, and part of the later ones is read again, so that they know the earlier.

What is computed again is chosen as CacheBlend does it (Yao et al. 2024, "CacheBlend: Fast Large Language Model Serving
for RAG with Cached Knowledge Fusion"): the first layers are read again whole, at a check layer the new keys and values
are compared with the stored ones, and only the tokens that changed most go on. Ours is that the check layer keeps its
new keys and values for every token, not for the chosen ones alone: they cost no hidden state, and are exact.

Cost is the share of the later blocks' (token, layer) pairs whose hidden state is computed again, check layers included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mnemos.activation.models import Decoder, Layers

Choose = Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]
"""Which tokens go on: old keys, new keys, old values, new values ([heads, tokens, dimensions]), and how many."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of the later blocks is read again."""

    whole: int
    """Layers, from the first, that are read again for every token."""
    rest: int
    """Tokens that are read again in the layers after those."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """Keys and values after a repair, and what it cost."""

    layers: Layers
    cost: float


def plan(share: float, tokens: int, depth: int) -> Plan:
    """Spend a share of (token, layer) pairs: whole layers first, as far as one in four layers, then chosen tokens.

    The hidden state above the last layer is never needed, so that all is exact at (depth - 1) / depth already.
    """
    last = depth - 1
    if share >= last / depth:
        return Plan(last, 0)
    whole = min(int(share * depth + 1e-9), max(1, depth // 4))
    left = share * depth - whole
    return Plan(whole, min(tokens, int(left * tokens / max(1, last - whole) + 1e-9)))


def most_changed(old_keys: Tensor, keys: Tensor, old_values: Tensor, values: Tensor, count: int) -> Tensor:
    """The tokens whose keys and values at the check layer are furthest from those that were stored."""
    far = _moved(old_keys, keys) + _moved(old_values, values)
    return far.topk(count).indices.sort().values


def cacheblend(old_keys: Tensor, keys: Tensor, old_values: Tensor, values: Tensor, count: int) -> Tensor:
    """CacheBlend's own rule: the tokens whose keys moved most."""
    return (keys.float() - old_keys.float()).square().sum((0, 2)).topk(count).indices.sort().values


def at_random(seed: int) -> Choose:
    """Any tokens; the baseline."""
    generator = torch.Generator().manual_seed(seed)

    def choose(old_keys: Tensor, keys: Tensor, old_values: Tensor, values: Tensor, count: int) -> Tensor:
        return torch.randperm(keys.shape[1], generator=generator)[:count].sort().values.to(keys.device)

    return choose


@torch.no_grad()
def repair(
    decoder: Decoder, layers: Layers, ids: Tensor, first: int, share: float, choose: Choose = most_changed
) -> Repaired:
    """Read part of what begins at `first` again.

    Args:
        decoder: the model that made them.
        layers: keys at their places, and values, of the whole joined text; they are not changed.
        ids: its token ids, [tokens].
        first: where the later blocks begin; what comes before is exact.
        share: the part of the later blocks' (token, layer) pairs that may be computed, 0 to 1.
        choose: which tokens go on after the check layer.
    """
    tokens, depth = len(ids) - first, len(layers)
    chosen = plan(share, tokens, depth)
    if tokens <= 0 or chosen == Plan(0, 0):
        return Repaired(layers, 0.0)
    run = _Run(decoder, [(keys.clone(), values.clone()) for keys, values in layers], first, chosen, choose)
    return Repaired(run.layers, run.go(ids) / (tokens * depth))


class _Done(Exception):
    """Everything that was to be computed is."""


class _Captured(Exception):
    """A layer has made its keys and values; its attention is not needed."""


class _Run:
    """One repair. Hooks narrow what enters each layer to the rows that are computed; it is itself their cache."""

    def __init__(self, decoder: Decoder, layers: Layers, first: int, chosen: Plan, choose: Choose) -> None:
        self.layers = layers
        self._decoder = decoder
        self._first = first
        self._plan = chosen
        self._choose = choose
        self._length = layers[0][0].shape[1]
        self._rows = torch.arange(first, self._length, device=decoder.device)
        self._capturing = False
        self._pairs = 0

    def go(self, ids: Tensor) -> int:
        """Compute; returns how many (token, layer) pairs it took."""
        ids = ids.to(self._decoder.device)
        if self._plan.whole == 0:
            self._rows = self._rows[echoes(ids, self._first, self._plan.rest)]
        hooks = [
            layer.register_forward_pre_hook(self._entering(number), with_kwargs=True)
            for number, layer in enumerate(self._decoder.layers)
        ]
        try:
            with self._decoder.at_rest() as base:
                base(
                    input_ids=ids[self._rows][None],
                    position_ids=self._rows[None],
                    attention_mask=self._decoder.mask(self._rows, self._length, None),
                    past_key_values=self,
                    use_cache=True,
                )
        except _Done:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return self._pairs

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Put the keys and values of the rows that are computed in their places; returns those of all rows."""
        mine, theirs = self.layers[layer]
        mine[:, self._rows], theirs[:, self._rows] = keys[0], values[0]
        if self._capturing:
            raise _Captured
        return mine[None], theirs[None]

    def get_seq_length(self, layer: int = 0) -> int:
        """How many tokens come before those that are computed."""
        return self._first

    def _entering(self, number: int) -> Any:
        """The hook before a layer."""

        def enter(layer: nn.Module, args: tuple[Any, ...], told: dict[str, Any]) -> Any:
            hidden, *others = args
            told = self._told(told, number, hidden.dtype)
            if number == self._plan.whole > 0:
                kept = self._check(layer, hidden, told, number)
                hidden, told = hidden[:, kept], self._told(told, number, hidden.dtype)
            if number == len(self.layers) - 1:
                self._capture(layer, hidden, told)
                raise _Done
            self._pairs += hidden.shape[1]
            return (hidden, *others), told

        return enter

    def _told(self, told: dict[str, Any], number: int, dtype: torch.dtype) -> dict[str, Any]:
        """What a layer is told, for the rows that are computed."""
        kind = self._decoder.layer_types[number]
        angles = self._decoder.rotation.angles(self._rows, self._length, kind)
        return told | {
            "position_ids": self._rows[None],
            "position_embeddings": (angles.cos[None].to(dtype), angles.sin[None].to(dtype)),
            "attention_mask": self._decoder.mask(self._rows, self._length, self._decoder.window(number)),
        }

    def _check(self, layer: nn.Module, hidden: Tensor, told: dict[str, Any], number: int) -> Tensor:
        """Keep a layer's new keys and values for every row, and go on with those rows that changed most.

        Returns:
            Which of the rows go on, by place among them.
        """
        old_keys, old_values = (kept[:, self._first :].clone() for kept in self.layers[number])
        self._capture(layer, hidden, told)
        if self._plan.rest == 0:
            raise _Done
        keys, values = (kept[:, self._first :] for kept in self.layers[number])
        kept = self._choose(old_keys, keys, old_values, values, self._plan.rest)
        self._rows = self._rows[kept]
        return kept

    def _capture(self, layer: nn.Module, hidden: Tensor, told: dict[str, Any]) -> None:
        """Let a layer make the keys and values of its rows, and nothing more."""
        self._capturing = True
        try:
            layer.forward(hidden, **told)
        except _Captured:
            pass
        finally:
            self._capturing = False


def echoes(ids: Tensor, first: int, count: int) -> Tensor:
    """Where nothing can be checked: later tokens whose word, or the word before, was there earlier; then the first.

    Returns:
        Places among the later tokens, ascending.
    """
    seen = torch.isin(ids, ids[:first])
    score = seen[first:].float() + seen[first - 1 : -1].float()
    order = (-score).argsort(stable=True)
    return order[:count].sort().values


def _moved(old: Tensor, new: Tensor) -> Tensor:
    """How far each token moved, in units of the whole layer."""
    far = (new.float() - old.float()).square().sum((0, 2))
    return far / new.float().square().sum((0, 2)).mean().clamp_min(1e-12)
