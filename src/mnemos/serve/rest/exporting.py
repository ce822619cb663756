"""An export on its way to a caller: made as fast as it is read, and never held as a whole."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import anyio
from fastapi.responses import StreamingResponse
from starlette.types import Send

from mnemos.serve.access import Access
from mnemos.serve.desk import Desk

BLOCK = 1 << 17
"""Bytes that are made at once, about."""
PATIENCE = 60.0
"""Seconds for which a caller may read nothing; it holds the store's past, which grows."""


class Lines:
    """The lines of an export, a block at a time, from any thread."""

    def __init__(self, access: Access, scope: Mapping[str, Any]) -> None:
        self._access = access
        self._scope = scope
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._lines: Iterator[bytes] | None = None
        self._closed = False

    def pull(self) -> bytes:
        """The next lines; none at the end."""
        with self._lock:
            if self._closed:
                return b""
            if self._lines is None:
                memory = self._held.enter_context(self._access.tenants.use(self._access.tenant))
                self._lines = memory.export_lines(**self._scope)
            block = bytearray()
            for line in self._lines:
                block += line
                if len(block) >= BLOCK:
                    break
            return bytes(block)

    def close(self) -> None:
        """Let go of the store."""
        with self._lock:
            self._closed = True
            close = getattr(self._lines, "close", None)
            if close is not None:
                close()
            self._held.close()


class ExportResponse(StreamingResponse):
    """Lines of JSON that come as they are read."""

    media_type = "application/x-ndjson"

    def __init__(self, first: bytes, lines: Lines, desk: Desk) -> None:
        self._lines = lines
        self._desk = desk
        headers = {"Content-Disposition": 'attachment; filename="mnemos-export.jsonl"'}
        super().__init__(self._blocks(first), headers=headers)

    async def _blocks(self, block: bytes) -> AsyncIterator[bytes]:
        while block:
            yield block
            block = await self._desk.run(self._lines.pull)

    async def stream_response(self, send: Send) -> None:
        """Send it; gives up on a caller that reads no more."""

        async def patiently(message: Any) -> None:
            async with asyncio.timeout(PATIENCE):
                await send(message)

        try:
            await super().stream_response(patiently)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._lines.close)
