"""States as trees of tensors: visit every tensor, or make the same tree of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor

from mnemos.errors import InvalidInput
from mnemos.neural.memory import State


def mapped(change: Callable[[Tensor], Tensor], state: State) -> State:
    """The same tree with every tensor changed; what is None stays None, and nothing is changed in place.

    Raises:
        InvalidInput: the tree holds something other than tensors, None, tuples, lists, dicts and dataclasses.
    """
    if state is None or isinstance(state, Tensor):
        return None if state is None else change(state)
    if isinstance(state, Mapping):
        return {name: mapped(change, part) for name, part in state.items()}
    if isinstance(state, tuple | list):
        parts = [mapped(change, part) for part in state]
        made: Any = type(state)
        return made(*parts) if hasattr(state, "_fields") else made(parts)
    if is_dataclass(state) and not isinstance(state, type):
        return replace(state, **{one.name: mapped(change, getattr(state, one.name)) for one in fields(state)})
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
