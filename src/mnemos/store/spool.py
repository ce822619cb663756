"""What could not be written into a store yet: one file an entry, beside the store, until it is told to it again.

An entry is its head (whose it is) and its messages, one JSON object a line, each on disk before it counts as kept.
Deleting a scope removes the entries of that scope too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mnemos.ids import new_id
from mnemos.namespaces import Scope
from mnemos.records import Namespace

SUFFIX = ".jsonl"
Message = Mapping[str, Any]


class Head(NamedTuple):
    """Whose an entry is, and where it came from."""

    namespace: Namespace
    agent_id: str | None = None
    session_id: str | None = None
    writer: str | None = None
    trust: float = 1.0

    def is_within(self, scope: Scope) -> bool:
        """Whether a deletion of the scope deletes this too."""
        inside = self.namespace[: len(scope.namespace)] if scope.descendants else self.namespace
        return inside == scope.namespace and scope.agent_id in (None, self.agent_id)


class Entry(NamedTuple):
    """What waits."""

    head: Head
    messages: tuple[Message, ...]


def waited_for(folder: Path) -> list[str]:
    """Names of the stores in a folder for which something waits, whether or not they exist."""
    return sorted({path.parent.parent.name.removesuffix(".d") for path in folder.glob(f"*.d/spool/*{SUFFIX}")})


class Spool:
    """The entries of one store. Safe beside other processes: an entry that is gone is never brought back."""

    def __init__(self, store: Path) -> None:
        file = store.resolve()
        self._folder = file.with_name(f"{file.name}.d") / "spool"

    def put(self, entry: Entry) -> str:
        """Keep an entry; on disk when it returns its name.

        Raises:
            OSError: it cannot be written; nothing is left of it.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = new_id()
        path = self._path(name)
        try:
            _write(path, os.O_CREAT | os.O_EXCL, encoded(entry))
            _sync(self._folder)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return name

    def extend(self, name: str, messages: Sequence[Message]) -> bool:
        """Add messages to an entry; False where it was removed meanwhile.

        Raises:
            OSError: they cannot be written; the entry holds what it held.
        """
        try:
            _write(self._path(name), os.O_APPEND, b"".join(map(line, messages)))
        except FileNotFoundError:
            return False
        return True

    def names(self) -> list[str]:
        """Entries that wait, oldest first."""
        try:
            return sorted(path.stem for path in self._folder.iterdir() if path.suffix == SUFFIX)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self, name: str) -> Entry | None:
        """An entry; None where it is gone, or was never whole."""
        try:
            lines = self._path(name).read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        try:
            head, *messages = map(json.loads, lines)
            return Entry(Head(tuple(head.pop("namespace")), **head), tuple(messages))
        except (ValueError, TypeError, LookupError, AttributeError):
            return None

    def remove(self, name: str) -> bool:
        """Let go of an entry; False where somebody else did so before."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return False
        return True

    def clear(self, scope: Scope) -> None:
        """Remove the entries of a scope."""
        for name in self.names():
            entry = self.read(name)
            if entry is not None and entry.head.is_within(scope):
                self.remove(name)

    def size(self) -> int:
        """Bytes that the entries take."""
        return sum(path.stat().st_size for path in map(self._path, self.names()) if path.exists())

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


def encoded(entry: Entry) -> bytes:
    """An entry as it is written."""
    return b"".join(map(line, (entry.head._asdict(), *entry.messages)))


def line(value: Message) -> bytes:
    """A part of an entry as it is written."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _write(path: Path, how: int, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | how, 0o600), "wb", buffering=0) as file:
        start = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(f"{path} was written only in part")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(start)
            raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
