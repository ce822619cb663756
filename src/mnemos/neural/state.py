"""What a layer has read, kept: saved, loaded, forked, reset, and held by a store as an artifact of memories.

A file is one safetensors: the tensors by their place in the state, and in the header how they are put together and the
digest of the layer, since a state means nothing to other weights. Nothing in it is executed: the kinds of tuple in it
are looked up among those that the layer itself makes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mnemos.errors import InvalidInput, MnemosError, NotFound
from mnemos.neural.memory import MemoryLayer, State
from mnemos.neural.tree import mapped, tensors
from mnemos.records import Memory
from mnemos.store.artifact_rows import Artifact
from mnemos.store.artifacts import Artifacts

KIND = "mnemos.neural.state.1"
"""What a file says that it is; the number changes with the layout."""
RECIPE = "neural-state"
"""Of artifacts that are made here."""
PASSING = ("training", "size", "name_or_path")
"""Settings that do not change what a state means."""
Skeleton = dict[str, Any]


class StateDamaged(MnemosError):
    """A file is missing, cut off, or no state; read the memories again."""


class StateRefused(MnemosError):
    """A state is of another layer, or of other weights; read the memories again with this one."""


class System(Protocol):
    """What is needed of `Mnemos`."""

    @property
    def artifacts(self) -> Artifacts:
        """What was made of memories."""
        ...

    def get(self, id: str) -> Memory | None:
        """The memory of an id, or None."""
        ...


def detached(state: State) -> State:
    """The same state, through which no gradient flows back; its numbers are shared."""
    return mapped(Tensor.detach, state)


def forked(state: State, times: int = 1) -> State:
    """A state that shares nothing with this one, every sequence of the batch so many times side by side.

    Layers never change a state, so whoever only goes on from one state twice needs no fork.
    """
    if times < 1:
        raise InvalidInput("times", f"is {times}", "give at least 1")
    return mapped(lambda one: one.detach().repeat_interleave(times, 0).clone(), state)


def reset(layer: MemoryLayer, state: State, which: Tensor) -> State:
    """A state in which some sequences have read nothing, [batch] of truth values; the others go on.

    Raises:
        InvalidInput: the state grows with what is read, so that sequences cannot start at different times.
    """
    fresh = layer.start(len(which))
    if [one.shape for one in tensors(fresh)] != [one.shape for one in tensors(state)]:
        raise InvalidInput("state", "grows with what it has read", "start the whole batch afresh")
    return mapped(lambda old, new: new.where(which.reshape(-1, *[1] * (old.dim() - 1)).bool(), old), state, fresh)


def size(state: State) -> int:
    """Numbers in the state of one sequence."""
    return sum(one[:1].numel() for one in tensors(state))


def digest(layer: MemoryLayer) -> str:
    """64 hexadecimal digits, equal for layers of one class with the same weights and settings.

    How many tokens a chunk has (`size`) is no part of it: it changes how a layer reads on, not what a state means; nor
    is the folder that a `MemoryLM` was loaded from.
    """
    found = hashlib.sha256(type(layer).__qualname__.encode())
    for place, module in layer.named_modules():
        for name, value in sorted(vars(module).items()):
            if not name.startswith("_") and name not in PASSING and _is_setting(value):
                found.update(f"{place}.{name}={value!r};".encode())
    for name, weight in sorted(layer.state_dict().items()):
        found.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        found.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def save(state: State, path: Path, layer: MemoryLayer) -> None:
    """Write a state to a file, in place of any that is there.

    Raises:
        InvalidInput: it holds something other than tensors, None, tuples, lists and dicts of names.
    """
    parts: dict[str, Tensor] = {}
    header = {"layer": digest(layer), "state": _taken_apart(state, "state", parts)}
    save_file(parts, path, {KIND: json.dumps(header, sort_keys=True)})


def load(path: Path, layer: MemoryLayer) -> State:
    """Read a state from a file, on the device of the layer.

    Raises:
        StateRefused: another layer read it, or this one with other weights.
        StateDamaged: the file is missing, cut off, or no state.
    """
    try:
        with safe_open(path, framework="pt") as file:
            said: dict[str, str] = file.metadata() or {}
            if KIND not in said:
                raise StateDamaged(f"{path.name} holds no state of this release; read the memories again")
            header = json.loads(said[KIND])
            names: list[str] = file.keys()
            parts = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError) as error:
        raise StateDamaged(f"{path.name} cannot be read as a state ({error}); read the memories again") from error
    if not isinstance(header, dict) or header.get("layer") != digest(layer):
        raise StateRefused(f"{path.name} is of another layer, or of other weights; read the memories again")
    like = layer.start(1)
    device = next((one.device for one in tensors(like)), torch.device("cpu"))
    try:
        return _put_together(header["state"], {name: one.to(device) for name, one in parts.items()}, _kinds(like))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateDamaged(f"{path.name} is not put together as a state ({error}); read the memories again") from error


def keep(state: State, layer: MemoryLayer, memories: Sequence[str | Memory], system: System) -> Artifact:
    """Keep a state in a store as an artifact of the memories that were read to make it; it goes when one of them goes.

    Args:
        state: as it was after the last of them.
        layer: that read them.
        memories: in the order in which they were read; as ids, or, safer, as they were when they were read.
        system: a `Mnemos`.

    Raises:
        NotFound: a memory is gone.
        InvalidInput: a memory has changed since it was read, or they are of several namespaces.
    """
    with system.artifacts.scratch() as path:
        save(state, path, layer)
        made = {"numbers": sum(one.numel() for one in tensors(state)), "layer": type(layer).__name__}
        return system.artifacts.keep("parametric", RECIPE, digest(layer), memories, path, metadata=made)


def kept(layer: MemoryLayer, memories: Sequence[str], system: System) -> State | None:
    """The latest state of a layer that was kept of exactly these memories; None where there is none any more."""
    found = system.artifacts.find(
        form="parametric", recipe=RECIPE, fingerprint=digest(layer), sources=list(memories), state="fresh"
    )
    for one in found:
        if one.sources == tuple(memories):
            try:
                return load(system.artifacts.path(one), layer)
            except NotFound:
                continue
    return None


def _is_setting(value: object) -> bool:
    """Whether a value is a choice that is told by its name alone, as a weight or a function is not."""
    if isinstance(value, tuple):
        return all(_is_setting(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return all(_is_setting(getattr(value, one.name)) for one in fields(value))
    return value is None or isinstance(value, bool | int | float | str)


def _taken_apart(state: State, place: str, parts: dict[str, Tensor]) -> Skeleton:
    """How a state is put together; its tensors go to `parts`."""
    if state is None:
        return {"is": "none"}
    if isinstance(state, Tensor):
        parts[place] = state.detach().cpu().contiguous().clone()
        return {"is": "tensor", "name": place}
    named = _named(state)
    children = {name: _taken_apart(one, f"{place}.{name}", parts) for name, one in named.items()}
    return {"is": _kind(state), "parts": children}


def _put_together(made: Skeleton, parts: Mapping[str, Tensor], kinds: Mapping[str, type]) -> State:
    if made["is"] == "none":
        return None
    if made["is"] == "tensor":
        return parts[made["name"]]
    children = {name: _put_together(one, parts, kinds) for name, one in made["parts"].items()}
    kind = kinds[made["is"]]
    if kind is dict:
        return children
    if kind in (tuple, list):
        return kind(children[str(place)] for place in range(len(children)))
    return kind(**children)


def _kinds(like: State) -> dict[str, type]:
    """The kinds of tree in a state, by their names."""
    found: dict[str, type] = {"tuple": tuple, "list": list, "dict": dict}
    if like is not None and not isinstance(like, Tensor):
        found[_kind(like)] = type(like)
        for one in _named(like).values():
            found |= _kinds(one)
    return found


def _kind(state: State) -> str:
    if isinstance(state, Mapping):
        return "dict"
    plain = isinstance(state, tuple | list) and not hasattr(state, "_fields")
    return type(state).__name__ if plain else f"{type(state).__module__}.{type(state).__qualname__}"


def _named(state: State) -> dict[str, State]:
    """The parts of a tree's root."""
    if isinstance(state, Mapping):
        if not all(isinstance(name, str) for name in state):
            raise InvalidInput("state", "has parts that are not named by strings", "name them")
        return dict(state)
    if isinstance(state, tuple | list):
        names = getattr(state, "_fields", range(len(state)))
        return {str(name): one for name, one in zip(names, state, strict=True)}
    if is_dataclass(state) and not isinstance(state, type):
        return {one.name: getattr(state, one.name) for one in fields(state)}
    raise InvalidInput("state", f"{type(state).__name__} is no part of a state", "give what a layer returned")
