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
class Call:
    """One call of a model."""

    real: Tensor
    """Which of its tokens are no padding, [rows, tokens], bool."""
    is_first: bool
    """Whether its sequences are met for the first time."""
    made: dict[Condition, Tensor]
    """What was decided about them: for which rows each condition holds, [rows], bool."""


@dataclass(slots=True)
class Calls:
    """Follows the calls of a model."""

    stack: Stack
    now: Call | None = None
    """The call that goes on, or the last one."""
    _known: WeakKeyDictionary[Cache, dict[Condition, Tensor]] = field(default_factory=WeakKeyDictionary)

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
        given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        given = {**given, **given.get("kwargs", {})}
        cache = given.get("past_key_values")
        made = self._known.get(cache) if isinstance(cache, Cache) and cache.get_seq_length() > 0 else None
        real = _real(given, given.get("attention_mask"))
        if made:
            made = {condition: _widened(rows, len(real)) for condition, rows in made.items()}
        self.now = Call(real, made is None, {} if made is None else made)

    def _end(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        parts = output if isinstance(output, tuple) else (getattr(output, "past_key_values", None),)
        for cache in (one for one in parts if isinstance(one, Cache)):
            if self.now is not None:
                self._known[cache] = self.now.made


def _real(given: dict[str, Any], mask: Any) -> Tensor:
    ids = given.get("input_ids")
    seen: Any = given.get("inputs_embeds") if ids is None else ids
    rows, count = seen.shape[:2]
    if mask is None:
        return torch.ones(rows, count, dtype=torch.bool, device=seen.device)
    if not isinstance(mask, Tensor) or mask.dim() != 2 or mask.shape[1] < count:
        problem = "does not say which tokens are padding"
        raise InvalidInput("attention_mask", problem, "give it as [rows, tokens], and a cache that grows")
    return mask[:, -count:].bool()


def _widened(rows: Tensor, count: int) -> Tensor:
    """What was decided about rows, for each of the rows that a cache's were multiplied into."""
    if count % len(rows):
        problem = f"has {count} rows; it was decided about {len(rows)}"
        raise InvalidInput("past_key_values", problem, "begin a new block where rows of a cache are taken out")
    return rows.repeat_interleave(count // len(rows))
