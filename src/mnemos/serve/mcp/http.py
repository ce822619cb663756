"""`/mcp`: streamable HTTP. Each request stands for itself, with its own key; nothing is kept between two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mnemos.serve.mcp.caller import Caller
from mnemos.serve.mcp.protocol import Asked, build
from mnemos.serve.problems import problem
from mnemos.serve.server import Server

PATH = "/mcp"
CALLER = "mnemos.mcp.caller"
"""Where the caller of a request is kept beside it."""


class Endpoint:
    """The ASGI application at `/mcp`; it answers while `running()` lasts."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer requests inside."""
        self._manager = StreamableHTTPSessionManager(
            build(_caller_of),
            json_response=True,
            stateless=True,
            max_request_body_size=self._server.settings.body_bytes,
        )
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["mnemos.route"] = PATH
        request = Request(scope)
        access = self._server.access(request, "mcp")
        scope["mnemos.tenant"], scope["mnemos.key"] = access.tenant, access.key_id
        if request.method != "POST":
            detail = "this server keeps no sessions and opens no streams; send each request with POST"
            allowed = {"Allow": "POST"}
            answer = problem(405, "method-not-allowed", detail, scope.get("mnemos.request_id"), headers=allowed)
            await answer(scope, receive, send)
            return
        bound = access.namespaces is not None and len(access.namespaces) == 1
        scope[CALLER] = Caller(
            access,
            self._server.clock,
            fixed={} if bound else None,
            address=f"{request.base_url}ui/memory/",
            is_local=False,
        )
        assert self._manager is not None
        await self._manager.handle_request(scope, receive, send)


def install(app: FastAPI, server: Server) -> Endpoint:
    """Put the endpoint into an application; returns it, to be kept running for as long as the application."""
    endpoint = Endpoint(server)
    app.router.routes.append(Route(PATH, endpoint))
    return endpoint


def _caller_of(asked: Asked) -> Caller:
    assert asked.request is not None
    found: Caller = asked.request.scope[CALLER]
    return found
