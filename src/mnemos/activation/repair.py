"""Blocks that were read apart are joined, and part of the later ones is read again, so that they know the earlier.

What is computed again is chosen as CacheBlend does it (Yao et al. 2024, "CacheBlend: Fast Large Language Model Serving
for RAG with Cached Knowledge Fusion"): the first layers are read again whole, at a check layer the new keys and values
are compared with the stored ones, and only the tokens that changed most go on. Ours is that the check layer keeps its
new keys and values for every token, not for the chosen ones alone: they cost no hidden state, and are exact. A `Rule`
says how; CacheBlend's own is there to be compared with.

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


Spend = Callable[[float, int, int], Plan]
"""What is read again for a share, by the later blocks' tokens and the model's layers."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """Keys and values after a repair, and what it cost."""

    layers: Layers
    cost: float


def plan(share: float, tokens: int, depth: int) -> Plan:
    """Spend a share of (token, layer) pairs: whole layers first, as far as one in three, then chosen tokens.

    Whole layers are worth more than chosen tokens: what they make is exact (see `mnemos bench join`). The hidden state
    above the last layer is never needed, so that all is exact at (depth - 1) / depth already.
    """
    last = depth - 1
    if share >= last / depth:
        return Plan(last, 0)
    whole = min(int(share * depth + 1e-9), max(1, depth // 3))
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


def one_layer(share: float, tokens: int, depth: int) -> Plan:
    """Spend a share as CacheBlend does: one whole layer, then chosen tokens; nothing where it is less than a layer."""
    if share * depth < 1 - 1e-9:
        return Plan(0, 0)
    return Plan(1, min(tokens, int((share * depth - 1) * tokens / max(1, depth - 2) + 1e-9)))


@dataclass(frozen=True, slots=True)
class Rule:
    """How a repair spends its share."""

    choose: Choose = most_changed
    """Which tokens go on after the check layer."""
    spend: Spend = plan
    """How many layers and tokens."""
    keeps_all: bool = True
    """Whether the check layer keeps its new keys and values for every token, or for the chosen ones alone."""


OURS = Rule()
CACHEBLEND = Rule(cacheblend, one_layer, keeps_all=False)


@torch.no_grad()
def repair(
    decoder: Decoder, layers: Layers, ids: Tensor, first: int, share: float, rule: Rule = OURS, following: int = 0
) -> Repaired:
    """Read part of what begins at `first` again.

    Args:
        decoder: the model that made them.
        layers: keys at their places, and values, of the whole joined text; they are not changed.
        ids: its token ids, [tokens].
        first: where the later blocks begin; what comes before is exact.
        share: the part of the later blocks' (token, layer) pairs that may be computed, 0 to 1.
        rule: how it is spent.
        following: tokens that will follow at once; matters where frequencies depend on the length of the whole.
    """
    tokens, depth = len(ids) - first, len(layers)
    chosen = rule.spend(share, tokens, depth)
    if tokens <= 0 or chosen == Plan(0, 0):
        return Repaired(layers, 0.0)
    run = _Run(decoder, [(keys.clone(), values.clone()) for keys, values in layers], first, chosen, rule, following)
    return Repaired(run.layers, run.go(ids) / (tokens * depth))


PIECE = 512
"""Rows that go through a layer at once: each piece looks back as far as its own last row, and at nothing after it."""


class _Done(Exception):
    """Everything that was to be computed is."""


class _Captured(Exception):
    """A layer has made its keys and values; its attention is not needed."""


class _Run:
    """One repair. Hooks narrow what enters each layer to the rows that are computed; it is itself their cache."""

    def __init__(self, decoder: Decoder, layers: Layers, first: int, chosen: Plan, rule: Rule, following: int) -> None:
        self.layers = layers
        self._decoder = decoder
        self._first = first
        self._plan = chosen
        self._rule = rule
        self._length = layers[0][0].shape[1]
        self._following = following
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
        for number, layer in enumerate(self._decoder.layers):
            layer.forward = self._in_pieces(number, layer.forward)
        try:
            with self._decoder.at_rest() as base:
                base(
                    input_ids=ids[self._rows][None],
                    position_ids=self._rows[None],
                    attention_mask=self._no_mask,
                    past_key_values=self,
                    use_cache=True,
                )
        except _Done:
            pass
        finally:
            for layer, hook in zip(self._decoder.layers, hooks, strict=True):
                hook.remove()
                del layer.forward
        return self._pairs

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Put the keys and values of the rows that are computed in their places; returns all up to the last of them."""
        mine, theirs = self.layers[layer]
        mine[:, self._rows], theirs[:, self._rows] = keys[0], values[0]
        if self._capturing:
            raise _Captured
        return mine[None, :, : self._end], theirs[None, :, : self._end]

    def get_seq_length(self, layer: int = 0) -> int:
        """How many tokens come before those that are computed."""
        return self._first

    def _entering(self, number: int) -> Any:
        """The hook before a layer."""

        def enter(layer: nn.Module, args: tuple[Any, ...], told: dict[str, Any]) -> Any:
            hidden, *others = args
            if number == self._plan.whole > 0:
                hidden = hidden[:, self._check(layer, hidden, told, number)]
            if number == len(self.layers) - 1:
                self._capture(layer, hidden, told, number)
                raise _Done
            self._pairs += hidden.shape[1]
            return (hidden, *others), told

        return enter

    def _in_pieces(self, number: int, forward: Callable[..., Any]) -> Callable[..., Any]:
        """A layer that reads the rows that are computed piece by piece."""

        def read(hidden: Tensor, *others: Any, **told: Any) -> Any:
            rows, made = self._rows, []
            for start in range(0, len(rows), PIECE):
                self._rows = rows[start : start + PIECE]
                window = self._decoder.window(number)
                mask = self._decoder.mask(self._rows, self._end, window)
                piece = hidden[:, start : start + PIECE]
                made.append(forward(piece, *others, **self._told(told, number, hidden.dtype, mask)))
            self._rows = rows
            return _in_a_row(made)

        return read

    @property
    def _end(self) -> int:
        """The place after the last row that is computed."""
        return int(self._rows[-1]) + 1

    @property
    def _no_mask(self) -> Tensor:
        """Stands where nobody looks at a mask, so that none is made."""
        return torch.zeros(1, 1, 1, 1, dtype=self._decoder.dtype, device=self._decoder.device)

    def _told(self, told: dict[str, Any], number: int, dtype: torch.dtype, mask: Tensor) -> dict[str, Any]:
        """What a layer is told, for the rows that are computed."""
        kind = self._decoder.layer_types[number]
        angles = self._decoder.rotation.angles(self._rows, self._length + self._following, kind)
        return told | {
            "position_ids": self._rows[None],
            "position_embeddings": (angles.cos[None].to(dtype), angles.sin[None].to(dtype)),
            "attention_mask": mask,
        }

    def _check(self, layer: nn.Module, hidden: Tensor, told: dict[str, Any], number: int) -> Tensor:
        """Keep a layer's new keys and values, and go on with those rows that changed most.

        Returns:
            Which of the rows go on, by place among them.
        """
        old_keys, old_values = (kept[:, self._first :].clone() for kept in self.layers[number])
        self._capture(layer, hidden, told, number)
        keys, values = (kept[:, self._first :] for kept in self.layers[number])
        kept = self._rule.choose(old_keys, keys, old_values, values, self._plan.rest)
        if not self._rule.keeps_all:
            left = torch.ones(len(self._rows), dtype=torch.bool, device=keys.device)
            left[kept] = False
            keys[:, left], values[:, left] = old_keys[:, left], old_values[:, left]
        if self._plan.rest == 0:
            raise _Done
        self._rows = self._rows[kept]
        return kept

    def _capture(self, layer: nn.Module, hidden: Tensor, told: dict[str, Any], number: int) -> None:
        """Let a layer make the keys and values of its rows, and nothing more."""
        self._capturing = True
        try:
            type(layer).forward(layer, hidden, **self._told(told, number, hidden.dtype, self._no_mask))
        except _Captured:
            pass
        finally:
            self._capturing = False


def _in_a_row(made: list[Any]) -> Any:
    """What a layer made of some pieces: hidden states, or a tuple that begins with them."""
    if isinstance(made[0], Tensor):
        return made[0] if len(made) == 1 else torch.cat(made, 1)
    return (torch.cat([one[0] for one in made], 1), *made[0][1:])


def echoes(ids: Tensor, first: int, count: int) -> Tensor:
    """Where nothing can be checked: later tokens whose word, or the word before, was there earlier; then the first.

    Returns:
        Places among the later tokens, ascending.
    """
    seen = torch.isin(ids, ids[:first])
    score = seen[first:].float() + torch.nn.functional.pad(seen, (1, 0))[first:-1].float()
    order = (-score).argsort(stable=True)
    return order[:count].sort().values


def _moved(old: Tensor, new: Tensor) -> Tensor:
    """How far each token moved, in units of the whole layer."""
    far = (new.float() - old.float()).square().sum((0, 2))
    return far / new.float().square().sum((0, 2)).mean().clamp_min(1e-12)
