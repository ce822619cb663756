"""What the tests of artifacts share: making them, and whether rows, files and sources are in step."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mnemos import Memory, Mnemos
from mnemos.store.artifact_rows import Artifact, ArtifactForm

MODEL = "tiny-llama@1"


def block(
    memory: Mnemos,
    sources: Sequence[str | Memory],
    content: bytes,
    *,
    form: ArtifactForm = "activation",
    recipe: str = "kv-full",
    fingerprint: str = MODEL,
) -> Artifact:
    """Keep some bytes as an artifact."""
    with memory.artifacts.scratch() as path:
        path.write_bytes(content)
        return memory.artifacts.keep(form, recipe, fingerprint, sources, path, seconds=0.5)


def folder(memory: Mnemos) -> Path:
    """Where the files lie."""
    return memory._store.db.folder


def names(memory: Mnemos) -> set[str]:
    """What is in that folder."""
    return {path.name for path in folder(memory).iterdir()} if folder(memory).is_dir() else set()


def rows(path: Path) -> list[tuple[str, str]]:
    """Id and hash of every row, as another connection sees them."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT id, hash FROM artifacts ORDER BY num").fetchall()


def assert_in_step(memory: Mnemos) -> None:
    """Every artifact has its file and its sources, every file its artifact, and each is what it says."""
    found = memory.artifacts.find()
    assert names(memory) == {one.hash for one in found}
    for one in found:
        path = memory.artifacts.path(one)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one.hash
        assert path.stat().st_size == one.bytes
        assert one.sources
        assert all(memory.get(source) is not None for source in one.sources)
    assert memory.check() == []
