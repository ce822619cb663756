"""Memories carried to a server and from it: files are streamed, and never held in memory as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO

from mnemos.client.calls import Call, Plan, given, write
from mnemos.client.decoding import record
from mnemos.client.errors import BadReply
from mnemos.client.jobs import Job, Watch, finished
from mnemos.client.verbs import Verb
from mnemos.errors import InvalidInput
from mnemos.io.importing import ImportReport
from mnemos.io.jsonl import ExportReport, replacing
from mnemos.times import Zone

_TAIL = 1000
"""Bytes that hold the last line of an export."""


class CarryingVerbs:
    """What a client sends and fetches as files."""

    @Verb
    def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        timezone: Zone | None = None,
        date_order: str | None = None,
        progress: Watch | None = None,
    ) -> Plan[ImportReport]:
        """Send a file of any supported format, and wait until the server has imported it; as `Mnemos.import_file`.

        Importing it twice adds nothing. Needs a key with the scope `admin`.

        Args:
            path: the file, on this machine.
            progress: is told how many bytes have been read, and of how many.
        """
        file = _readable(path)
        options = given(
            filename=file.name,
            format=format,
            user_id=user_id,
            agent_id=agent_id,
            namespace=namespace,
            timezone=timezone,
            date_order=date_order,
        )
        job = yield from finished(write("POST", "/v1/import", record(Job), query=options, upload=file), progress)
        return record(ImportReport)(job.result)

    @Verb
    def export_file(
        self,
        path: str | os.PathLike[str] | IO[bytes],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> Call[ExportReport]:
        """Fetch everything (history, provenance, times) as JSON lines, into a file or a binary stream.

        A file appears under its name only when it is complete. Without a scope, all of the tenant, for which the key
        needs the scope `admin`.
        """
        query = given(user_id=user_id, agent_id=agent_id, namespace=namespace, descendants=descendants)
        export = Export(path)
        repeatable = export.path is not None
        return Call("GET", "/v1/export", export.told, query=query, reads=repeatable, save=export.receiving)


class Export:
    """Where an export goes, and what came of it."""

    def __init__(self, target: str | os.PathLike[str] | IO[bytes]) -> None:
        self.path: Path | None = None
        self._open: Callable[[], AbstractContextManager[IO[bytes]]]
        self._lines = self._bytes = 0
        if isinstance(target, str | os.PathLike):
            self.path = _read_path(target)
            self._open = lambda: replacing(Path(target))
        elif callable(getattr(target, "write", None)):
            self._open = lambda: nullcontext(target)
        else:
            raise InvalidInput("path", f"is a {type(target).__name__}", "give a path, or a stream opened for bytes")

    def told(self, _: object) -> ExportReport:
        """What came of it."""
        return ExportReport(self._lines, self._bytes, None if self.path is None else str(self.path))

    @contextmanager
    def receiving(self) -> Iterator[Callable[[bytes], object]]:
        """Takes the bytes as they come.

        Raises:
            BadReply: they ended too early.
        """
        with self._open() as stream:
            size, tail = 0, b""

            def take(piece: bytes) -> None:
                nonlocal size, tail
                stream.write(piece)
                size += len(piece)
                tail = (tail + piece)[-_TAIL:]

            yield take
            self._lines, self._bytes = _lines(tail), size


def _lines(tail: bytes) -> int:
    """How many entries an export has, by its last line."""
    try:
        end = json.loads(tail[tail[:-1].rfind(b"\n") + 1 :])
        return int(end["lines"])
    except (ValueError, KeyError, TypeError):
        raise BadReply("the export broke off before its last line") from None


def _readable(path: object) -> Path:
    file = _read_path(path)
    if not file.is_file():
        raise InvalidInput("path", f"{str(file)[:200]} is no file", "name a file; put several into a .zip")
    if not os.access(file, os.R_OK):
        raise InvalidInput("path", f"{str(file)[:200]} may not be read", "let this program read it")
    return file


def _read_path(path: object) -> Path:
    if not isinstance(path, str | os.PathLike) or not str(path) or "\x00" in str(path):
        raise InvalidInput("path", f"is {path!r}", "give the path of a file")
    return Path(path)
