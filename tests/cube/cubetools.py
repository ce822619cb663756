"""What the tests of cubes share: files of tensors made without torch, and cubes that were tampered with."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnemos import Memory, Mnemos
from mnemos.cube.layout import ARTIFACTS, MANIFEST, MEMORIES, manifest_of
from mnemos.cube.tensors import ADAPTER, BLOCK, digest_of
from mnemos.store.artifact_rows import Artifact, ArtifactForm

MODEL = {
    "name": "tiny", "model": "llama", "weights": "w", "adapter": "none", "tokenizer": "t", "dtype": "float32",
    "rope": {}, "window": {}, "settings": {},
}  # fmt: skip
OTHER = {**MODEL, "weights": "others"}


def safetensors(said: Mapping[str, str], tensors: Mapping[str, bytes]) -> bytes:
    """A file of tensors, as safetensors writes it."""
    header: dict[str, Any] = {"__metadata__": dict(said)}
    place = 0
    for name, content in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(content)], "data_offsets": [place, place + len(content)]}
        place += len(content)
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw + b"".join(tensors.values())


def block_bytes(content: bytes, model: Mapping[str, Any] = MODEL) -> bytes:
    """The file of a block."""
    inner = json.dumps(
        {"storage": "full", "runs": [], "seconds": 0.5, "fingerprint": json.dumps(dict(model)), "sums": {}},
        sort_keys=True,
    )
    signed = hashlib.sha256(inner.encode()).hexdigest()[:16] + inner
    return safetensors({BLOCK: signed}, {"ids": b"\1\0\0\0", "after": b"", "0.keys": content})


def adapter_bytes(content: bytes, model: Mapping[str, Any] = MODEL) -> bytes:
    """The file of an adapter."""
    inner = json.dumps({"kind": ADAPTER, "config": {"r": 4}, "fingerprint": json.dumps(dict(model))}, sort_keys=True)
    return safetensors({"mnemos": inner}, {"a.lora_A.weight": content})


def keep(
    memory: Mnemos,
    sources: Sequence[str | Memory],
    content: bytes = b"keys",
    *,
    form: ArtifactForm = "activation",
    model: Mapping[str, Any] = MODEL,
    raw: bytes | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Artifact:
    """Keep a block, or an adapter, of some memories."""
    made = raw or (block_bytes if form == "activation" else adapter_bytes)(content, model)
    recipe = "kv-full" if form == "activation" else "lora"
    with memory.artifacts.scratch() as path:
        path.write_bytes(made)
        return memory.artifacts.keep(
            form, recipe, digest_of(model), sources, path, seconds=0.5, metadata=metadata or {"tokens": 3}
        )


def files_of(path: Path) -> dict[str, bytes]:
    """The files in a cube."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    """Write a cube's files over it."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def forge(path: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Change a cube's files, and let every sum agree with that again, as somebody does who means harm."""
    files = files_of(path)
    change(files)
    lines = files[MEMORIES].splitlines(keepends=True)
    body = b"".join(lines[:-1])
    end = {"end": True, "lines": len(lines) - 2, "sha256": hashlib.sha256(body).hexdigest()}
    files[MEMORIES] = body + json.dumps(end, separators=(",", ":")).encode() + b"\n"
    manifest = json.loads(files.pop(MANIFEST))
    manifest["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    manifest["lines"] = len(lines) - 2
    files[MANIFEST] = sealed(manifest)
    rewrite(path, files)


def sealed(manifest: dict[str, Any]) -> bytes:
    """A manifest with its own sum."""
    manifest.pop("sha256", None)
    plain = json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"
    manifest["sha256"] = hashlib.sha256(plain).hexdigest()
    return json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


def lines_of(files: Mapping[str, bytes], name: str = MEMORIES) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(line) for line in files[name].splitlines()]


def put_lines(files: dict[str, bytes], lines: Sequence[Mapping[str, Any]], name: str = MEMORIES) -> None:
    """Put other lines in the place of a file's."""
    made = (json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    files[name] = b"".join(made)


__all__ = ["ARTIFACTS", "MANIFEST", "MEMORIES", "manifest_of"]
