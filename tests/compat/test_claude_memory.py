"""Claude's memory tool under the real package: its runner, its types, and its own tool on a folder as a measure."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.lib.tools import ToolError
from anthropic.lib.tools._beta_builtin_memory_tool import BetaLocalFilesystemMemoryTool
from anthropic.types.beta import BetaMemoryTool20250818CreateCommand, BetaMemoryTool20250818ViewCommand
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos import Mnemos
from mnemos.compat.claude_memory import AsyncClaudeMemoryTool, ClaudeMemoryTool

PATH = "/memories/ana.md"
SCRIPT: list[dict[str, Any]] = [
    {"command": "view", "path": "/memories"},
    {"command": "create", "path": PATH, "file_text": "Ana likes tea.\n"},
    {"command": "view", "path": "/memories/../etc/passwd"},
]
USAGE = {"input_tokens": 1, "output_tokens": 1}


class Claude:
    """Anthropic's side of the wire: asks for one command after the other, then says that it is done."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.heard.append(json.loads(request.content))
        turn = len(self.heard) - 1
        content: list[dict[str, Any]] = [{"type": "text", "text": "Done."}]
        if turn < len(SCRIPT):
            content = [{"type": "tool_use", "id": f"toolu_{turn}", "name": "memory", "input": SCRIPT[turn]}]
        reason = "tool_use" if turn < len(SCRIPT) else "end_turn"
        reply = {"id": f"msg_{turn}", "type": "message", "role": "assistant", "model": "claude", "content": content}
        return httpx2.Response(200, json={**reply, "stop_reason": reason, "stop_sequence": None, "usage": USAGE})

    def results(self) -> list[dict[str, Any]]:
        """What the runner sent back for each command."""
        messages = (message for heard in self.heard for message in heard["messages"])
        found = {block["tool_use_id"]: block for message in messages for block in blocks(message, "tool_result")}
        return list(found.values())


def blocks(message: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    if isinstance(message["content"], list):
        yield from (block for block in message["content"] if block["type"] == kind)


def check(claude: Claude, memory: Mnemos) -> None:
    assert claude.heard[0]["tools"] == [{"type": "memory_20250818", "name": "memory"}]
    listed, created, refused = claude.results()
    assert "0B\t/memories" in json.dumps(listed, ensure_ascii=False).replace("\\t", "\t")
    assert f"File created successfully at: {PATH}" in str(created["content"])
    assert refused["is_error"] is True
    assert "would escape /memories directory" in str(refused["content"])
    item = memory.get_item(PATH, user_id="ana")
    assert item is not None
    assert (item.value["content"], item.channel) == ("Ana likes tea.\n", "claude")


ASK: dict[str, Any] = {
    "model": "claude",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Remember that I like tea."}],
}


def test_the_tool_runner_drives_it(memory: Mnemos) -> None:
    claude = Claude()
    with httpx2.Client(transport=httpx2.MockTransport(claude)) as http:
        client = Anthropic(api_key="none", base_url="http://claude.test", http_client=http)
        tool = ClaudeMemoryTool(memory, user_id="ana")
        said = client.beta.messages.tool_runner(**ASK, tools=[tool]).until_done()
    assert [block.type for block in said.content] == ["text"]
    check(claude, memory)


def test_the_async_tool_runner_drives_it(memory: Mnemos) -> None:
    claude = Claude()

    async def run() -> None:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(claude)) as http:
            client = AsyncAnthropic(api_key="none", base_url="http://claude.test", http_client=http)
            tool = AsyncClaudeMemoryTool(memory, user_id="ana")
            await client.beta.messages.tool_runner(**ASK, tools=[tool]).until_done()

    asyncio.run(run())
    check(claude, memory)


def test_commands_as_objects_of_the_package(memory: Mnemos) -> None:
    tool = ClaudeMemoryTool(memory, cache_control={"type": "ephemeral"})
    assert tool.to_dict() == {"type": "memory_20250818", "name": "memory", "cache_control": {"type": "ephemeral"}}
    command = BetaMemoryTool20250818CreateCommand(command="create", path=PATH, file_text="text")
    assert tool.create(command) == tool.execute(command.model_copy(update={"path": "/memories/b"})).replace(
        "b", "ana.md"
    )
    view = BetaMemoryTool20250818ViewCommand(command="view", path=PATH, view_range=[1, 1])
    assert tool.view(view).endswith("     1\ttext")
    with pytest.raises(ToolError, match="already exists"):
        tool.create(command)
    assert tool.clear_all_memory() == "All memory cleared"
    assert memory.list().total == 0


@pytest.mark.parametrize(
    "given", [{}, {"command": "create"}, {"command": "fly"}, None, [], {"command": "view", "path": 3}]
)
def test_what_is_no_command_is_told_to_the_model(memory: Mnemos, given: object) -> None:
    with pytest.raises(ToolError, match="Error: "):
        ClaudeMemoryTool(memory).call(given)


def test_a_store_that_fails_is_told_without_its_whereabouts(memory: Mnemos, path: Path) -> None:
    tool = ClaudeMemoryTool(memory)
    memory.close()
    with pytest.raises(ToolError, match="cannot be used at the moment") as failed:
        tool.call({"command": "create", "path": PATH, "file_text": "text"})
    assert str(path) not in str(failed.value)


PATHS = st.sampled_from(["/memories", *(f"/memories/{name}" for name in ("a", "b", "b/c", "b/d", "b/c/e"))])
TEXTS = st.sampled_from(["", "\n", "x", "x\n", "x\ny", "x\nx", "\n\nx", "y\r\nx", "é\n"])
COMMANDS = st.one_of(
    st.fixed_dictionaries({"command": st.just("view"), "path": PATHS}),
    st.fixed_dictionaries({"command": st.just("create"), "path": PATHS, "file_text": TEXTS}),
    st.fixed_dictionaries(
        {"command": st.just("str_replace"), "path": PATHS, "old_str": st.sampled_from("xy"), "new_str": TEXTS}
    ),
    st.fixed_dictionaries(
        {"command": st.just("insert"), "path": PATHS, "insert_line": st.integers(-1, 4), "insert_text": TEXTS}
    ),
    st.fixed_dictionaries({"command": st.just("delete"), "path": PATHS}),
    st.fixed_dictionaries({"command": st.just("rename"), "old_path": PATHS, "new_path": PATHS}),
)


@settings(max_examples=40)
@given(commands=st.lists(COMMANDS, min_size=3, max_size=15))
def test_whatever_is_commanded_its_files_are_those_of_the_packages_own_tool(
    tmp_path: Path, commands: list[dict[str, Any]]
) -> None:
    folder = tmp_path / "own"
    shutil.rmtree(folder, ignore_errors=True)
    own = BetaLocalFilesystemMemoryTool(str(folder))
    with Mnemos(":memory:") as memory:
        tool = ClaudeMemoryTool(memory)
        for command in commands:
            expected = outcome(own, command)
            prune(folder / "memories")
            done = outcome(tool, command)
            assert (done is None) == (expected is None), (command, done, expected)
            if command["command"] in ("str_replace", "insert", "create", "delete", "rename"):
                assert done is None or command["command"] == "str_replace" or done == expected
            elif expected is not None and "with line numbers" in expected:
                assert done == expected
            assert files_of(memory) == written(folder)


def outcome(tool: Any, command: dict[str, Any]) -> str | None:
    """The reply, or None where there was an error (the package's own tool lets those of the system through)."""
    try:
        return str(tool.call(command))
    except (ToolError, OSError):
        return None


def prune(folder: Path) -> None:
    """Take out empty folders: ours exist through their files."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def written(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {f"/{path.relative_to(folder).as_posix()}": path.read_bytes().decode() for path in paths}


def files_of(memory: Mnemos) -> dict[str, str]:
    return {str(item.key): item.value["content"] for item in memory.list()}


def test_the_example_runs() -> None:
    example = Path(__file__).parents[2] / "examples" / "claude_memory.py"
    said = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=True).stdout
    assert "28B\t/memories/diet.md" in said
    assert said.endswith("Ana is allergic to walnuts.\n\n")
