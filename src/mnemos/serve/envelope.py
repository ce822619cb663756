"""Around every request: its id, the bound on its body, how long it took, and one line in the log."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnemos.serve.metrics import Metrics
from mnemos.serve.problems import problem

REQUEST_ID = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger("mnemos.serve")


class BodyTooLong(HTTPException):
    """More body came than is allowed."""

    name = "body-too-long"

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the body is longer than {most} bytes; send less at a time, or import a file")


class Envelope:
    """ASGI middleware; streams pass through it untouched."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, limit: Callable[[Scope], int]) -> None:
        self._app = app
        self._metrics = metrics
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        scope["mnemos.request_id"] = request_id
        began = time.perf_counter()
        status = 500
        whole = headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers

        async def hear() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body", False)
            return message

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            elif status >= 400 and not whole and not message.get("more_body"):
                await send({**message, "more_body": True})
                await _hear_out(hear)
                message = {"type": "http.response.body"}
            await send(message)

        with self._metrics.in_hand.track_inprogress():
            try:
                await self._bounded(scope, hear, note, headers.get(b"content-length", b""))
            finally:
                self._tell(scope, status, request_id, time.perf_counter() - began)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send, promised: bytes) -> None:
        most, size = self._limit(scope), 0

        async def count() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise BodyTooLong(most)
            return message

        if promised.isdigit() and int(promised) > most:
            long = BodyTooLong(most)
            closing = {"Connection": "close"}
            answer = problem(long.status_code, long.name, long.detail, scope["mnemos.request_id"], headers=closing)
            await answer(scope, receive, send)
        else:
            await self._app(scope, count, send)

    def _tell(self, scope: Scope, status: int, request_id: str, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or scope.get("mnemos.route") or "unmatched"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        fields = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
        }
        if tenant := scope.get("mnemos.tenant"):
            fields["tenant"] = tenant
        if key := scope.get("mnemos.key"):
            fields["key"] = key
        log.info("request", extra={"fields": fields})


async def _hear_out(receive: Receive) -> None:
    """Let a caller that was refused end its request: it would lose the answer if the connection were closed on it."""
    left = HEARD_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(HEARD_SECONDS):
            more = True
            while more and left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                more = message.get("more_body", False)


HEARD_BYTES, HEARD_SECONDS = 64 * 2**20, 5.0
"""Of the rest of a request that was refused."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
