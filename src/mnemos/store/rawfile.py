"""Reading a store's file beside SQLite, without taking SQLite's locks away.

On POSIX, closing any descriptor of a file drops every lock that the process holds on it. Whoever opened, read and
closed a store's file would let another process believe that nobody uses it, and delete the write-ahead log of those who
do. So the file is opened once, and its descriptor is closed only when no store of this process uses the file any more.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass
class _Kept:
    descriptor: int
    users: int = 0


_lock = threading.Lock()
_kept: dict[tuple[int, int], _Kept] = {}


class RawFile:
    """The bytes of a file that SQLite has open; `release` it after the connection is closed."""

    def __init__(self, path: Path) -> None:
        with _lock:
            found = os.stat(path)
            self._key = (found.st_dev, found.st_ino)
            if self._key not in _kept:
                _kept[self._key] = _Kept(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
            _kept[self._key].users += 1
        self._released = False

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(_kept[self._key].descriptor).st_size

    def read(self, start: int, length: int) -> bytes:
        """Some bytes; fewer at the end of the file."""
        with _lock:
            descriptor = _kept[self._key].descriptor
            os.lseek(descriptor, start, os.SEEK_SET)
            return os.read(descriptor, length)

    def release(self) -> None:
        """Say that the file is no longer used; a second call does nothing."""
        with _lock:
            if self._released:
                return
            self._released = True
            kept = _kept[self._key]
            kept.users -= 1
            if not kept.users:
                os.close(kept.descriptor)
                del _kept[self._key]
