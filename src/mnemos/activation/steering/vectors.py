"""Control vectors, and their files: a direction in each of some layers, with which model they belong to.

A file is one of safetensors: the directions, and a header that says what they are. Nothing in it is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mnemos.activation.fingerprint import Fingerprint
from mnemos.activation.steering.directions import METHODS, Direction, Method
from mnemos.activation.steering.states import Tokens, read_tokens
from mnemos.activation.sums import quick_sum
from mnemos.errors import InvalidInput, MnemosError

KIND = "mnemos.vector.1"
"""What a file says that it is; the number changes with the layout."""


class VectorRefused(InvalidInput):
    """A vector that was made of another model's hidden states. `differences` names each part that differs, in words."""

    def __init__(self, differences: list[str]) -> None:
        super().__init__("vector", f"it does not fit: {'; '.join(differences)}", "learn it again with this model")
        self.differences = tuple(differences)


class VectorDamaged(MnemosError):
    """A file that holds no vector that can be read: missing, cut off, damaged, or of another kind."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlVector:
    """What two kinds of examples differ in, as one model sees it.

    Raises:
        InvalidInput: it has no directions, or they are not of one width.
    """

    name: str
    directions: Mapping[int, Direction]
    """By the layer whose output they lie in, from 0."""
    method: Method
    """How they were made of the examples."""
    tokens: Tokens
    """Which tokens of an example were looked at."""
    fingerprint: Fingerprint | None = None
    """Of the model; None where it was made by hand."""
    sources: tuple[str, ...] = field(default=())
    """Ids of the memories that it was made of."""

    def __post_init__(self) -> None:
        widths = {tuple(one.unit.shape) for one in self.directions.values()}
        if len(widths) != 1 or len(next(iter(widths))) != 1:
            raise InvalidInput("directions", f"are {sorted(widths)}", "give one or more, each [width]")

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that it has directions for, in ascending order."""
        return tuple(sorted(self.directions))

    @property
    def width(self) -> int:
        """Channels of a hidden state."""
        return len(next(iter(self.directions.values())).unit)


def save(vector: ControlVector, path: Path) -> Fingerprint:
    """Write a vector to a file; the same one always makes the same bytes. Returns the model that it belongs to.

    Raises:
        InvalidInput: it belongs to no model.
    """
    if vector.fingerprint is None:
        raise InvalidInput("vector", "belongs to no model", "keep vectors that were learned")
    units = torch.stack([vector.directions[layer].unit.detach().cpu().float() for layer in vector.layers])
    header = {
        "name": vector.name,
        "layers": vector.layers,
        "sizes": [vector.directions[layer].size for layer in vector.layers],
        "method": vector.method,
        "tokens": vector.tokens,
        "fingerprint": vector.fingerprint.to_json(),
        "sum": quick_sum(units),
    }
    save_file({"units": units.contiguous()}, path, {KIND: json.dumps(header, sort_keys=True)})
    return vector.fingerprint


def load(path: Path, sources: tuple[str, ...] = ()) -> ControlVector:
    """Read a vector from a file, onto the CPU.

    Args:
        path: where `save` wrote it.
        sources: what it was made of, as the store knows.

    Raises:
        VectorDamaged: the file is missing, cut off, damaged, or no vector.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(KIND, "null"))
            if not isinstance(header, dict):
                raise VectorDamaged(f"{path.name} is no vector of this release ({KIND}); drop it and learn again")
            units: Tensor = file.get_tensor("units").clone()
        if quick_sum(units) != header["sum"]:
            raise VectorDamaged(f"{path.name} is damaged: its bytes are not those written; drop it and learn again")
        rows = zip(header["layers"], units, header["sizes"], strict=True)
        return ControlVector(
            name=str(header["name"]),
            directions={int(layer): Direction(unit, float(size)) for layer, unit, size in rows},
            method=_method(header["method"]),
            tokens=read_tokens(header["tokens"]),
            fingerprint=Fingerprint.from_json(header["fingerprint"]),
            sources=sources,
        )
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise VectorDamaged(f"{path.name} cannot be read as a vector ({error}); drop it and learn again") from error


def _method(told: object) -> Method:
    for one in METHODS:
        if told == one:
            return one
    raise ValueError(f"it was made by {str(told)[:20]!r}")
