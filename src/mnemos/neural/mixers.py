"""Layers by name, as a configuration names them: mixers, wrappers around them, and what stands where an MLP does.

A description is a mapping that JSON can hold: `{"mixer": "delta-net", "heads": 2}`; a name alone stands for one without
choices. A wrapper describes what it is around under `of`: `{"mixer": "mixture", "of": "delta-net", "count": 4}`.
"""

from __future__ import annotations

import inspect
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import nn

from mnemos.errors import InvalidInput
from mnemos.neural.attention import CausalAttention
from mnemos.neural.caching import CachedMemory
from mnemos.neural.experts import PEER
from mnemos.neural.features import Polynomial
from mnemos.neural.feeds import SwiGLU
from mnemos.neural.hmt import HMT
from mnemos.neural.keys import ProductKeyMemory
from mnemos.neural.layer import NeuralMemory
from mnemos.neural.learners import Learner
from mnemos.neural.lstm import LSTM
from mnemos.neural.memoria import Memoria
from mnemos.neural.memories import Deep
from mnemos.neural.memory import MemoryLayer
from mnemos.neural.mixture import MixtureOfMemories
from mnemos.neural.objectives import Lp
from mnemos.neural.presets import PRESETS
from mnemos.neural.retentions import Retention
from mnemos.neural.shared import SharedMemory
from mnemos.neural.slots import LM2, Memformer

Made = TypeVar("Made")
Described = str | Mapping[str, Any]
OTHERS: dict[str, Callable[..., MemoryLayer]] = {
    "neural-memory": NeuralMemory,
    "attention": CausalAttention,
    "lstm": LSTM,
    "lm2": LM2,
    "memformer": Memformer,
    "hmt": HMT,
    "memoria": Memoria,
}
MIXERS = ChainMap(PRESETS, OTHERS)
"""What maps tokens to tokens and takes `dim` and choices; a preset that is added to `PRESETS` is one of them."""
WRAPPERS: dict[str, Callable[..., MemoryLayer]] = {
    "mixture": MixtureOfMemories,
    "cached": CachedMemory,
    "shared": SharedMemory,
}
"""What is around one of those; a mixture has several of it."""
FEEDS: dict[str, Callable[..., nn.Module]] = {"swiglu": SwiGLU, "product-keys": ProductKeyMemory, "peer": PEER}
"""What stands where a transformer has its MLP: [..., dim] to the same shape, without a state."""
OBJECTS: dict[str, Callable[..., Any]] = {
    "memory": Deep,
    "objective": Lp,
    "retention": Retention,
    "learner": Learner,
    "features": Polynomial,
}
"""What a mapping means in place of a name: `{"learner": {"momentum": true, "window": 8}}`."""


def mixer_of(described: Described, dim: int, place: str) -> MemoryLayer:
    """The layer that is described.

    Args:
        described: a name, or a mapping with the name under `mixer` and its choices beside it.
        dim: width of tokens.
        place: where it stands, for errors: `layers[1]`.

    Raises:
        InvalidInput: a name or choice that is not known, or choices that do not go together; it says where.
    """
    name, choices = named(described, "mixer", place)
    if name not in WRAPPERS:
        return built(MIXERS[name], choices, place, dim)
    inner = choices.pop("of", None)
    if inner is None:
        raise InvalidInput(f"{place}.of", f"a {name} is around another layer", "describe that one here")
    if name == "mixture":
        return built(WRAPPERS[name], choices, place, lambda: mixer_of(inner, dim, f"{place}.of"))
    return built(WRAPPERS[name], choices, place, mixer_of(inner, dim, f"{place}.of"))


def feed_of(described: Described, dim: int, place: str) -> nn.Module | None:
    """What stands where the MLP does, described as a mixer is, under `feed`; None for the name `none`."""
    if described == "none":
        return None
    name, choices = named(described, "feed", place)
    return built(FEEDS[name], choices, place, dim)


def spelled(mixer: Described) -> dict[str, Any]:
    """A mixer's description as a mapping of its own."""
    return {"mixer": mixer} if isinstance(mixer, str) else dict(mixer)


def named(described: Described, kind: str, place: str) -> tuple[str, dict[str, Any]]:
    """The name that a description has under `kind`, and its choices.

    Raises:
        InvalidInput: it has none, or one that is not known.
    """
    known = {"mixer": (*MIXERS, *WRAPPERS), "feed": (*FEEDS, "none")}[kind]
    entries = {kind: described} if isinstance(described, str) else described
    if not isinstance(entries, Mapping) or kind not in entries:
        raise InvalidInput(place, f"does not say which {kind} it is", f"choose of {', '.join(known)}")
    if entries[kind] not in known:
        raise InvalidInput(f"{place}.{kind}", f"{entries[kind]!r} is not known", f"choose of {', '.join(known)}")
    return entries[kind], {key: value for key, value in entries.items() if key != kind}


def built(make: Callable[..., Made], choices: Mapping[str, Any], place: str, *first: Any) -> Made:
    """Call what makes a layer; whatever is wrong with its choices is told by its place.

    Raises:
        InvalidInput: a choice that it does not have, or does not accept.
    """
    known = _choices(make)
    for name in choices:
        if name not in known:
            raise InvalidInput(f"{place}.{name}", "is no choice of this layer", f"it has {', '.join(sorted(known))}")
    try:
        return make(*first, **{name: _meant(name, value, place) for name, value in choices.items()})
    except InvalidInput as error:
        whole = error.field if error.field.startswith(place) else f"{place}.{error.field}"
        raise InvalidInput(whole, error.problem, error.mend) from error


def _meant(name: str, value: Any, place: str) -> Any:
    """A choice as a layer takes it."""
    if name in OBJECTS and isinstance(value, Mapping):
        return built(OBJECTS[name], value, f"{place}.{name}")
    return value


def _choices(make: Callable[..., Any]) -> set[str]:
    """Names that what makes a layer accepts beyond its first argument, those of the memory within it included."""
    own = inspect.signature(make).parameters.values()
    names = {one.name for one in own if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)}
    if any(one.kind is one.VAR_KEYWORD for one in own):
        names |= _choices(NeuralMemory)
    return names - {"dim", "make", "values"} if make is ProductKeyMemory else names - {"dim", "make"}
