"""The lines of a cube about artifacts: what was made of its memories, for which model, and of which words of theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnemos.errors import InvalidInput
from mnemos.ids import read_id
from mnemos.namespaces import read_label, read_namespace
from mnemos.store.artifact_arguments import read_duration, read_form, read_state
from mnemos.store.artifact_files import NAME
from mnemos.store.artifact_rows import Artifact
from mnemos.store.exported import MEND, check_types, check_writable
from mnemos.times import from_micros, to_micros

_FIELDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("id", "form", "recipe", "fingerprint", "hash", "state"), (str,)),
    **dict.fromkeys(("bytes", "created_at", "uses"), (int,)),
    "used_at": (int, type(None)),
    "seconds": (int, float),
    "metadata": (dict,),
    "namespace": (list,),
    "sources": (list,),
}
_NO_WORDS = re.compile(r"[\w.:+/-]{0,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Piece:
    """An artifact in a cube."""

    artifact: Artifact
    marks: tuple[str, ...]
    """Of each of its sources, in their order: `mark_of` the memory as it is in the cube."""

    def to_line(self) -> bytes:
        """The line, with its end."""
        made = self.artifact
        line = {
            **{name: getattr(made, name) for name in ("id", "form", "recipe", "fingerprint", "hash", "bytes", "state")},
            "namespace": list(made.namespace),
            "created_at": to_micros(made.created_at),
            "used_at": None if made.used_at is None else to_micros(made.used_at),
            "uses": made.uses,
            "seconds": made.seconds,
            "metadata": made.metadata,
            "sources": [{"id": one, "sha256": mark} for one, mark in zip(made.sources, self.marks, strict=True)],
        }
        return json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def piece_of(raw: bytes, field: str) -> Piece:
    """The inverse of `to_line`.

    Raises:
        InvalidInput: no store could have written it.
    """
    try:
        line = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(field, f"is not JSON ({error})", MEND) from error
    if not isinstance(line, dict):
        raise InvalidInput(field, "is not an artifact", MEND)
    check_types(line, _FIELDS, field)
    check_writable(line, field)
    sources, marks = _read_sources(line["sources"], f"{field}.sources")
    if not NAME.fullmatch(line["hash"]) or min(line["bytes"], line["uses"]) < 0:
        raise InvalidInput(field, "has a hash or a count that cannot be", MEND)
    if not has_no_words(line["metadata"]):
        raise InvalidInput(f"{field}.metadata", "holds more than figures and names", MEND)
    artifact = Artifact(
        id=read_id(line["id"], f"{field}.id"),
        form=read_form(line["form"]),
        recipe=read_label(line["recipe"], f"{field}.recipe"),
        namespace=read_namespace(line["namespace"], f"{field}.namespace"),
        fingerprint=read_label(line["fingerprint"], f"{field}.fingerprint"),
        hash=line["hash"],
        bytes=line["bytes"],
        state=read_state(line["state"]),
        created_at=from_micros(line["created_at"]),
        used_at=from_micros(line["used_at"]),
        uses=line["uses"],
        seconds=read_duration(line["seconds"]),
        metadata=line["metadata"],
        sources=sources,
    )
    return Piece(artifact, marks)


def _read_sources(told: list[Any], field: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for place, one in enumerate(told):
        if not isinstance(one, dict) or one.keys() != {"id", "sha256"} or not isinstance(one["sha256"], str):
            raise InvalidInput(f"{field}[{place}]", "is not a source", MEND)
    ids = tuple(read_id(one["id"], field) for one in told)
    if not ids or len(set(ids)) < len(ids):
        raise InvalidInput(field, "are none, or name a memory twice", MEND)
    return ids, tuple(one["sha256"] for one in told)


def has_no_words(metadata: Mapping[str, Any]) -> bool:
    """Whether what is said of an artifact is figures, names and hashes, in which no words of a memory can stand."""
    return all(_is_figure(name) and _is_figure(value) for name, value in metadata.items())


def _is_figure(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_figure(one) and not isinstance(one, list) for one in value)
    return (
        value is None or isinstance(value, int | float) or (isinstance(value, str) and bool(_NO_WORDS.fullmatch(value)))
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
