"""Receiving a file over HTTP, straight to disk: as the whole body, or as the part `file` of a form."""

from __future__ import annotations

from typing import Protocol

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mnemos.errors import InvalidInput
from mnemos.serve.desk import Desk
from mnemos.serve.jobs.uploads import NAMELESS, Upload

FORM = "multipart/form-data"
FILE = "file"
BLOCK = 1 << 20
"""Bytes that are written at once."""
MOST_FIELD = 10_000
"""Bytes in all fields of a form beside its file."""
MEND = f"send one file, as the whole body or as the part {FILE!r} of {FORM}"

Fields = dict[str, list[str]]
"""What a form says beside its file."""


class _Sink(Protocol):
    name: str | None
    """What the file is called; None until it begins."""
    waiting: bytearray
    """Of the file, what is not written yet."""
    fields: Fields

    def take(self, data: bytes) -> None: ...

    def end(self) -> None: ...


async def receive(request: Request, upload: Upload, desk: Desk, name: str | None = None) -> Fields:
    """Write the file of a request to `upload`, whole and on disk; returns the fields of the form that it came in.

    `name` is what a file is called that comes as the whole body.

    Raises:
        InvalidInput: there is no file, or more than one, or the form is broken.
        StoreFull: there is no room for it.
        HTTPException: the caller went away.
    """
    media, options = parse_options_header(request.headers.get("content-type", ""))
    try:
        sink: _Sink = _Form(options.get(b"boundary", b"")) if media == FORM.encode() else _Body(name or NAMELESS)
        async for chunk in request.stream():
            sink.take(chunk)
            if len(sink.waiting) >= BLOCK:
                await desk.run(lambda: _write(upload, sink))
        sink.end()
    except FormParserError as error:
        raise InvalidInput("body", f"is not {FORM} ({error})", MEND) from error
    except ClientDisconnect:
        raise HTTPException(400, "the upload broke off") from None
    if sink.name is None:
        raise InvalidInput(FILE, "is missing", MEND)

    def end() -> None:
        _write(upload, sink)
        upload.end()

    await desk.run(end)
    return sink.fields


def _write(upload: Upload, sink: _Sink) -> None:
    if upload.path is None and sink.name is not None:
        upload.begin(sink.name)
    data, sink.waiting = bytes(sink.waiting), bytearray()
    upload.write(data)


class _Body:
    """A body that is the file."""

    def __init__(self, name: str) -> None:
        self.name: str | None = name
        self.waiting = bytearray()
        self.fields: Fields = {}

    def take(self, data: bytes) -> None:
        """More of it."""
        self.waiting += data

    def end(self) -> None:
        """That was all."""


class _Form:
    """A form that has the file in one of its parts."""

    def __init__(self, boundary: bytes) -> None:
        if not boundary:
            raise FormParserError("its boundary is missing")
        self.name: str | None = None
        self.waiting = bytearray()
        self.fields: Fields = {}
        self._header = [bytearray(), bytearray()]
        self._headers: dict[bytes, bytes] = {}
        self._field: str | None = None
        self._value = bytearray()
        self._size = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_part,
                "on_part_data": lambda data, start, end: self._take_part(data[start:end]),
                "on_part_end": self._end_part,
                "on_end": self._end_form,
            },
        )

    def take(self, data: bytes) -> None:
        """More of the form."""
        self._parser.write(data)

    def end(self) -> None:
        """That was all."""
        self._parser.finalize()
        if not self._ended:
            raise FormParserError("it breaks off")

    def _end_form(self) -> None:
        self._ended = True

    def _end_header(self) -> None:
        name, value = map(bytes, self._header)
        self._header = [bytearray(), bytearray()]
        self._headers[name.lower()] = value

    def _begin_part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name, file = (_text(options.get(key)) for key in (b"name", b"filename"))
        if name is None:
            raise FormParserError("a part has no name")
        self._field = None if name == FILE else name
        if self._field is None:
            if self.name is not None:
                raise InvalidInput(FILE, "is given more than once", MEND)
            self.name = file or NAMELESS
        elif file is not None:
            raise InvalidInput(name[:60] or "body", "is a file", MEND)

    def _take_part(self, data: bytes) -> None:
        if self._field is None:
            self.waiting += data
            return
        self._value += data
        self._size += len(data)
        if self._size > MOST_FIELD:
            raise InvalidInput(self._field[:60] or "body", f"is longer than {MOST_FIELD:,} bytes", "shorten it")

    def _end_part(self) -> None:
        if self._field is not None:
            self.fields.setdefault(self._field, []).append(_text(bytes(self._value)) or "")
            self._value.clear()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
