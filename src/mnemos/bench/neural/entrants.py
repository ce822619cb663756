"""Which layers a benchmark tries: its own and any other mixer by their names, and any layer described in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch

from mnemos.errors import InvalidInput
from mnemos.neural.mixers import MIXERS, Described, spelled


def check_known(field: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a name that nothing has.

    Raises:
        InvalidInput: there is one.
    """
    if unknown := [name for name in names if name not in known]:
        raise InvalidInput(field, f"{unknown[0]!r} is not known", f"choose of {'; '.join(known)}")


def entrants(
    names: Sequence[str], own: Mapping[str, Described], build: Callable[[Described], object]
) -> dict[str, Described]:
    """The layers that are asked for, by what they are called; all of a benchmark's own where none is named.

    Args:
        names: of the benchmark's own layers, of mixers, or layers in JSON: `{"mixer": "hmt", "segment": 16}`.
        own: the benchmark's, by name.
        build: what builds a layer that is not, to see at once that it can be built.

    Raises:
        InvalidInput: a name that is not known, or a layer that cannot be built.
    """
    chosen = {name: own[name] if name in own else _described(name, own) for name in names or own}
    with torch.random.fork_rng(devices=[]):
        for name in chosen.keys() - own.keys():
            build(chosen[name])
    return chosen


def with_heads(layer: Described, heads: int) -> Described:
    """A layer whose memory has so many heads, if it has heads and was not told how many."""
    choices = spelled(layer)
    if isinstance(choices.get("of"), str | Mapping):
        return {**choices, "of": with_heads(choices["of"], heads)}
    return choices if choices.get("mixer") == "lstm" else {"heads": heads, **choices}


def _described(name: str, own: Mapping[str, Described]) -> Described:
    if not name.startswith("{"):
        check_known("preset", [name], [*own, *(mixer for mixer in MIXERS if mixer not in own)])
        return name
    try:
        layer: dict[str, object] = json.loads(name)
    except json.JSONDecodeError as error:
        raise InvalidInput("preset", f"{name} is no JSON: {error}", 'write it like {"mixer": "hmt"}') from error
    return layer
