"""Lines of standard input that are no messages are answered, where the SDK drops them: a client would wait for ever."""

from __future__ import annotations

import json
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream


class Refusing:
    """A stream of messages, without what could not be read, which is refused on the way."""

    def __init__(self, stream: ReadStream[SessionMessage | Exception], outgoing: WriteStream[SessionMessage]) -> None:
        self._stream = stream
        self._outgoing = outgoing

    async def receive(self) -> SessionMessage | Exception:
        """The next message.

        Raises:
            anyio.EndOfStream: there is none.
        """
        while isinstance(item := await self._stream.receive(), Exception):
            await self._outgoing.send(SessionMessage(refusal(item)))
        return item

    async def aclose(self) -> None:
        """Read no more."""
        await self._stream.aclose()

    def __aiter__(self) -> Refusing:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Refusing:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def refusal(error: Exception) -> JSONRPCError:
    """What is said about a line that is no message; it bears the line's id where that can be read."""
    first: Any = error.errors()[0] if isinstance(error, ValidationError) else {}
    if first.get("type") != "json_invalid":
        told = ErrorData(code=INVALID_REQUEST, message="this is no message of JSON-RPC 2.0")
        return JSONRPCError(jsonrpc="2.0", id=None, error=told)
    told = ErrorData(code=PARSE_ERROR, message=f"this line is not JSON: {first['ctx']['error']}")
    return JSONRPCError(jsonrpc="2.0", id=_id_of(first["input"]), error=told)


def _id_of(line: str) -> int | str | None:
    """The id of a request in which only a text is broken, as by half of an emoji."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    id = found.get("id") if isinstance(found, dict) else None
    return id if isinstance(id, str | int) and not isinstance(id, bool) else None
