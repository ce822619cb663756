"""Writing a cube: its files in one order, each byte of them following from what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mnemos._version import __version__
from mnemos.cube.archive import ArchiveWriter
from mnemos.cube.content import Content
from mnemos.cube.layout import ARTIFACTS, MANIFEST, MEMORIES, Manifest, Model, artifact_name
from mnemos.cube.pieces import Piece
from mnemos.errors import StoreError
from mnemos.io.jsonl import export_lines, replacing

GONE = "it went while the cube was written"


class Tensors(Protocol):
    """Where the files of artifacts come from."""

    def tensors(self, hash: str) -> Iterator[bytes] | None:
        """A file, a piece at a time; None where it has gone."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """A cube that was written."""

    path: str
    bytes: int
    manifest: Manifest
    left: Mapping[str, str] = field(default_factory=dict)
    """Ids of memories, artifacts and decisions that are not in it, and why."""


def write(
    path: Path,
    content: Content,
    pieces: Sequence[Piece],
    tensors: Mapping[str, Tensors],
    models: Mapping[str, str],
    left: Mapping[str, str],
) -> Written:
    """Write a cube; it appears under its name only when it is complete and on disk.

    Args:
        path: where to; what is there is replaced.
        content: what it says in words.
        pieces: its artifacts.
        tensors: by hash, where the file of each comes from.
        models: by fingerprint, what the models are called.
        left: what is not in it, and why.

    Raises:
        InvalidInput: the folder is not there.
        StoreFull, StoreError: it could not be written, or an artifact's file changed meanwhile; nothing was left.
    """
    left, gone = dict(left), set()
    with replacing(path) as stream, closing(ArchiveWriter(stream)) as archive:
        files = {MEMORIES: archive.write(MEMORIES, export_lines(content.lines(), namespaces=content.namespaces))}
        for hash in sorted({piece.artifact.hash for piece in pieces}):
            bytes_of = tensors[hash].tensors(hash)
            if bytes_of is None:
                gone.add(hash)
                continue
            name = artifact_name(hash)
            files[name] = archive.write(name, bytes_of)
            if files[name].sha256 != hash:
                raise StoreError(f"{hash}: the file of this artifact changed meanwhile; run check, and export again")
        left |= {piece.artifact.id: GONE for piece in pieces if piece.artifact.hash in gone}
        pieces = [piece for piece in pieces if piece.artifact.hash not in gone]
        files[ARTIFACTS] = archive.write(ARTIFACTS, (piece.to_line() for piece in pieces))
        manifest = Manifest(
            mnemos=__version__,
            memories=len(content.memories),
            lines=sum(1 for _ in content.lines()),
            namespaces=content.namespaces,
            models=_models(pieces, models),
            files=files,
        )
        archive.write(MANIFEST, [manifest.to_json()])
    return Written(str(path), path.stat().st_size, manifest, left)


def _models(pieces: Iterable[Piece], names: Mapping[str, str]) -> tuple[Model, ...]:
    own: dict[tuple[str, str], list[Piece]] = {}
    for piece in pieces:
        own.setdefault((piece.artifact.fingerprint, piece.artifact.form), []).append(piece)
    return tuple(
        Model(
            fingerprint=fingerprint,
            name=names[fingerprint],
            form=form,
            artifacts=len(found),
            bytes=sum({piece.artifact.hash: piece.artifact.bytes for piece in found}.values()),
        )
        for (fingerprint, form), found in sorted(own.items())
    )
