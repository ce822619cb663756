"""Passing an answer of the upstream on as it comes, byte for byte, and stopping it when the caller goes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import anyio
import httpx2
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mnemos.serve.problems import problem
from mnemos.serve.proxy.answers import Answer
from mnemos.serve.proxy.upstream import Pairs, Upstream, passed_back


class Listener(Protocol):
    """Is told at the end what was answered: None where the upstream did not answer, or refused."""

    async def heard(self, answer: Answer | None) -> None:
        """The caller has the answer."""
        ...

    def cut_off(self, answer: Answer | None) -> None:
        """The same where the server has to stop at once."""
        ...


class Relay(Response):
    """The answer to a request that is forwarded."""

    def __init__(self, upstream: Upstream, request: httpx2.Request, added: Pairs, listener: Listener) -> None:
        super().__init__()
        self._upstream = upstream
        self._request = request
        self._added = added
        self._listener = listener
        self._answer: Answer | None = None
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward, pass on, and say what was heard."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_when_gone, receive, group.cancel_scope.cancel)
                await self._try(scope, receive, send)
                group.cancel_scope.cancel()
            await self._listener.heard(self._answer)
        except anyio.get_cancelled_exc_class():
            self._listener.cut_off(self._answer)
            raise

    async def _try(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._pass_on(send)
        except httpx2.HTTPError as error:
            # an answer that breaks off is left without its end, as it came
            if not self._started:
                await self._refusal(scope, error)(scope, receive, send)

    async def _pass_on(self, send: Send) -> None:
        response = await self._upstream.send(self._request)
        try:
            self._started = True
            headers = [*passed_back(response), *self._added]
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            if response.status_code == 200:
                self._answer = Answer(response.headers)
            async for chunk in response.aiter_raw():
                if self._answer is not None:
                    self._answer.take(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    def _refusal(self, scope: Scope, error: httpx2.HTTPError) -> Response:
        """The upstream did not answer at all."""
        late = isinstance(error, httpx2.TimeoutException)
        status, name = (504, "upstream-timeout") if late else (502, "upstream-unreachable")
        said = "did not answer in time" if late else "cannot be reached"
        headers = {key.decode(): value.decode() for key, value in self._added}
        return problem(status, name, f"the upstream {said}", scope.get("mnemos.request_id"), headers=headers)


async def _when_gone(receive: Receive, stop: Callable[[], None]) -> None:
    """Stop once the caller goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stop()
