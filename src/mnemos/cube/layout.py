"""What a MemCube is: which files it has, and the manifest that says what each of them holds.

memories.jsonl                       the words: an export of the memories, with their history and provenance
artifacts.jsonl                      what was made of them for models, one line each
artifacts/<SHA-256>.safetensors      the files of those, named after what they hold
manifest.json                        the hash and size of every other file, and figures

Nothing in it tells when or where it was written: the same memories make the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from mnemos.records import Namespace
from mnemos.store.artifact_files import NAME

VERSION = 1
"""Of the layout; a cube of a later one is refused."""
MARK = "mnemos_cube"
MANIFEST, MEMORIES, ARTIFACTS = "manifest.json", "memories.jsonl", "artifacts.jsonl"
_ARTIFACT = re.compile(r"artifacts/([0-9a-f]{64})\.safetensors")
MAX_FILES = 200_000
"""Files in a cube."""
MAX_MANIFEST = 1 << 27
"""Bytes of a manifest."""
MAX_BYTES = 1 << 40
"""Bytes of a cube."""


class Sum(NamedTuple):
    """What a file holds: how many bytes, and their SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model for which artifacts are in a cube."""

    fingerprint: str
    """That its artifacts bear."""
    name: str
    """What it was called where they were made, or its type; for people, it is not compared."""
    form: str
    artifacts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a cube."""

    mnemos: str
    """The release that wrote it."""
    memories: int
    """That are there and not deleted."""
    lines: int
    """Of `memories.jsonl`, without its first and last."""
    namespaces: tuple[Namespace, ...]
    models: tuple[Model, ...]
    files: Mapping[str, Sum] = field(default_factory=dict)
    """Every file but the manifest, by its name."""

    @property
    def sha256(self) -> str:
        """The version of the cube: equal where nothing differs."""
        return hashlib.sha256(_canonical(self._plain())).hexdigest()

    def to_json(self) -> bytes:
        """The file."""
        return _canonical({**self._plain(), "sha256": self.sha256})

    def _plain(self) -> dict[str, Any]:
        return {
            MARK: VERSION,
            "mnemos": self.mnemos,
            "memories": self.memories,
            "lines": self.lines,
            "namespaces": [list(one) for one in self.namespaces],
            "models": [asdict(one) for one in self.models],
            "files": {name: one._asdict() for name, one in self.files.items()},
        }


class NewerCube(ValueError):
    """A layout that this release does not know."""


def manifest_of(raw: bytes) -> Manifest:
    """The inverse of `to_json`.

    Raises:
        NewerCube: a later release wrote it.
        ValueError: it is no manifest, or was changed since it was written.
    """
    value = json.loads(raw)
    if not isinstance(value, dict) or type(value.get(MARK)) is not int or value[MARK] < 1:
        raise ValueError("it is not that of a cube")
    if value[MARK] > VERSION:
        raise NewerCube(f"it is in layout {value[MARK]}, this release reads {VERSION}")
    try:
        made = Manifest(
            mnemos=_text(value["mnemos"]),
            memories=_count(value["memories"]),
            lines=_count(value["lines"]),
            namespaces=tuple(tuple(_text(label) for label in path) for path in value["namespaces"]),
            models=tuple(_model(one) for one in value["models"]),
            files={
                _text(name): Sum(_count(one["bytes"]), _hash(one["sha256"])) for name, one in value["files"].items()
            },
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"something is missing or of another type ({error})") from error
    if value.get("sha256") != made.sha256 or made.to_json() != raw:
        raise ValueError("it was changed since it was written")
    return made


def _model(value: Any) -> Model:
    form, name = _text(value["form"]), _text(value["name"])
    return Model(_text(value["fingerprint"]), name, form, _count(value["artifacts"]), _count(value["bytes"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("not a count")
    return value


def _hash(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise TypeError("not a hash")
    return value


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def artifact_name(hash: str) -> str:
    """What the file of an artifact is called in a cube."""
    return f"artifacts/{hash}.safetensors"


def is_known(name: str) -> bool:
    """Whether a cube may hold a file of this name."""
    return name in (MANIFEST, MEMORIES, ARTIFACTS) or _ARTIFACT.fullmatch(name) is not None
