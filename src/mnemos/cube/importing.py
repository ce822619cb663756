"""From a cube into a store: what is taken of it, and the files of artifacts, which are copied aside first.

They get their names inside the transaction that writes everything, before their rows (`arriving`): a process that is
killed leaves the rows as they were, and files that `maintain` sweeps.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mnemos.cube.arriving import Arrival, Imported, Room, Scan, sources_of
from mnemos.cube.content import Content
from mnemos.cube.folding import mark_of
from mnemos.cube.memcube import MemCube
from mnemos.errors import CubeRefused
from mnemos.store import artifact_files
from mnemos.store.artifact_upkeep import discard
from mnemos.store.database import Database

SECRET = "a secret was masked in what it is made of"
OTHER = "it is of another model"
TEXT = "only the words were asked for"


def import_from(cube: MemCube, room: Room, fits: Callable[[str], bool], *, text_only: bool = False) -> Imported:
    """Put what a cube holds into a store; what is there already is left as it is.

    Args:
        cube: verified, since it is open.
        room: the store.
        fits: whether artifacts of a model's fingerprint are kept.
        text_only: take the words, and none of the artifacts.

    Raises:
        CubeRefused: the cube claims ids that are other memories here; the store is as it was.
        InvalidInput: a line cannot be accepted, or holds a secret where they are refused; the store is as it was.
        StoreFull: no room; the store is as it was.
    """
    content = _scanned(cube.content, room.scan)
    marks = {memory_id: mark_of(memory) for memory_id, memory in content.memories.items()}
    left: dict[str, str] = {}
    carried = []
    for piece in cube.pieces:
        why = TEXT if text_only else None if fits(piece.artifact.fingerprint) else OTHER
        if why is None and any(marks.get(one) != mark for one, mark in sources_of(piece)):
            why = SECRET
        if why is None:
            carried.append(piece)
        else:
            left[piece.artifact.id] = why
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(room.artifacts.scratch()).parent if carried else room.db.folder
        present = _present(room.db)
        for made in {piece.artifact.hash: piece.artifact for piece in carried}.values():
            if present.get(made.hash) != made.bytes:
                _extract(cube, made.hash, folder / made.hash)
        arrival = Arrival(cube, room, content, folder, left)
        try:
            return arrival.run(cube.pieces)
        except BaseException:
            for hash in arrival.published:
                discard(room.db, hash)
            raise


def _scanned(content: Content, scan: Scan) -> Content:
    """The content without secrets."""
    entries = [scan(line) for line in content.entries]
    return replace(content, entries=entries, derived={one: scan(line) for one, line in content.derived.items()})


def _present(db: Database) -> dict[str, int]:
    """The files of artifacts that the store has already, and their bytes."""
    with db.read() as connection:
        known = {hash for (hash,) in connection.execute("SELECT DISTINCT hash FROM artifacts")}
    return {name: size for name, size in artifact_files.named(db.folder).items() if name in known}


def _extract(cube: MemCube, hash: str, path: Path) -> None:
    """Copy the file of an artifact to disk, and compare it once more."""
    digest = hashlib.sha256()
    with artifact_files.translated(path), path.open("xb") as file:
        for piece in cube.tensors(hash):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != hash:
        raise CubeRefused(cube.path.name, "changed while it was read")
