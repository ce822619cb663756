"""What an import reads from: one file, a folder or a .zip, opened as named streams that count what was read."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO

from mnemos.errors import ImportFailed, InvalidInput

HEAD = 1 << 16
"""How many characters of a file are looked at to tell what it is."""
HEADS_KEPT = 16
MAX_FILES = 200_000
"""Files in a folder or archive; an export has fewer, a home directory that was named by mistake has more."""
MAX_LINE = 1 << 26
"""Characters in one line; a longer one is skipped, not loaded."""
_BUFFER = _TICK = 1 << 16
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"))
_BOMS_16 = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError)


@dataclass(slots=True)
class Meter:
    """Bytes dealt with so far, of how many."""

    read: float = 0
    total: int = 0
    tell: Callable[[int, int], object] | None = None
    """Is told both, now and then."""
    _told: float = 0

    def add(self, size: float) -> None:
        """So much more has been dealt with."""
        self.read += size
        if self.tell is not None and self.read - self._told >= _TICK:
            self._told = self.read
            self.tell(int(self.read), self.total)


class _Counted(io.RawIOBase):
    """A stream that adds a share of what is read from it to a meter, and names itself when it is damaged."""

    def __init__(self, stream: IO[bytes], name: str, meter: Meter, share: float) -> None:
        self._stream = stream
        self._name = name
        self._meter = meter
        self._share = share
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # any writable buffer
        try:
            data = self._stream.read(len(view))
        except _DAMAGE as error:
            raise ImportFailed(f"{self._name}: damaged after byte {self._read:,} ({error})") from error
        view[: len(data)] = data
        self._read += len(data)
        self._meter.add(len(data) * self._share)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


@dataclass
class Bundle:
    """The files of one export, by their path inside it, wherever they lie."""

    path: Path
    files: dict[str, int]
    """Path inside the export, with `/`, to its size in bytes."""
    archive: zipfile.ZipFile | None = None
    meter: Meter = field(default_factory=Meter)
    _heads: dict[str, str] = field(default_factory=dict)

    @property
    def single(self) -> str | None:
        """The one file's name, where the export is a plain file."""
        return self.path.name if self.archive is None and self.path.is_file() else None

    @property
    def title(self) -> str:
        """What the export is called: the name of its file or folder, without suffix."""
        return self.path.stem if self.path.is_file() else self.path.name

    def expect(self, names: Iterable[str]) -> None:
        """Say which files will be read, so that progress has a total."""
        self.meter.total = sum(self.files[name] for name in names)

    def stream(self, name: str, *, share: float = 1.0) -> io.BufferedReader:
        """A file's bytes; `share` says how much of the work on them is reading them."""
        try:
            raw = self._open(name)
        except (*_DAMAGE, NotImplementedError, RuntimeError) as error:
            # zipfile raises RuntimeError for a password and NotImplementedError for an unknown compression
            raise ImportFailed(f"{name}: cannot be read ({error})") from error
        return io.BufferedReader(_Counted(raw, name, self.meter, share), _BUFFER)

    def _open(self, name: str) -> IO[bytes]:
        if self.archive is not None:
            return self.archive.open(name)
        return open(self.path if self.single else self.path / name, "rb")

    def text(self, name: str, *, share: float = 1.0) -> io.TextIOWrapper:
        """A file's text: UTF-8, or what its byte order mark says; bytes that are neither become lone surrogates."""
        stream = self.stream(name, share=share)
        start = stream.peek(4)[:4]
        encoding = next((name for bom, name in (*_BOMS, *_BOMS_16) if start.startswith(bom)), "utf-8")
        errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
        return io.TextIOWrapper(stream, encoding=encoding, errors=errors)

    def head(self, name: str) -> str:
        """The beginning of a file, to tell what it is."""
        if name not in self._heads:
            if len(self._heads) >= HEADS_KEPT:
                self._heads.pop(next(iter(self._heads)))
            with self.text(name, share=0) as text:
                self._heads[name] = text.read(HEAD)
        return self._heads[name]

    def close(self) -> None:
        """Close the archive, if it is one."""
        if self.archive is not None:
            self.archive.close()

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Open a file, folder or .zip; `InvalidInput` where there is nothing to read."""
    where = Path(path)
    try:
        if where.is_dir():
            return Bundle(where, _listed(_folder(where), where))
        if not where.is_file():
            problem = "is not a file or a folder" if where.exists() else "does not exist"
            raise InvalidInput("path", f"{str(path)[:200]!r} {problem}", "check its name")
        if zipfile.is_zipfile(where):
            archive = zipfile.ZipFile(where)
            members = ((entry.filename, entry.file_size) for entry in archive.infolist() if not entry.is_dir())
            return Bundle(where, _listed(members, where), archive)
        with open(where, "rb"):
            return Bundle(where, {where.name: where.stat().st_size})
    except zipfile.BadZipFile as error:
        raise ImportFailed(f"{where.name}: damaged .zip ({error}); download it again") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("path", f"cannot be read ({error})", "check its name and its permissions") from error


def _listed(files: Iterable[tuple[str, int]], where: Path) -> dict[str, int]:
    """Files by name, without litter; refused where they are too many to be an export."""
    found: dict[str, int] = {}
    for name, size in files:
        if not _is_litter(name):
            found[name] = size
        if len(found) > MAX_FILES:
            raise InvalidInput(
                "path", f"{where.name} holds more than {MAX_FILES:,} files", "name the folder of the export itself"
            )
    return found


def _folder(root: Path) -> Iterator[tuple[str, int]]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file():
                yield file.relative_to(root).as_posix(), file.stat().st_size


def _is_litter(name: str) -> bool:
    """Hidden files, and what macOS adds to archives."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name.startswith(".")


def lines(text: io.TextIOWrapper) -> Iterator[tuple[int, str | None]]:
    """Numbered lines without their ends; None for one that is too long to be loaded."""
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and not line.endswith("\n"):
            while (rest := text.readline(MAX_LINE)) and not rest.endswith("\n"):
                pass
            yield number, None
        else:
            yield number, line.removesuffix("\n")
