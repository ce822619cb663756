"""Files of artifacts: written aside, brought to disk, and only then given their name, which is the hash of what they
hold. So a file that has a name is whole, and is never changed.

What is being written lies in a folder of its own, which its writer keeps locked: one without a lock was left behind by
a process that ended in the middle.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mnemos.errors import InvalidInput, ReadOnlyStore, StoreError, StoreFull
from mnemos.ids import new_id

if sys.platform != "win32":
    import fcntl

NAME = re.compile(r"[0-9a-f]{64}")
"""What a file of an artifact is called."""
PART, NEW = ".part", ".new"
"""How the names of folders end in which something is being written, and of those that are not locked yet."""
LOCK = "lock"
GRACE_SECONDS = 86_400.0
"""How long a folder that cannot be told by its lock is left alone."""
PIECE = 1 << 20


class Content(NamedTuple):
    """What a file holds: its SHA-256 in hexadecimal, and how many bytes."""

    hash: str
    bytes: int


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into Mnemos's errors, each with its mend."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StoreFull(f"{path}: no room for this file, nothing was kept; free some and try again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ReadOnlyStore(f"{path}: cannot be written; give the process write access to this folder") from error
        raise StoreError(f"{path}: {error.strerror or error}; check the disk, and that the folder is there") from error


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """The path of a file to write, in a locked folder of its own; what is left there at the end is removed."""
    with translated(folder):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync(folder.parent)
        name = new_id()
        unlocked, part = folder / f".{name}{NEW}", folder / f".{name}{PART}"
        unlocked.mkdir(mode=0o700)
        descriptor = os.open(unlocked / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with translated(folder):
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            unlocked.rename(part)
        yield part / "artifact"
    finally:
        os.close(descriptor)
        for path in (unlocked, part):
            shutil.rmtree(path, ignore_errors=True)


def is_scratch(folder: Path, path: Path) -> bool:
    """Whether a path is one that `scratch` has given."""
    return path.parent.parent == folder and path.parent.name.endswith(PART)


def abandoned(folder: Path) -> list[Path]:
    """Folders in which somebody was writing who is no longer there."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name.startswith(".") and _is_abandoned(path)]


def _is_abandoned(path: Path) -> bool:
    try:
        if path.suffix == NEW or (path.suffix == PART and sys.platform == "win32"):
            return time.time() - path.stat().st_mtime > GRACE_SECONDS
        if path.suffix != PART:
            return False
        if sys.platform != "win32":
            descriptor = os.open(path / LOCK, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                os.close(descriptor)
    except FileNotFoundError:
        # somebody began to remove it
        return path.is_dir()
    except OSError:
        return False
    return True


def remove_abandoned(folder: Path) -> int:
    """Remove what was left behind in the middle of writing; returns how many there were."""
    found = abandoned(folder)
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return len(found)


def copied(source: Path, target: Path) -> Content:
    """Copy a file to disk; says what it holds."""
    digest, size = hashlib.sha256(), 0
    try:
        reading = source.open("rb")
    except OSError as error:
        raise InvalidInput("file", f"cannot be read ({error.strerror})", "give the path of a file") from error
    with reading, translated(target), target.open("xb") as writing:
        while piece := reading.read(PIECE):
            digest.update(piece)
            size += writing.write(piece)
        writing.flush()
        os.fsync(writing.fileno())
    return Content(digest.hexdigest(), size)


def brought_to_disk(path: Path) -> Content:
    """Make sure that a file is on disk; says what it holds."""
    found = content(path)
    with translated(path), path.open("rb+") as file:
        os.fsync(file.fileno())
    return found


def content(path: Path) -> Content:
    """What a file holds."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            size += len(piece)
    return Content(digest.hexdigest(), size)


def publish(folder: Path, path: Path, name: str) -> None:
    """Give a file that is on disk its name, on disk too."""
    with translated(folder):
        os.replace(path, folder / name)
        sync(folder)


def is_open_to_us(folder: Path) -> bool:
    """Whether this process can see what is in a folder, if it is there."""
    return not folder.exists() or os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def named(folder: Path) -> dict[str, int]:
    """The files that have a name, and their bytes."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if NAME.fullmatch(entry.name)]
    sizes = {}
    for entry in found:
        with contextlib.suppress(FileNotFoundError):
            sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
    return sizes


def remove(folder: Path, names: list[str]) -> list[str]:
    """Remove files, for good; returns the names of those that are gone."""
    gone = []
    for name in names:
        with contextlib.suppress(OSError):
            (folder / name).unlink(missing_ok=True)
            gone.append(name)
    if gone and folder.is_dir():
        with contextlib.suppress(OSError):
            sync(folder)
    return gone


def sync(folder: Path) -> None:
    """Bring the names in a folder to disk."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
