"""Which sequences a call of a model goes on with, so that what was decided about each is kept while it is written.

A call that goes on with a cache that was met before goes on with its sequences. Any other begins anew: without a cache,
with an empty one, or with one that was filled elsewhere. So nothing has to be reset between two texts, and two
sequences that are written in turns do not disturb each other.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import Cache

from mnemos.activation.steering.conditions import Condition
from mnemos.activation.steering.stack import Stack
from mnemos.errors import InvalidInput


@dataclass(slots=True)
class Followed:
    """What is known of the sequences that are written with one cache."""

    met: Tensor
    """Which rows have had a token of their own, [rows], bool."""
    made: dict[Condition, Tensor] = field(default_factory=dict)
    """What was decided about them: for which rows each condition holds, [rows], bool."""


@dataclass(slots=True)
class Call:
    """One call of a model."""

    mask: Tensor | None
    """Which of its tokens are no padding, [rows, tokens], bool; None where the model does not say."""
    fresh: Tensor
    """Which rows have their first tokens in it, [rows], bool: a shorter one may begin in a later piece of a prompt."""
    state: Followed
    """What is known of its rows."""

    @property
    def real(self) -> Tensor:
        """Which of its tokens are no padding, [rows, tokens], bool.

        Raises:
            InvalidInput: the model does not say.
        """
        if self.mask is None:
            problem = "does not say which tokens are padding"
            raise InvalidInput("attention_mask", problem, "give it as [rows, tokens], and a cache that grows")
        return self.mask

    def decide(self, condition: Condition, hidden: Tensor) -> None:
        """Decide a condition about the rows that have their first tokens here.

        Args:
            condition: of the layer that is passed.
            hidden: what the layer put out, [rows, tokens, width].
        """
        found = condition.decided(hidden, self.real.to(hidden.device))
        before = self.state.made.get(condition, torch.zeros_like(found)).to(found.device)
        self.state.made[condition] = torch.where(self.fresh.to(found.device), found, before)


@dataclass(slots=True)
class Calls:
    """Follows the calls of a model."""

    stack: Stack
    now: Call | None = None
    """The call that goes on, or the last one."""
    _known: WeakKeyDictionary[Cache, Followed] = field(default_factory=WeakKeyDictionary)
    _forward: inspect.Signature = field(init=False)
    """What the model's layers are called with."""

    def __post_init__(self) -> None:
        self._forward = inspect.signature(self.stack.base.forward)

    @contextmanager
    def followed(self) -> Iterator[Calls]:
        """Within the block calls are followed; afterwards nothing of it is left in the model."""
        hooks = [self.stack.base.register_forward_pre_hook(self._begin, with_kwargs=True)]
        try:
            hooks.append(self.stack.base.register_forward_hook(self._end))
            yield self
        finally:
            for hook in hooks:
                hook.remove()
            self._known.clear()

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = self._forward.bind(*args, **kwargs).arguments
        given = {**given, **given.get("kwargs", {})}
        cache = given.get("past_key_values")
        known = self._known.get(cache) if isinstance(cache, Cache) and cache.get_seq_length() > 0 else None
        rows, count, device = _shape(given)
        mask = _mask(given.get("attention_mask"), rows, count, device)
        own = torch.ones(rows, dtype=torch.bool, device=device) if mask is None else mask.any(1)
        state = Followed(torch.zeros_like(own)) if known is None else _widened(known, rows)
        self.now = Call(mask, own & ~state.met.to(device), state)

    def _end(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        parts = output if isinstance(output, tuple) else (getattr(output, "past_key_values", None),)
        if self.now is not None:
            self.now.state.met = self.now.state.met.to(self.now.fresh.device) | self.now.fresh
            for cache in (one for one in parts if isinstance(one, Cache)):
                self._known[cache] = self.now.state


def _shape(given: dict[str, Any]) -> tuple[int, int, torch.device]:
    ids = given.get("input_ids")
    seen: Any = given.get("inputs_embeds") if ids is None else ids
    return int(seen.shape[0]), int(seen.shape[1]), seen.device


def _mask(mask: Any, rows: int, count: int, device: torch.device) -> Tensor | None:
    if mask is None:
        return torch.ones(rows, count, dtype=torch.bool, device=device)
    if not isinstance(mask, Tensor) or mask.dim() != 2 or mask.shape[1] < count:
        return None
    return mask[:, -count:].bool()


def _widened(known: Followed, rows: int) -> Followed:
    """What is known of rows, for each of the rows that a cache's were multiplied into."""
    if len(known.met) == rows:
        return known
    if rows % len(known.met):
        problem = f"has {rows} rows; it was decided about {len(known.met)}"
        raise InvalidInput("past_key_values", problem, "begin a new block where rows of a cache are taken out")
    times = rows // len(known.met)
    made = {condition: held.repeat_interleave(times) for condition, held in known.made.items()}
    return Followed(known.met.repeat_interleave(times), made)
