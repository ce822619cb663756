"""The official MCP client, over each transport, and short ways to ask with it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent, TextResourceContents, Tool

COMMAND = [sys.executable, "-m", "mnemos"]


@asynccontextmanager
async def stdio(store: Path, *options: str, mode: str = "auto") -> AsyncIterator[Client]:
    """A client of a process of its own; what the process logs goes to `stderr.log` beside the store."""
    command, *words = COMMAND
    started = StdioServerParameters(command=command, args=[*words, "mcp", "--store", str(store), *options])
    with store.with_name("stderr.log").open("a", encoding="utf-8") as log:
        async with Client(stdio_client(started, errlog=log), mode=mode) as client:
            yield client


@asynccontextmanager
async def http(url: str, key: str | None = None, *, mode: str = "auto") -> AsyncIterator[Client]:
    """A client of a server, with a key."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as web,
        Client(streamable_http_client(f"{url}/mcp", http_client=web), mode=mode) as client,
    ):
        yield client


@dataclass(frozen=True)
class Asking:
    """A connected client, for tests that do not wait for anything themselves."""

    portal: BlockingPortal
    client: Client

    def call(self, tool: str, **told: Any) -> CallToolResult:
        """What a tool replies."""
        return self.portal.call(self.client.call_tool, tool, told)

    def ask(self, tool: str, **told: Any) -> dict[str, Any]:
        """What a tool answers to programs; it must succeed."""
        reply = self.call(tool, **told)
        assert not reply.is_error, said(reply)
        assert reply.structured_content is not None
        return reply.structured_content

    def text(self, tool: str, **told: Any) -> str:
        """What a tool answers to models; it must succeed."""
        reply = self.call(tool, **told)
        assert not reply.is_error, said(reply)
        return said(reply)

    def refused(self, tool: str, **told: Any) -> str:
        """What a tool says where it fails; it must."""
        reply = self.call(tool, **told)
        assert reply.is_error, said(reply)
        return said(reply)

    def add(self, text: str, **told: Any) -> str:
        """Add a memory; returns its id."""
        return str(self.ask("add_memory", text=text, **told)["memory"]["id"])

    def tools(self) -> dict[str, Tool]:
        """The tools that are offered."""
        return {tool.name: tool for tool in self.portal.call(self.client.list_tools).tools}

    def read(self, uri: str) -> str:
        """The text of a resource."""
        [content] = self.portal.call(self.client.read_resource, uri).contents
        assert isinstance(content, TextResourceContents)
        return content.text


@contextmanager
def asking(client: AbstractAsyncContextManager[Client]) -> Iterator[Asking]:
    """Connect a client until the end of the `with`."""
    with start_blocking_portal() as portal:
        connection = portal.wrap_async_context_manager(client)
        connected = connection.__enter__()
        try:
            yield Asking(portal, connected)
        finally:
            connection.__exit__(None, None, None)  # what fails in a test is not the client's to know


def said(reply: CallToolResult) -> str:
    """The text of a reply."""
    [content] = reply.content
    assert isinstance(content, TextContent)
    return content.text
