"""What the model said, read from the bytes of the upstream's answer: whole or streamed, as OpenAI's API has it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from mnemos.serve.proxy.chat import own_text

LARGEST = 16 * 2**20
"""Bytes of an answer that are kept to be read; from a longer one nothing is learnt."""
ZIPPED = 47
"""What zlib calls "gzip or deflate, whichever it is"."""


class Answer:
    """The bytes of an answer, as they go by."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._streamed = headers.get("content-type", "").startswith("text/event-stream")
        self._coding = headers.get("content-encoding", "identity").lower()
        self._chunks: list[bytes] = []
        self._size = 0

    def take(self, chunk: bytes) -> None:
        """See some more of it."""
        self._size += len(chunk)
        if self._size <= LARGEST:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def text(self) -> str | None:
        """What was said, where the answer is whole and holds text."""
        raw = self._plain()
        if raw is None:
            return None
        said = _of_stream(raw) if self._streamed else _of_message(raw)
        return own_text(said) or None

    def _plain(self) -> bytes | None:
        raw = b"".join(self._chunks)
        if self._coding == "identity":
            return raw
        if self._coding not in ("gzip", "deflate"):
            return None
        try:
            return zlib.decompressobj(ZIPPED).decompress(raw, LARGEST)
        except zlib.error:
            return None


def _of_message(raw: bytes) -> str | None:
    choice = _choice(raw)
    message = {} if choice is None else choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else None


def _of_stream(raw: bytes) -> str | None:
    """The pieces of the first choice, put together; None where the stream broke off before its end."""
    pieces, whole = [], False
    for data in _events(raw):
        if data == b"[DONE]":
            whole = True
            continue
        choice = _choice(data)
        if choice is None:
            continue
        whole = whole or choice.get("finish_reason") is not None
        delta = choice.get("delta")
        piece = delta.get("content") if isinstance(delta, dict) else None
        if isinstance(piece, str):
            pieces.append(piece)
    return "".join(pieces) if whole else None


def _events(raw: bytes) -> Iterable[bytes]:
    """What the server-sent events hold."""
    for line in raw.splitlines():
        if line.startswith(b"data:"):
            yield line[5:].strip()


def _choice(raw: bytes) -> dict[str, Any] | None:
    """The first choice of an answer, or of a piece of one."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list):
        return None
    return next((one for one in choices if isinstance(one, dict) and one.get("index", 0) == 0), None)
