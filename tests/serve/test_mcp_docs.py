"""docs/mcp.md: its blocks start what they say, and it names every tool, argument that narrows, and resource."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import serve
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_clients import asking, http
from openai.types.responses.tool_param import Mcp
from pydantic import TypeAdapter

from mnemos.serve.mcp.resources import RESOURCES
from mnemos.serve.mcp.tools import TOOLS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")


def blocks(language: str, *pages: str) -> Iterator[str]:
    for page in pages:
        yield from re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)


JSON = [json.loads(block) for block in blocks("json", PAGE)]
CLIENTS = [
    server
    for block in (*JSON, *map(json.loads, blocks("json", (ROOT / "README.md").read_text(encoding="utf-8"))))
    for group in ("mcpServers", "servers")
    for server in block.get(group, {}).values()
]
STARTED = [[server["command"], *server["args"]] for server in CLIENTS if "command" in server]
SHELL = [shlex.split(line) for block in blocks("sh", PAGE) for line in block.splitlines()]
ADDED = [words[words.index("--") + 1 :] for words in SHELL if words[:3] == ["claude", "mcp", "add"] and "--" in words]


def test_each_client_has_its_block() -> None:
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
    for client in ("Claude Desktop", "Claude Code", "Cursor", "VS Code", "ChatGPT"):
        assert "```" in parts[client], client
    assert len(STARTED) >= 3
    assert len(ADDED) == 1


@pytest.mark.parametrize("words", sorted({tuple(words) for words in [*STARTED, *ADDED]}), ids=" ".join)
def test_the_commands_start_and_answer(words: tuple[str, ...], tmp_path: Path) -> None:
    assert words[:2] == ("mnemos", "mcp")
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    started = StdioServerParameters(command=sys.executable, args=["-m", *words], env=home, cwd=tmp_path)
    with (
        (tmp_path / "log").open("w", encoding="utf-8") as log,
        asking(Client(stdio_client(started, errlog=log), mode="legacy")) as client,  # its first message is `initialize`
    ):
        assert client.client.server_info is not None
        assert client.client.server_info.name == "mnemos"
        client.add("My sister Rita is vegan.")
    assert (tmp_path / "mnemos.db").exists()


def test_the_addresses_and_headers_are_the_servers(tmp_path: Path) -> None:
    remote = [server for server in CLIENTS if "url" in server]
    added = [words for words in SHELL if words[:3] == ["claude", "mcp", "add"] and "--transport" in words]
    [tool] = [block for block in JSON if block.get("type") == "mcp"]
    TypeAdapter(Mcp).validate_python(tool)
    urls = [*(server["url"] for server in remote), *(words[6] for words in added), tool["server_url"]]
    shown = [server["headers"]["Authorization"] for server in remote]
    shown += [words[-1].removeprefix("Authorization: ") for words in added]
    assert {url.partition("://")[2].partition("/")[2] for url in urls} == {"mcp"}
    assert {url.partition("://")[2].partition("/")[0] for url in urls} == {"127.0.0.1:8765", "memory.example.org"}
    assert set(shown) == {"Bearer mnemos_…"}
    [made] = [words for words in SHELL if words[:3] == ["mnemos", "key", "create"]]
    with serve(tmp_path) as serving:
        named = dict(zip(made[3::2], made[4::2], strict=True))
        key = serving.key(named["--tenant"], namespaces=[named["--namespace"].split(",")], scopes=("read", "write"))
        with asking(http(serving.url, key, mode="legacy")) as client:
            id = client.add("My sister Rita is vegan.")
            assert client.ask("get_memory", id=id)["memory"]["namespace"] == ["user", "ana"]


def test_everything_is_named() -> None:
    for tool in TOOLS:
        assert f"`{tool.name}`" in PAGE, tool.name
    for resource in RESOURCES:
        assert f"`{resource.address}`" in PAGE, resource.address
    for name in ("kinds", "session_id", "since", "until", "min_trust", "filters", "user_id", "namespace"):
        assert f"`{name}`" in PAGE, name
