"""Files of tensors as a cube carries them: what their headers say, read without torch, and nothing taken on trust.

A safetensors file is the length of its header, the header as JSON, and the bytes of the tensors. A cube carries only
the kinds that are known here: of those it is known that they hold no words besides those that they were made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import IO, Any

MAX_HEADER = 100_000_000
"""Bytes of a header, as safetensors itself has it."""
BLOCK, ADAPTER = "mnemos.block.1", "mnemos adapter 1"
"""Blocks of keys and values (`activation.files`), adapters (`parametric.files`)."""
_SIGNED = 16
"""Digits of the hash that stand before a block's header."""
_OF_BLOCK = {"storage", "runs", "seconds", "fingerprint", "sums"}
_OF_ADAPTER = {"kind", "config", "fingerprint"}
_OF_MODEL = {"name", "model", "weights", "adapter", "tokenizer", "dtype", "rope", "window", "settings"}
_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a file says."""

    form: str
    """`activation` or `parametric`."""
    fingerprint: str
    """Of the model that it was made for."""
    model: str
    """What that model was called; its type where it had no name."""


def read_header(stream: IO[bytes], size: int) -> Header:
    """Read and check the header of a file of `size` bytes, from its beginning.

    Raises:
        ValueError: it is no safetensors file, or not of a kind that cubes carry; says what is wrong.
    """
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > min(size - 8, MAX_HEADER):
        raise ValueError("its header is longer than the file")
    try:
        header = json.loads(stream.read(length), object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a list of tensors")
    said = header.pop("__metadata__", None)
    _check_tensors(header, size - 8 - length)
    return _kind(said)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header names something twice")
    return found


def _check_tensors(header: Mapping[str, Any], size: int) -> None:
    """The tensors lie one after the other and fill the file."""
    places: list[tuple[int, int]] = []
    for name, told in header.items():
        shape, place, dtype = _told(told)
        if len(place) != 2 or dtype not in _BYTES:
            raise ValueError(f"its tensor {name[:40]!r} is not described")
        if place[1] - place[0] != prod(shape) * _BYTES[dtype]:
            raise ValueError(f"its tensor {name[:40]!r} has another size than its shape says")
        places.append((place[0], place[1]))
    end = 0
    for start, stop in sorted(places):
        if start != end:
            raise ValueError("its tensors leave a gap, or lie over one another")
        end = stop
    if end != size:
        raise ValueError("its tensors do not fill it")


def _told(told: Any) -> tuple[list[int], list[int], str]:
    """The shape, the place and the number type of a tensor; of none, where they are not told."""
    if not isinstance(told, dict) or not isinstance(told.get("dtype"), str):
        return [], [], ""
    shape, place = _counts(told.get("shape")), _counts(told.get("data_offsets"))
    return ([], [], "") if shape is None or place is None else (shape, place, told["dtype"])


def _counts(values: Any) -> list[int] | None:
    is_list = isinstance(values, list) and all(type(one) is int and one >= 0 for one in values)
    return values if is_list else None


def _kind(said: Any) -> Header:
    if not isinstance(said, dict) or len(said) != 1 or not all(isinstance(one, str) for one in said.values()):
        raise ValueError("it is not of a kind that cubes carry")
    ((mark, told),) = said.items()
    if mark == BLOCK:
        if told[:_SIGNED] != hashlib.sha256(told[_SIGNED:].encode()).hexdigest()[:_SIGNED]:
            raise ValueError("its header was changed")
        form, inner, parts = "activation", told[_SIGNED:], _OF_BLOCK
    elif mark == "mnemos":
        form, inner, parts = "parametric", told, _OF_ADAPTER
    else:
        raise ValueError("it is not of a kind that cubes carry")
    try:
        value = json.loads(inner)
        if not isinstance(value, dict) or value.keys() != parts or value.get("kind", ADAPTER) != ADAPTER:
            raise ValueError("it is not of a kind that cubes carry")
        model = json.loads(value["fingerprint"])
    except (TypeError, RecursionError) as error:
        raise ValueError("its header cannot be read") from error
    if not isinstance(model, dict) or model.keys() != _OF_MODEL:
        raise ValueError("it does not say which model it is for")
    name = str(model["name"]) or str(model["model"])
    return Header(form, digest_of(model), name[:200])


def digest_of(model: Mapping[str, Any]) -> str:
    """The fingerprint of a model that is described part by part, as `activation.fingerprint` makes it."""
    parts = {key: value for key, value in model.items() if key != "name"}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
