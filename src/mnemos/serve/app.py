"""The application: every surface on one server."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI
from starlette.types import Scope

from mnemos._version import __version__
from mnemos.recall.cores import stay_on_one_core
from mnemos.serve import console, health, mem0, problems, rest
from mnemos.serve.envelope import Envelope
from mnemos.serve.mcp import http as mcp
from mnemos.serve.openapi import Application
from mnemos.serve.proxy import routes as proxy
from mnemos.serve.server import Server
from mnemos.serve.settings import Settings
from mnemos.times import utc_now

ABOUT = "Memory for language models and agents: add what was said, search it, put it into prompts."

TURN = 0.0005
"""Seconds for which a thread may keep the interpreter while others wait. A search gives it away at every matrix
product, and would else wait 5 ms at each for a thread that derives."""


def create_app(settings: Settings, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The ASGI application of a server.

    Raises:
        StoreError: the folder cannot be used, or there is no key and the address is not the loopback.
    """
    server = Server(settings, clock)
    try:
        server.check_start()
    except BaseException:
        server.close()
        raise

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stay_on_one_core()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(TURN)
        server.worker.warm_up_first()
        server.worker.start()
        try:
            async with endpoint.running(), forwarding.running():
                yield
        finally:
            server.close()
            sys.setswitchinterval(interval)

    app = Application(
        title="Mnemos",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.mnemos = server
    problems.install(app)
    forwarding = proxy.install(app, server)
    app.include_router(health.router)
    app.include_router(rest.router)
    app.include_router(mem0.router)
    endpoint = mcp.install(app, server)
    console.install(app, server)
    app.add_middleware(Envelope, metrics=server.metrics, limit=_limit(settings))
    return app


def _limit(settings: Settings) -> Callable[[Scope], int]:
    """How long the body of a request may be."""

    def most(scope: Scope) -> int:
        if scope["path"] in UPLOADS:
            return settings.upload_bytes
        return settings.chat_bytes if scope["path"] == proxy.CHAT else settings.body_bytes

    return most


UPLOADS = frozenset(("/v1/import", "/ui/import"))
"""Paths that take files."""
