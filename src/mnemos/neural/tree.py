"""States as trees of tensors: visit every tensor, or make the same tree of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor

from mnemos.errors import InvalidInput
from mnemos.neural.memory import State


def mapped(change: Callable[..., Tensor], state: State, *others: State) -> State:
    """The same tree with every tensor changed; what is None stays None, and nothing is changed in place.

    Args:
        change: gets a tensor, and those at its place in the others.
        state: a tree.
        others: trees of the same build.

    Raises:
        InvalidInput: the tree holds something other than tensors, None, tuples, lists, dicts and dataclasses.
    """
    if state is None or isinstance(state, Tensor):
        return None if state is None else change(state, *others)
    if isinstance(state, Mapping):
        return {name: mapped(change, part, *(one[name] for one in others)) for name, part in state.items()}
    if isinstance(state, tuple | list):
        parts = [mapped(change, *ones) for ones in zip(state, *others, strict=True)]
        made: Any = type(state)
        return made(*parts) if hasattr(state, "_fields") else made(parts)
    if is_dataclass(state) and not isinstance(state, type):
        names = [one.name for one in fields(state)]
        trees = (state, *others)
        return replace(state, **{name: mapped(change, *(getattr(one, name) for one in trees)) for name in names})
    raise InvalidInput(
        "state", f"{type(state).__name__} is no part of a state", "give what start, step or forward gave"
    )


def tensors(state: State) -> list[Tensor]:
    """The tensors of a tree, in its order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(note, state)
    return found
