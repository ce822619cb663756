"""`/v1/chat/completions` and `/v1/models`, forwarded to an upstream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Security
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mnemos.errors import MnemosError
from mnemos.records import Context
from mnemos.serve.access import Access
from mnemos.serve.depends import bearer, caller
from mnemos.serve.problems import responses
from mnemos.serve.proxy.answers import Answer
from mnemos.serve.proxy.backlog import CHANNEL, Backlog
from mnemos.serve.proxy.caller import PARAMETERS, Wishes, read_wishes
from mnemos.serve.proxy.chat import Chat, read_chat
from mnemos.serve.proxy.conversations import Conversations
from mnemos.serve.proxy.learning import Learner, Lesson
from mnemos.serve.proxy.relay import Listener, Relay
from mnemos.serve.proxy.upstream import Upstream
from mnemos.serve.server import Server
from mnemos.system import Mnemos

STATE = "x-mnemos-memory"
"""Says what memory did: `used`, `none`, `spooled` (it failed, and the exchange is kept) or `failed`."""
CHAT, MODELS = "/v1/chat/completions", "/v1/models"
BODY = {
    "description": "A request as OpenAI's API has it; what Mnemos does not know of it passes through.",
    "required": True,
    "content": {"application/json": {"schema": {"type": "object"}}},
}
Caller = Annotated[Access, Depends(caller(CHANNEL, "read"))]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the upstream answered, as it came.",
        "content": {"application/json": {}, "text/event-stream": {}},
    },
    "default": {"description": "What the upstream refused, as it came."},
    **responses(401, 403, 413, 422, 429, 502, 504),
}


class NoUpstream(HTTPException):
    """Nobody said where to forward chats."""

    name = "no-upstream"

    def __init__(self) -> None:
        super().__init__(404, "chats are forwarded nowhere; start the server with: mnemos serve --upstream URL")


class Unheard:
    """Listens to what memory has no part in."""

    async def heard(self, answer: Answer | None) -> None:
        """Nothing is learnt."""

    def cut_off(self, answer: Answer | None) -> None:
        """Nothing is kept."""


class Proxy:
    """What the routes of one server share."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._upstream = (
            None if server.settings.upstream is None else Upstream(server.settings, server.settings.upstream)
        )
        backlog = Backlog(server.tenants, server.metrics, server.settings.spool_bytes)
        self._learner = Learner(Conversations(server.ledger), backlog, server.metrics, server.clock)
        server.metrics.spooled.set_function(lambda: backlog.size)
        server.worker.also(backlog.replay)

    async def complete(self, request: Request, access: Access) -> Response:
        """Forward a chat with what memory knows of it, and learn from it."""
        body = await request.body()
        chat = read_chat(body)
        named = None if chat is None else chat.body.get("user")
        wishes = read_wishes(request.headers, named, access, self._server.settings.context_budget)
        if chat is None:
            return self.forward(request, body, state="none")
        lesson = Lesson(self._learner, access, chat, wishes) if wishes.learns else None
        state, context = await self._recalled(access, chat, wishes)
        if state == "failed" and lesson is not None and await lesson.keep():
            state = "spooled"
        return self.forward(request, chat.with_memory(context) if context else body, lesson, state=state)

    def forward(
        self, request: Request, body: bytes, listener: Listener | None = None, *, state: str | None = None
    ) -> Response:
        """Forward a request.

        Raises:
            NoUpstream: there is nowhere to forward it to.
        """
        if self._upstream is None:
            raise NoUpstream
        added = [] if state is None else [(STATE.encode(), state.encode())]
        path = request.url.path.removeprefix("/v1")
        sent = self._upstream.request(request.method, path, request.url.query, request.headers, body)
        return Relay(self._upstream, sent, added, listener or Unheard())

    async def _recalled(self, access: Access, chat: Chat, wishes: Wishes) -> tuple[str, str]:
        """What memory did, and the context that it gave."""
        if not wishes.budget or not chat.asked:
            return "none", ""
        scope = wishes.scope

        def look(memory: Mnemos) -> Context:
            return memory.context(
                chat.question,
                budget=wishes.budget,
                beside=chat.told(),
                namespace=scope.namespace,
                agent_id=scope.agent_id,
            )

        try:
            async with asyncio.timeout(self._server.settings.memory_timeout):
                context = await access.search(look)
        except (MnemosError, OSError, TimeoutError):
            state = "failed"
        else:
            state = "used" if context else "none"
        self._server.metrics.proxied.labels("recall", state).inc()
        return state, "" if state == "failed" else str(context)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the application runs."""
        try:
            yield
        finally:
            if self._upstream is not None:
                await self._upstream.close()


def install(app: FastAPI, server: Server) -> Proxy:
    """Let an application forward chats; returns what has to be kept running with it."""
    proxy = Proxy(server)
    router = APIRouter(tags=["proxy"], dependencies=[Security(bearer)])
    shown = server.settings.upstream is not None

    @router.post(
        CHAT,
        operation_id="chat",
        summary="Forward a chat with what memory knows of it",
        response_class=Response,
        responses=ANSWERS,
        include_in_schema=shown,
        openapi_extra={"parameters": PARAMETERS, "requestBody": BODY},
    )
    async def chat(request: Request, access: Caller) -> Response:
        """OpenAI's API, forwarded to the upstream: relevant memories are put before the last message, quoted as data,
        and the exchange is learnt afterwards."""
        return await proxy.complete(request, access)

    @router.get(
        MODELS,
        operation_id="models",
        summary="List the upstream's models",
        response_class=Response,
        responses=ANSWERS,
        include_in_schema=shown,
    )
    async def models(request: Request, access: Caller) -> Response:
        """Forwarded to the upstream as it is."""
        return proxy.forward(request, b"")

    app.include_router(router)
    return proxy
