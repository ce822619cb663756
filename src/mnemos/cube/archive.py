"""The zip file around a cube: nothing in it is compressed, so that the same content makes the same bytes everywhere,
and so that nothing unpacks to more than it is.

What is read may come from anybody. Of an archive only the files that a cube has are taken, each once, none of them
compressed, encrypted or overlapping another; their names are never used as paths.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from mnemos.cube import layout
from mnemos.cube.layout import Sum
from mnemos.errors import CubeRefused, InvalidInput

PIECE = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_HEADER = 30
"""Bytes of a file's own header, without its name."""
_ENCRYPTED = 0x1
_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


class ArchiveWriter:
    """Writes files, one after the other, to a stream that can be sought in."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)

    def write(self, name: str, pieces: Iterable[bytes]) -> Sum:
        """Write a file; returns what it holds."""
        info = zipfile.ZipInfo(name, _EPOCH)
        info.create_system = _UNIX
        info.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as file:
            for piece in pieces:
                digest.update(piece)
                size += file.write(piece)
        return Sum(size, digest.hexdigest())

    def close(self) -> None:
        """Write the list of files."""
        self._zip.close()


class Archive:
    """A cube's zip file, opened for reading.

    Raises:
        InvalidInput: there is no such file.
        CubeRefused: it is no zip file, or not one of a cube's form.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InvalidInput("path", f"{str(path)[:200]!r} is not there, or not a file", "name a cube")
        if path.stat().st_size > layout.MAX_BYTES:
            raise self.refusal(f"is larger than {layout.MAX_BYTES:,} bytes", "export fewer memories at once")
        try:
            self._stream = path.open("rb")
        except OSError as error:
            raise InvalidInput("path", f"cannot be read ({error.strerror})", "check its permissions") from error
        try:
            with self._readable():
                self.zip = zipfile.ZipFile(self._stream)
            self._infos = self._checked(self.zip)
        except BaseException:
            self._stream.close()
            raise

    @property
    def sizes(self) -> dict[str, int]:
        """The files, and how many bytes each has."""
        return {name: info.file_size for name, info in self._infos.items()}

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, a piece at a time."""
        with self._readable(), self.zip.open(self._infos[name]) as file:
            while piece := file.read(PIECE):
                yield piece

    def stream(self, name: str) -> IO[bytes]:
        """A file, to be closed by who reads it; errors in reading are those of `zipfile`."""
        with self._readable():
            return self.zip.open(self._infos[name])

    def sum_of(self, name: str) -> Sum:
        """What a file holds."""
        digest, size = hashlib.sha256(), 0
        for piece in self.pieces(name):
            digest.update(piece)
            size += len(piece)
        return Sum(size, digest.hexdigest())

    def refusal(self, problem: str, mend: str = "ask for the cube again") -> CubeRefused:
        """An error about this cube."""
        return CubeRefused(self.path.name, problem, mend)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise self.refusal(f"is damaged, or no cube ({error})") from error

    def _checked(self, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
        """The files by name, none of which is more than it says."""
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        if len(infos) > layout.MAX_FILES:
            raise self.refusal(f"has more than {layout.MAX_FILES:,} files", "export fewer memories at once")
        known: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            shown = repr(info.orig_filename[:80])
            if info.orig_filename != info.filename or not layout.is_known(info.filename):
                raise self.refusal(f"has a file {shown}, which no cube has")
            if info.filename in known:
                raise self.refusal(f"has two files {shown}")
            if info.flag_bits & _ENCRYPTED or info.compress_type != zipfile.ZIP_STORED:
                mend = "take the cube as it was written; whoever wants it smaller compresses the whole of it"
                raise self.refusal(f"its file {shown} is compressed or encrypted", mend)
            known[info.filename] = info
        for place, info in enumerate(infos):
            end = infos[place + 1].header_offset if place + 1 < len(infos) else archive.start_dir
            if info.file_size != info.compress_size:
                raise self.refusal(f"its file {info.filename!r} has two sizes")
            if info.header_offset + _HEADER + len(info.filename) + info.file_size > end:
                raise self.refusal(f"its file {info.filename!r} lies over another")
        if layout.MANIFEST not in known:
            raise self.refusal("has no manifest: it is no cube", "name a file that mnemos cube export wrote")
        return known

    def close(self) -> None:
        """Close the file."""
        self.zip.close()
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
