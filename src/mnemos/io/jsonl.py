"""Mnemos' own export: JSON Lines that hold everything, and say where they end.

The first line is a header, `{"mnemos_export": 1, …}`; then comes one line per log entry, derived memory or link, as
the store gives it; the last line, `{"end": true, "lines": n, "sha256": …}`, counts them and sums up every byte before
it, so that a file that was cut short or damaged is refused before anything of it is kept.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from mnemos._version import __version__
from mnemos.errors import ImportFailed, InvalidInput, StoreError, StoreFull
from mnemos.io.source import Bundle
from mnemos.records import Namespace

NAME = "mnemos"
TITLE = "Mnemos' own export (mnemos export)"
MARK = "mnemos_export"
VERSION = 1
MAX_ENTRY = 1 << 28
"""Bytes in one line."""

Entry = dict[str, Any]
Progress = Callable[[int, int], None]


class Restored(Protocol):
    """What a restore did."""

    @property
    def added(self) -> int:
        """Entries that were new."""
        ...

    @property
    def repeated(self) -> int:
        """Entries that were there already."""
        ...


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote."""

    lines: int
    """Entries, without the first and the last line."""
    bytes: int
    path: str | None = None
    """Where to; None for a stream."""


def export_file(
    entries: Iterable[Mapping[str, Any]],
    target: str | os.PathLike[str] | IO[bytes],
    *,
    namespaces: Sequence[Namespace] | None = None,
) -> ExportReport:
    """Write a store's entries to a file or a binary stream; `namespaces` says in the header what they were narrowed to.

    A file appears under its name only when it is complete and on disk.
    """
    lines = export_lines(entries, namespaces=namespaces)
    if not isinstance(target, str | os.PathLike):
        return ExportReport(*_write(target, lines))
    path = Path(target)
    with replacing(path) as stream:
        count, size = _write(stream, lines)
    return ExportReport(count, size, str(path))


def export_lines(
    entries: Iterable[Mapping[str, Any]], *, namespaces: Sequence[Namespace] | None = None
) -> Iterator[bytes]:
    """The lines of an export, each with its end, as they are asked for."""
    header: Entry = {MARK: VERSION, "mnemos": __version__}
    if namespaces is not None:
        header["namespaces"] = [list(namespace) for namespace in namespaces]
    digest = hashlib.sha256()
    count = 0
    yield _line(header, digest)
    for entry in entries:
        yield _line(entry, digest)
        count += 1
    yield _line({"end": True, "lines": count, "sha256": digest.hexdigest()}, digest)


def _line(value: Mapping[str, Any], digest: hashlib._Hash) -> bytes:
    line = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    digest.update(line)
    return line


def _write(stream: IO[bytes], lines: Iterable[bytes]) -> tuple[int, int]:
    """Write an export; returns how many entries it holds, and its size in bytes."""
    count = size = 0
    for line in lines:
        size += stream.write(line)
        count += 1
    return count - 2, size


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name when it is whole, and leaves nothing behind when it is not."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise InvalidInput("path", f"cannot be written ({error.strerror})", "choose a folder that exists") from error
    done = False
    try:
        with open(handle, "wb", buffering=1 << 20) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
        done = True
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        kind = StoreFull if full else StoreError
        raise kind(f"{path}: the export could not be written ({error.strerror}); nothing was left there") from error
    finally:
        if not done:
            with contextlib.suppress(OSError):
                os.unlink(name)


def find(bundle: Bundle) -> list[str]:
    """The file, if it is an export."""
    name = bundle.single
    if name is None or not bundle.head(name).startswith('{"' + MARK):
        return []
    return [name]


def read_export(bundle: Bundle, name: str, progress: Progress | None = None) -> Iterator[Entry]:
    """The entries of an export; `ImportFailed` where it is damaged, cut short, or of a newer release."""
    bundle.expect([name])
    with bundle.stream(name) as stream:
        yield from _read(stream, name, lambda: progress and progress(int(bundle.meter.read), bundle.meter.total))


def _read(stream: io.BufferedReader, name: str, tick: Callable[[], object]) -> Iterator[Entry]:
    digest = hashlib.sha256()
    held: bytes | None = None
    number = 0
    while line := stream.readline(MAX_ENTRY):
        if held is not None:
            # the line before was not the last one
            entry = _parse(held, name, number)
            if number == 1:
                _check_header(entry, name)
            elif _is_end(entry):
                raise ImportFailed(f"{name}, line {number}: says that it is the last, but more follows")
            else:
                yield entry
            digest.update(held)
        held = line
        number += 1
        if number % 1000 == 0:
            tick()
    _check_end(held or b"", name, number, digest.hexdigest())
    tick()


def _parse(line: bytes, name: str, number: int) -> Entry:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ImportFailed(f"{name}, line {number}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise ImportFailed(f"{name}, line {number}: not an entry of an export")
    return value


def _check_header(header: Mapping[str, Any], name: str) -> None:
    version = header.get(MARK)
    if not isinstance(version, int) or version < 1:
        raise ImportFailed(f"{name}, line 1: not the header of an export")
    if version > VERSION:
        raise ImportFailed(
            f"{name}: written by Mnemos {header.get('mnemos', '?')} in format {version}; this release reads"
            f" format {VERSION}: update Mnemos"
        )


def _is_end(entry: Mapping[str, Any]) -> bool:
    return entry.keys() == {"end", "lines", "sha256"}


def _check_end(line: bytes, name: str, number: int, digest: str) -> None:
    cut = ImportFailed(f"{name}: cut short after line {number}; nothing of it was kept; export it again")
    if number < 2 or not line.endswith(b"\n"):
        raise cut
    end = _parse(line, name, number)
    if not _is_end(end):
        raise cut
    if end["lines"] != number - 2:
        raise ImportFailed(f"{name}: holds {number - 2:,} entries where its last line counts {end['lines']}")
    if end["sha256"] != digest:
        raise ImportFailed(f"{name}: changed since it was written (its sum does not agree); export it again")
