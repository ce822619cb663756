"""Files that were sent to be imported: each in a folder of its own until its job ends."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from mnemos.errors import StoreFull
from mnemos.ids import new_id

T = TypeVar("T")
NAMELESS = "upload"
ENDED = ("done", "failed")
ABANDONED = 3600.0
"""Seconds after which a file of no job is not coming any more."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST = 150


@dataclass(slots=True)
class Upload:
    """A file that is being received, and then waits for its job."""

    job_id: str
    folder: Path
    path: Path | None = None
    size: int = 0
    _stream: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """The file begins; it keeps its name, by which importers know it again."""
        self.path = path = self.folder / safe_name(name)

        def create() -> IO[bytes]:
            self.folder.parent.mkdir(mode=0o700, exist_ok=True)
            self.folder.mkdir(mode=0o700)
            return open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")

        self._stream = _translated(create)

    def write(self, data: bytes) -> None:
        """More of it.

        Raises:
            StoreFull: there is no room.
        """
        stream = self._stream
        assert stream is not None
        _translated(lambda: stream.write(data))
        self.size += len(data)

    def end(self) -> None:
        """It is whole, and on disk."""
        stream = self._stream
        assert stream is not None

        def close() -> None:
            with stream:
                stream.flush()
                os.fsync(stream.fileno())

        _translated(close)
        self._stream = None

    def drop(self) -> None:
        """It is not wanted; nothing of it stays."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(OSError):
                stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Uploads:
    """The folder of all that was sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self) -> Upload:
        """A file is about to come, for a job that has its id already."""
        job_id = new_id()
        return Upload(job_id, self._folder / job_id)

    def of(self, job_id: str) -> Path | None:
        """The file of a job."""
        folder = self._folder / job_id
        return next(folder.iterdir(), None) if folder.is_dir() else None

    def remove(self, job_id: str) -> None:
        """The job has ended: its file goes."""
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def sweep(self, state: Callable[[str], str | None]) -> None:
        """Remove what a crash left: files whose job has ended, and old ones of no job; newer ones may still be coming.

        `state` says that of a job, or None where there is no such job.
        """
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                found = state(folder.name)
                if found in ENDED or (found is None and time.time() - _last_written(folder) > ABANDONED):
                    shutil.rmtree(folder, ignore_errors=True)


def _last_written(folder: Path) -> float:
    """When anything of a folder was; now, where it just went."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return time.time()


def safe_name(name: str) -> str:
    """The last part of a path, as a name of a file that hides nothing and leads nowhere."""
    last = re.split(r"[/\\]", name)[-1]
    plain = _UNFIT.sub("", last).lstrip(". ")
    stem, dot, suffix = plain.rpartition(".")
    if not dot:
        stem, suffix = plain, ""
    suffix = f"{dot}{suffix}" if len(suffix) < 16 else ""
    short = stem.encode()[: _LONGEST - len(suffix.encode())].decode(errors="ignore")
    return f"{short}{suffix}" or NAMELESS


def _translated(work: Callable[[], T]) -> T:
    try:
        return work()
    except OSError as error:
        raise StoreFull(f"the upload cannot be written ({error.strerror}); free space on the server's disk") from error
