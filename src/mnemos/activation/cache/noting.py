"""What tokens come to carry, and what those that go leave behind, as a policy wants it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

from mnemos.activation.cache.held import NOWHERE, Exact, Held
from mnemos.activation.cache.policy import Arrived, Look, Policy, Shown
from mnemos.errors import InvalidInput


class Noted:
    """What a policy notes while queries look.

    Args:
        policy: that notes.
        layer: its number.
        window: how far the layer looks back; None: over all.
        held: what they look at.
        positions: of that, [rows, heads, held].
    """

    def __init__(self, policy: Policy, layer: int, window: int | None, held: Held, positions: Tensor) -> None:
        self.held = held
        self._policy, self._layer, self._window, self._positions, self._first = policy, layer, window, positions, True

    def __call__(self, weights: Tensor, at: Tensor) -> None:
        """Let the policy see some weights."""
        with torch.no_grad():
            marks = {name: self.held.shaped(mark) for name, mark in self.held.marks.items()}
            look = Look(self._layer, weights, at, self._positions, marks, self._first, self._window)
            self._first = False
            self.held = self.held.marked(self._policy.look(look))


def told(model: PreTrainedModel, cache: Cache) -> None:
    """Have the layers of a cache know which tokens are being read, until the cache is gone."""
    mine = weakref.ref(cache)

    def before(module: Any, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        owner = mine()
        if owner is None or id(given.get("past_key_values")) != id(owner):
            return
        layers: list[Any] = list(owner.layers)
        for layer in layers:
            layer.ids = given.get("input_ids", args[0] if args else None)

    handle = model.base_model.register_forward_pre_hook(before, with_kwargs=True)
    weakref.finalize(cache, handle.remove)


def arrived(held: Held, at: Tensor) -> Arrived:
    """What is held, as a policy is shown it before anything looks.

    Args:
        held: the new tokens included.
        at: the position of each of them, [rows, new]; -1: padding.
    """
    marks = {name: held.shaped(mark) for name, mark in held.marks.items()}
    return Arrived(held.shaped(held.positions, NOWHERE), at, marks)


def limited(policy: Policy, held: Held, at: Tensor) -> Callable[[slice], Tensor] | None:
    """To what some of the new tokens are limited, [rows, heads, some, held]; None: to nothing less than their past.

    Not for all at once, which would be a square of a long text.
    """
    all_new = arrived(held, at)
    if not policy.tokens or policy.allowed(replace(all_new, at=at[:, :0])) is None:
        return None

    def only(part: slice) -> Tensor:
        found = policy.allowed(replace(all_new, at=at[:, part]))
        assert found is not None
        return found

    return only


def carrying(held: Held, ids: Tensor | None, at: Tensor, policy: Policy) -> Held:
    """With new tokens that carry their numbers, and what the policy notes of that.

    Args:
        held: the new tokens included, which are the last of each head.
        ids: their numbers in the vocabulary, [rows, new].
        at: the position of each, [rows, new]; -1: padding.
        policy: that wants to know.

    Raises:
        InvalidInput: the model was given vectors, which are no tokens.
    """
    if ids is None:
        raise InvalidInput("inputs_embeds", "are no tokens, by which the policy decides", "give input_ids")
    marks = held.shaped(held.marks["token"]).clone()
    for row, real in enumerate(at.cpu() != NOWHERE):
        own, ends = ids[row][real.to(ids.device)], held.counts[row].tolist()
        for head, end in enumerate(ends):
            marks[row, head, end - len(own) : end] = own.to(marks)
    held = held.marked({"token": marks})
    return held.marked(policy.arrive(arrived(held, at.to(marks.device))))


def merged(policy: Policy, shown: Shown, held: Held, left: Held) -> Held:
    """What is left, with values that have taken in those of what goes.

    Args:
        policy: that says how.
        shown: what was held.
        held: the same.
        left: what stays of it.
    """
    wide = int(shown.seen.max())
    is_left = torch.zeros(held.counts.numel() * wide, dtype=torch.bool, device=held.positions.device)
    is_left[_named(left, wide)] = True
    stays = is_left[_named(held, wide)]
    index, values = policy.merged(shown, held.shaped(stays, False))
    assert isinstance(left.values, Exact)
    return replace(left, values=left.values.changed((stays.cumsum(0) - 1)[index], values))


def _named(held: Held, wide: int) -> Tensor:
    """A number for each token that no other of any head has, [tokens]; positions are below `wide`."""
    lists = torch.arange(held.counts.numel()).repeat_interleave(held.counts.flatten())
    return lists.to(held.positions.device) * wide + held.positions
