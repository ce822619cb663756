"""What routes ask for: an `Access` with a scope, as FastAPI dependencies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from mnemos.serve.access import Access
from mnemos.serve.server import Server, server_of

bearer = HTTPBearer(auto_error=False, description="A key made by `mnemos key create`; open servers need none.")


def caller(channel: str, scope: str) -> Callable[..., Awaitable[Access]]:
    """A dependency: who asks through a channel, with a scope."""

    async def find(connection: HTTPConnection) -> Access:
        access = server_of(connection).access(connection, channel).need(scope)
        connection.scope["mnemos.tenant"] = access.tenant
        connection.scope["mnemos.key"] = access.key_id
        return access

    return find


ServerOf = Annotated[Server, Depends(server_of)]
Reader = Annotated[Access, Depends(caller("rest", "read"))]
Writer = Annotated[Access, Depends(caller("rest", "write"))]
Admin = Annotated[Access, Depends(caller("rest", "admin"))]
