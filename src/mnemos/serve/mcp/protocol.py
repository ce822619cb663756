"""The MCP server: its handlers over the tools and resources, the same for both transports."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextContent,
    TextResourceContents,
)
from pydantic import ValidationError

from mnemos._version import __version__
from mnemos.errors import InvalidInput, MnemosError, StoreError
from mnemos.serve.mcp import arguments, resources
from mnemos.serve.mcp.caller import Caller
from mnemos.serve.mcp.tools import INSTRUCTIONS, TOOLS, Tool

Asked = ServerRequestContext[Any, Any]
FindCaller = Callable[[Asked], Caller]
log = logging.getLogger("mnemos.serve")


def build(caller_of: FindCaller, tools: Sequence[Tool] = TOOLS) -> Server[Any]:
    """The server; `caller_of` tells who asks, of each request."""
    named = {tool.name: tool for tool in tools}

    async def list_tools(asked: Asked, params: PaginatedRequestParams | None) -> ListToolsResult:
        caller = caller_of(asked)
        return ListToolsResult(tools=[tool.described(caller) for tool in tools if tool.scope in caller.access.scopes])

    async def call_tool(asked: Asked, params: CallToolRequestParams) -> CallToolResult:
        tool, caller = named.get(params.name), caller_of(asked)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"there is no tool {params.name[:80]!r}; take one of tools/list")
        try:
            return await _call(tool, caller, params.arguments or {})
        except MnemosError as error:
            return CallToolResult(content=[TextContent(text=say(error, caller))], is_error=True)

    async def list_resources(asked: Asked, params: PaginatedRequestParams | None) -> ListResourcesResult:
        found = resources.offered(caller_of(asked))
        return ListResourcesResult(resources=[one.described() for one in found if not one.is_template])

    async def list_templates(asked: Asked, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        found = resources.offered(caller_of(asked))
        return ListResourceTemplatesResult(
            resource_templates=[one.described_template() for one in found if one.is_template]
        )

    async def read_resource(asked: Asked, params: ReadResourceRequestParams) -> ReadResourceResult:
        caller, uri = caller_of(asked), str(params.uri)
        try:
            caller.access.need("read")
            found = resources.find(uri, caller)
            if found is None:
                raise MCPError(INVALID_PARAMS, "there is no such resource; take one of resources/list", {"uri": uri})
            one, told = found
            text = await caller.access.call(lambda memory: one.work(memory, caller, told))
        except MnemosError as error:
            raise MCPError(INVALID_PARAMS, say(error, caller), {"uri": uri}) from None
        return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, text=text, mime_type=one.mime)])

    server: Server[Any] = Server(
        "mnemos",
        version=__version__,
        title="Mnemos",
        instructions=INSTRUCTIONS,
        get_tool_input_schema=lambda name: None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )
    server.middleware.append(_guard)
    return server


async def _call(tool: Tool, caller: Caller, given: dict[str, Any]) -> CallToolResult:
    caller.access.need(tool.scope)
    told = arguments.read(tool.takes, given, fixed=caller.fixed is not None)
    answer = await caller.access.call(lambda memory: tool.work(memory, caller, told), lane=tool.lane)
    return CallToolResult(content=[TextContent(text=answer.readable())], structured_content=answer.content())


def say(error: MnemosError, caller: Caller) -> str:
    """What went wrong and how to mend it. What a store says about its file is for its owner only."""
    if isinstance(error, InvalidInput):
        mend = error.mend.replace(" or pass timezone=", "")
        return f"{arguments.argument(error.field)}: {error.problem}; {mend}"
    if isinstance(error, StoreError) and not caller.is_local:
        return "the store cannot be used at the moment; try again, or see the server's log"
    return str(error)


async def _guard(ctx: Asked, call_next: CallNext) -> HandlerResult:
    """Let nothing unforeseen out but that it happened."""
    try:
        return await call_next(ctx)
    except MCPError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        field, said = ".".join(map(str, first["loc"])), str(first["msg"])
        told = f"{field}: {said[:1].lower() + said[1:]}; send what the protocol's schema says"
        raise MCPError(INVALID_PARAMS, told) from None
    except Exception:
        log.exception("a request of MCP failed", extra={"fields": {"method": ctx.method}})
        raise MCPError(INTERNAL_ERROR, "something went wrong; the server's log says what") from None
