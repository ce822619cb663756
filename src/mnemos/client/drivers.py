"""The two ways to a server over httpx2: calls made one after the other, and calls awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from mnemos._version import __version__
from mnemos.client.calls import Call, Patience, Pause, Plan, Reply, work
from mnemos.client.errors import Unreachable
from mnemos.errors import InvalidInput

try:
    import httpx2
except ModuleNotFoundError as missing:
    mend = 'mnemos.client needs httpx2; install it with: pip install "mnemos[client]"'
    raise ModuleNotFoundError(mend, name=missing.name) from None

T = TypeVar("T")

BLOCK = 1 << 17
"""Bytes of a file that are sent at once."""
URL = "http://127.0.0.1:8765"
"""Where `mnemos serve` listens, unless it is told otherwise."""


class Driver:
    """A server that is asked and waited for. Threads may share it.

    Args:
        url: the server's address, without `/v1`.
        key: a key made by `mnemos key create`; an open server needs none.
        timeout: seconds that connecting, sending and each part of an answer may take.
        retries: how often a call is made again where that is safe: the server was not reached, is busy or restarts.
        transport: how to connect, for certificates or proxies of your own: `httpx2.HTTPTransport(verify=…)`.

    Raises:
        InvalidInput: an argument cannot be used.
    """

    def __init__(
        self,
        url: str = URL,
        key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 3,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._patience = Patience(_read_retries(retries))
        self._http = httpx2.Client(transport=transport, **_settings(url, key, timeout))

    def run(self, asked: Call[T] | Plan[T]) -> T:
        """What a call or a plan comes to."""
        steps = work(asked, self._patience)
        came: Reply | Unreachable | None = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                returned: T = end.value
                return returned
            came = self._do(step)

    def _do(self, step: Call[Any] | Pause) -> Reply | Unreachable | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        request = _request(self._http, step, None if step.upload is None else _pieces(step.upload))
        try:
            with closing(self._http.send(request, stream=True)) as response:
                if step.save is None or not response.is_success:
                    return _reply(response, response.read())
                with step.save() as take:
                    for piece in response.iter_bytes():
                        take(piece)
                return _reply(response)
        except httpx2.HTTPError as error:
            return _unreachable(self._http, error)

    def close(self) -> None:
        """Release the connections; a second call does nothing."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._http.base_url)!r})"


class AsyncDriver:
    """A server that is asked and awaited; takes the arguments of `Driver`. Belongs to one event loop."""

    def __init__(
        self,
        url: str = URL,
        key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 3,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience = Patience(_read_retries(retries))
        self._http = httpx2.AsyncClient(transport=transport, **_settings(url, key, timeout))

    async def run(self, asked: Call[T] | Plan[T]) -> T:
        """What a call or a plan comes to."""
        steps = work(asked, self._patience)
        came: Reply | Unreachable | None = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                returned: T = end.value
                return returned
            came = await self._do(step)

    async def _do(self, step: Call[Any] | Pause) -> Reply | Unreachable | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        request = _request(self._http, step, None if step.upload is None else _pieces_later(step.upload))
        try:
            async with aclosing(await self._http.send(request, stream=True)) as response:
                if step.save is None or not response.is_success:
                    return _reply(response, await response.aread())
                with step.save() as take:
                    async for piece in response.aiter_bytes():
                        take(piece)
                return _reply(response)
        except httpx2.HTTPError as error:
            return _unreachable(self._http, error)

    async def close(self) -> None:
        """Release the connections; a second call does nothing."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._http.base_url)!r})"


def _settings(url: object, key: object, timeout: object) -> dict[str, Any]:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= 1e6:
        raise InvalidInput("timeout", f"{str(timeout)[:40]!r} is not a length of time", "give seconds, 1e6 at most")
    headers = {"User-Agent": f"mnemos/{__version__}"}
    if key is not None:
        headers["Authorization"] = f"Bearer {_read_key(key)}"
    return {"base_url": _read_url(url), "headers": headers, "timeout": float(timeout)}


def _read_url(url: object) -> str:
    mend = f"give the server's address, such as {URL}"
    try:
        read = httpx2.URL(str(url))
    except httpx2.InvalidURL as error:
        raise InvalidInput("url", f"cannot be read ({error})", mend) from None
    if not isinstance(url, str) or read.scheme not in ("http", "https") or not read.host:
        raise InvalidInput("url", f"{str(url)[:100]!r} is not an http or https address", mend)
    if read.query or read.fragment or read.userinfo:
        raise InvalidInput("url", "holds more than an address", f"{mend}, and the key as key=")
    if read.path.rstrip("/").endswith("/v1"):
        raise InvalidInput("url", "ends with /v1, which each call adds", "leave /v1 out")
    return url


def _read_key(key: object) -> str:
    if not isinstance(key, str) or not key.isascii() or not key.isprintable() or " " in key or not key:
        raise InvalidInput("key", "is not a key of Mnemos", "give it as `mnemos key create` showed it: mnemos_…")
    return key


def _read_retries(retries: object) -> int:
    if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= 20:
        raise InvalidInput("retries", f"{str(retries)[:40]!r} is not between 0 and 20", "give a whole number")
    return retries


def _request(
    http: httpx2.Client | httpx2.AsyncClient,
    call: Call[Any],
    upload: Iterator[bytes] | AsyncIterator[bytes] | None,
) -> httpx2.Request:
    if http.is_closed:
        raise InvalidInput("client", "is closed", "make another one")
    headers = call.headers()
    content = call.content() if upload is None else upload
    if call.upload is not None:
        headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(call.upload.stat().st_size)}
    elif content is not None:
        headers |= {"Content-Type": "application/json"}
    return http.build_request(call.method, call.path, params=call.parameters(), content=content, headers=headers)


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(BLOCK):
            yield piece


async def _pieces_later(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as stream:
        while piece := await asyncio.to_thread(stream.read, BLOCK):
            yield piece


def _reply(response: httpx2.Response, body: bytes = b"") -> Reply:
    return Reply(response.status_code, response.headers, body)


def _unreachable(http: httpx2.Client | httpx2.AsyncClient, error: httpx2.HTTPError) -> Unreachable:
    return Unreachable(f"{http.base_url} gave no answer ({str(error) or type(error).__name__})")
