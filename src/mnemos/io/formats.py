"""The formats that can be imported, and telling them apart by what is in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from mnemos.errors import InvalidInput
from mnemos.io import chatgpt, claude, jsonl, markdown, mem0, messages, slack, whatsapp
from mnemos.io.reading import Item, Options, Skipped, tidy
from mnemos.io.source import Bundle, open_bundle


class Format(Protocol):
    """One importer: a module with these names."""

    NAME: str
    TITLE: str

    def find(self, bundle: Bundle, *, asked: bool = False) -> list[str]:
        """The files that it would read; none where the bundle is something else."""
        ...

    def read(self, bundle: Bundle, names: list[str], options: Options) -> Iterator[Item]:
        """Their messages, and what was left out."""
        ...


READERS: tuple[Format, ...] = (slack, chatgpt, claude, mem0, whatsapp, messages, markdown)
"""In the order in which they are tried: what is told apart most surely comes first."""

FORMATS: dict[str, str] = {jsonl.NAME: jsonl.TITLE, **{reader.NAME: reader.TITLE for reader in READERS}}
"""Names for `format=`, and what each is."""


class Match(NamedTuple):
    """A format and the files that are of it; no reader for Mnemos' own export, which is restored, not read."""

    name: str
    reader: Format | None
    files: list[str]


def match_format(bundle: Bundle, name: str | None = None) -> Match:
    """The format of a bundle, or the files of the format that was named."""
    if name is not None and name not in FORMATS:
        raise InvalidInput("format", f"{str(name)[:40]!r} is not a format", f"use one of {', '.join(FORMATS)}")
    if name in (None, jsonl.NAME) and (files := jsonl.find(bundle)):
        return Match(jsonl.NAME, None, files)
    for reader in READERS:
        if name in (None, reader.NAME) and (files := reader.find(bundle, asked=name is not None)):
            return Match(reader.NAME, reader, files)
    shown = bundle.path.name
    if {"manifest.json", "memories.jsonl", "artifacts.jsonl"} <= bundle.files.keys():
        raise InvalidInput("path", f"{shown} is a MemCube", "take it with mnemos cube import, or import_cube()")
    if name is not None:
        raise InvalidInput("format", f"{shown} is not {FORMATS[name]}", "leave format out to have it found")
    known = "; ".join(f"{key}: {title}" for key, title in FORMATS.items())
    raise InvalidInput("path", f"{shown} is in no format that can be imported", f"these can be: {known}")


def detect_format(path: str | os.PathLike[str]) -> str:
    """The name of a file's or folder's format, found by its content."""
    with open_bundle(path) as bundle:
        return match_format(bundle).name


def read_items(match: Match, bundle: Bundle, options: Options) -> Iterator[Item]:
    """What a reader gives, with every message fit for the store."""
    if match.reader is None:
        return
    for item in match.reader.read(bundle, match.files, options):
        yield item if isinstance(item, Skipped) else tidy(item)
