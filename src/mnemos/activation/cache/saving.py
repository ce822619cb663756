"""Caches on disk: what a cache holds as one safetensors file, kept by the store as an artifact of some memories.

A file holds every layer's keys, values, positions and marks; in its header stand the model's fingerprint, how the cache
was made (policy, budget, spread), and a quick sum of every tensor. Nothing in it is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mnemos.activation.blocks import BlockRefused
from mnemos.activation.cache.held import Held
from mnemos.activation.cache.layer import MemoryLayer
from mnemos.activation.fingerprint import Fingerprint, differences
from mnemos.activation.sealed import Sealed, Tensors
from mnemos.activation.sums import quick_sum
from mnemos.errors import InvalidInput

CACHES = Sealed("cache", "mnemos.cache.1", "drop it and read the text again")
RECIPE = "kv-cache"
"""The recipe of an artifact that is a cache."""


def save(layers: list[MemoryLayer], made: Mapping[str, str], fingerprint: Fingerprint, path: Path) -> None:
    """Write what a cache holds.

    Args:
        layers: of the cache; all have read the same tokens.
        made: how the cache was made, in words, by part.
        fingerprint: of the model.
        path: where.

    Raises:
        InvalidInput: the cache has read nothing.
    """
    for layer in layers:
        # both caches go on alike: this one, and what is read from the file
        layer.held = layer.held and layer.held.tight()
    first, helds = layers[0], [layer.held for layer in layers if layer.held is not None]
    if len(helds) < len(layers):
        raise InvalidInput("cache", "has read nothing", "let the model read a text first")
    tensors = {"seen": first.seen, "rows": first.rows}
    for number, held in enumerate(helds):
        tensors |= {f"{number}.{name}": tensor for name, tensor in _told(held).items()}
        tensors |= {f"{number}.more.{name}": tensor for name, tensor in layers[number].more().items()}
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    header = {
        "made": dict(made),
        "columns": first.columns,
        "sizes": [(held.keys.read().shape[-1], held.values.read().shape[-1]) for held in helds],
        "fingerprint": fingerprint.to_json(),
        "sums": {name: quick_sum(tensor) for name, tensor in tensors.items()},
    }
    CACHES.write(tensors, header, path)


def load(cache: list[MemoryLayer], made: Mapping[str, str], fingerprint: Fingerprint, path: Path, like: Tensor) -> None:
    """Fill the layers of a cache with what was written.

    Args:
        cache: layers that have read nothing.
        made: how that cache was made; it has to be as the one that was written.
        fingerprint: of the model at hand.
        path: where `save` wrote.
        like: any tensor of the type and on the device of the model's keys.

    Raises:
        BlockRefused: another model made it, or the cache was made otherwise; each difference is named.
        BlockDamaged: the file is missing, cut off, damaged, or no cache; the layers are as they were.
    """
    header, mapped = CACHES.opened(path)
    tensors = {name: tensor.clone() for name, tensor in mapped.items()}
    with CACHES.whole(path):
        different = differences(fingerprint, Fingerprint.from_json(header["fingerprint"]))
        told: dict[str, str] = header["made"]
        other = [part for part in sorted({*told, *made}) if told.get(part) != made.get(part)]
        different += [f"{part}: it was {told.get(part)}, is {made.get(part)}" for part in other]
    if different:
        raise BlockRefused(different)
    with CACHES.whole(path):
        if {name: quick_sum(tensor) for name, tensor in tensors.items()} != header["sums"]:
            raise ValueError("the bytes of a tensor are not those written")
        columns, sizes = int(header["columns"]), header["sizes"]
        parts = [(layer, _own(tensors, number), sizes[number]) for number, layer in enumerate(cache)]
        found = [_held(layer, own, (int(size[0]), int(size[1])), like) for layer, own, size in parts]
        rows = len(tensors["seen"])
        more = [layer.with_more(_own(own, "more"), rows, like) for layer, own, _ in parts]
    for layer, held, go_on in zip(cache, found, more, strict=True):
        layer.resumed(held, columns, tensors["seen"].clone(), tensors["rows"].clone())
        go_on()


def _told(held: Held) -> Tensors:
    """All tensors of a layer, by name."""
    told = {"counts": held.counts, "positions": held.positions}
    told |= {f"mark.{name}": mark for name, mark in held.marks.items()}
    told |= {f"keys.{name}": tensor for name, tensor in held.keys.tensors().items()}
    return told | {f"values.{name}": tensor for name, tensor in held.values.tensors().items()}


def _held(layer: MemoryLayer, tensors: Tensors, sizes: tuple[int, int], like: Tensor) -> Held:
    """What a layer held.

    Args:
        layer: that is to hold it.
        tensors: of that layer, by name.
        sizes: dimensions of a key and of a value.
        like: any tensor of the type and on the device of the model's keys.

    Raises:
        KeyError, ValueError: the tensors do not belong together.
    """
    rows, heads = tensors["counts"].shape
    there = {name: tensor.to(like.device) for name, tensor in tensors.items()}
    empty = layer.nothing(rows, heads, *(like.new_empty(0, size) for size in sizes))
    marks = {name: there[f"mark.{name}"] for name in empty.marks}
    keys, values = empty.keys.restored(_own(there, "keys")), empty.values.restored(_own(there, "values"))
    held = Held(tensors["counts"], keys, values, there["positions"], marks)
    lengths = {len(held.positions), *map(len, marks.values()), len(keys.read()), len(values.read())}
    if lengths != {int(held.counts.sum())}:
        raise ValueError("a layer's tensors are of different lengths")
    return held


def _own(tensors: Tensors, part: int | str) -> Tensors:
    return {name.partition(".")[2]: tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}
