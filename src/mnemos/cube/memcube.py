"""A MemCube opened for reading: every hash compared, every line and header checked, before anything is believed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

from mnemos.arguments import read_path
from mnemos.cube import layout
from mnemos.cube.archive import Archive
from mnemos.cube.content import Content
from mnemos.cube.folding import mark_of
from mnemos.cube.layout import ARTIFACTS, MANIFEST, MEMORIES, Manifest, NewerCube, Sum, artifact_name, manifest_of
from mnemos.cube.pieces import Piece, piece_of
from mnemos.cube.tensors import Header, read_header
from mnemos.errors import InvalidInput
from mnemos.io.jsonl import read_export
from mnemos.io.source import Bundle
from mnemos.records import Memory

MAX_ARTIFACTS = 1 << 30
"""Bytes of the lines about artifacts."""


class MemCube:
    """A set of memories with all their forms, history and provenance, in one file.

    Opening it reads every byte once. It needs no store and no torch.

    Args:
        path: a file that `export_cube` or `fuse` wrote.

    Raises:
        InvalidInput: there is no such file.
        CubeRefused: it is no cube, of a later release, damaged, changed, or has something in it that no cube has.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._archive = Archive(read_path(path))
        try:
            self.manifest = self._read_manifest()
            self.headers = self._verified()
        except BaseException:
            self._archive.close()
            raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._archive.path

    @cached_property
    def content(self) -> Content:
        """What its lines say."""
        bundle = Bundle(self.path, dict(self._archive.sizes), self._archive.zip)
        try:
            content = Content.of(read_export(bundle, MEMORIES))
            marks = {memory_id: mark_of(memory) for memory_id, memory in content.memories.items()}
        except InvalidInput as error:
            raise self._archive.refusal(f"{MEMORIES}: {error.field} {error.problem}") from error
        for memory_id, line in content.derived.items():
            if line["hidden"] or not line["text"].strip():
                raise self._archive.refusal(f"{MEMORIES}: {memory_id} says nothing, or waits to be derived again")
        for piece in self.pieces:
            if any(marks.get(one) != mark for one, mark in zip(piece.artifact.sources, piece.marks, strict=True)):
                raise self._archive.refusal(f"{ARTIFACTS}: {piece.artifact.id} is of memories that are not in it")
        told = (self.manifest.memories, self.manifest.namespaces)
        if (len(content.memories), content.namespaces) != told:
            raise self._archive.refusal(f"{MANIFEST}: it counts other memories than there are")
        return content

    @cached_property
    def pieces(self) -> list[Piece]:
        """The artifacts in it, in the order in which they came to be."""
        if self._archive.sizes[ARTIFACTS] > MAX_ARTIFACTS:
            raise self._archive.refusal(f"{ARTIFACTS} is too large")
        lines = b"".join(self._archive.pieces(ARTIFACTS)).splitlines()
        try:
            found = [piece_of(line, f"line {place}") for place, line in enumerate(lines, 1)]
        except InvalidInput as error:
            raise self._archive.refusal(f"{ARTIFACTS}: {error.field} {error.problem}") from error
        self._check_pieces(found)
        return found

    def memories(self) -> list[Memory]:
        """The memories in it: what was observed, in reading order, then what was derived."""
        return list(self.content.memories.values())

    def tensors(self, hash: str) -> Iterator[bytes]:
        """The file of an artifact, a piece at a time."""
        return self._archive.pieces(artifact_name(hash))

    def _read_manifest(self) -> Manifest:
        if self._archive.sizes[MANIFEST] > layout.MAX_MANIFEST:
            raise self._archive.refusal("has a manifest that is too large")
        try:
            return manifest_of(b"".join(self._archive.pieces(MANIFEST)))
        except NewerCube as error:
            raise self._archive.refusal(f"{MANIFEST}: {error}", "update Mnemos") from error
        except (ValueError, RecursionError) as error:
            raise self._archive.refusal(f"{MANIFEST}: {error}") from error

    def _verified(self) -> dict[str, Header]:
        """Compare every file with the manifest; returns the headers of artifacts, by hash."""
        files, sizes = self.manifest.files, self._archive.sizes
        if files.keys() != sizes.keys() - {MANIFEST} or not {MEMORIES, ARTIFACTS} <= files.keys():
            raise self._archive.refusal("has other files than its manifest says")
        headers = {}
        for name, told in files.items():
            if self._archive.sum_of(name) != told:
                raise self._archive.refusal(f"{name} was changed since it was written")
            if name not in (MEMORIES, ARTIFACTS):
                if name != artifact_name(told.sha256):
                    raise self._archive.refusal(f"{name} is not named after what it holds")
                headers[told.sha256] = self._header(name, told)
        return headers

    def _header(self, name: str, told: Sum) -> Header:
        with self._archive.stream(name) as stream:
            try:
                return read_header(stream, told.bytes)
            except ValueError as error:
                raise self._archive.refusal(f"{name} cannot be used: {error}") from error

    def _check_pieces(self, pieces: list[Piece]) -> None:
        """Each artifact has its file, for the model that it says, and each file its artifact."""
        for piece in pieces:
            made = piece.artifact
            header, told = self.headers.get(made.hash), self.manifest.files.get(artifact_name(made.hash))
            said = None if header is None or told is None else (header.form, header.fingerprint, told.bytes)
            if said != (made.form, made.fingerprint, made.bytes):
                raise self._archive.refusal(f"{ARTIFACTS}: {made.id} is not what its file is")
        if {piece.artifact.hash for piece in pieces} != self.headers.keys():
            raise self._archive.refusal(f"{ARTIFACTS}: a file is of no artifact")
        if len({piece.artifact.id for piece in pieces}) < len(pieces):
            raise self._archive.refusal(f"{ARTIFACTS}: two artifacts have one id")

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
