"""`mnemos mcp` as a process: what it writes where, how it ends, and several on one file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import anyio
from mcp_clients import COMMAND, Asking, asking, stdio
from mcp_types import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR

from mnemos import Mnemos

WORDS = "zebras and okapis"
Process = subprocess.Popen[str]


BARE_AND_NOISY = """
import os, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("fastapi", "prometheus_client", "limits", "jinja2"):
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Absent())
from mnemos import Mnemos
from mnemos.cli import main

def search(*words, **told):
    print("noise")
    os.write(1, b"noise")
    return quiet(*words, **told)

quiet, Mnemos.search = Mnemos.search, search
main(["mcp", "--store", sys.argv[1]])
"""


def request(id: int, method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def called(id: int, tool: str, **told: Any) -> str:
    return request(id, "tools/call", name=tool, arguments=told)


HELLO = (
    request(
        1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "test", "version": "1"}
    ),
    json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
)


def piped(store: Path, *lines: str) -> tuple[dict[Any, Any], str]:
    """What that process answers, by id, where all is written at once and the input closed; and what it logs."""
    done = subprocess.run(
        [sys.executable, "-c", BARE_AND_NOISY, str(store)],
        input="".join(f"{line}\n" for line in (*HELLO, *lines)),
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(one["jsonrpc"] == "2.0" and ("result" in one) != ("error" in one) for one in answers)
    return {one["id"]: one for one in answers}, done.stderr


def started(store: Path) -> Process:
    """A process that has answered `initialize`."""
    process = subprocess.Popen(
        [*COMMAND, "mcp", "--store", str(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    tell(process, *HELLO)
    assert json.loads(pipe(process.stdout).readline())["result"]["serverInfo"]["name"] == "mnemos"
    return process


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def tell(process: Process, *lines: str) -> None:
    pipe(process.stdin).write("".join(f"{line}\n" for line in lines))
    pipe(process.stdin).flush()


def test_standard_output_carries_the_protocol_and_nothing_else_and_no_web_framework_is_needed(tmp_path: Path) -> None:
    answers, logged = piped(
        tmp_path / "a.db",
        called(2, "add_memory", text=WORDS),
        "{" + WORDS,
        "[1]",
        called(3, "no_such_tool", text=WORDS),
        request(4, "tools/call", name="add_memory", arguments=[WORDS]),
        called(5, "add_memory", txt=WORDS),
        request(6, "no/such/method"),
        '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"fetch","arguments":{"id":"\\ud83d"}}}',
        request(8, "resources/read", uri=f"mnemos://{WORDS}"),
        called(9, "search_memories", query=WORDS),
    )
    assert answers.keys() == {None, *range(1, 10)}
    assert answers[None]["error"]["code"] in (PARSE_ERROR, INVALID_REQUEST)
    codes = {id: answers[id]["error"]["code"] for id in (3, 4, 6, 7, 8)}
    assert codes == {3: INVALID_PARAMS, 4: INVALID_PARAMS, 6: METHOD_NOT_FOUND, 7: PARSE_ERROR, 8: INVALID_PARAMS}
    assert answers[4]["error"]["message"].startswith("params.arguments: ")
    assert answers[2]["result"]["isError"] is False
    assert answers[5]["result"]["isError"] is True
    assert answers[9]["result"]["isError"] is False
    assert "zebra" not in logged
    assert logged.count("noise") == 2


def test_a_signal_ends_it_quietly(tmp_path: Path) -> None:
    with started(tmp_path / "a.db") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert (pipe(process.stdout).read(), pipe(process.stderr).read()) == ("", "")


def test_a_client_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    with started(tmp_path / "a.db") as process:
        pipe(process.stdout).close()
        tell(process, called(2, "add_memory", text=WORDS))
        assert process.wait(20) == 141
        assert pipe(process.stderr).read() == ""
        pipe(process.stdin).close()
    with Mnemos(tmp_path / "a.db") as memory:
        assert memory.list(kinds=["turn"]).total == 1


def test_a_scope_that_is_fixed_is_not_asked_for(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    with Mnemos(store) as memory:
        [foreign] = memory.add("Bob's own secret.", user_id="bob")
    with asking(stdio(store, "--user", "ana")) as ana:
        for tool in ana.tools().values():
            assert not {"user_id", "namespace"} & tool.input_schema["properties"].keys()
        id = ana.add(WORDS)
        assert ana.ask("get_memory", id=id)["memory"]["namespace"] == ["user", "ana"]
        assert "leave it out" in ana.refused("search_memories", query="x", user_id="bob")
        assert WORDS in ana.read("mnemos://recent")
        unknown = ana.refused("get_memory", id=id[:-4] + "0000").replace(id[:-4] + "0000", foreign.id)
        for tool in ("get_memory", "fetch", "delete_memory"):
            assert ana.refused(tool, id=foreign.id) == unknown
        assert ana.refused("update_memory", id=foreign.id, text="mine") == unknown
    with Mnemos(store) as memory:
        kept = memory.get(foreign.id)
        assert kept is not None
        assert kept.text == "Bob's own secret."


def test_two_processes_write_one_file_at_once(tmp_path: Path) -> None:
    store, each = tmp_path / "a.db", 20

    async def write(client: Asking, name: str) -> list[str]:
        replies: list[str] = []

        async def one(n: int) -> None:
            reply = await client.client.call_tool("add_memory", {"text": f"{name} saw animal number {n}."})
            assert reply.structured_content is not None
            replies.append(reply.structured_content["memory"]["id"])

        async with anyio.create_task_group() as group:
            for n in range(each):
                group.start_soon(one, n)
        return replies

    with asking(stdio(store)) as first, asking(stdio(store)) as second:
        futures = [one.portal.start_task_soon(write, one, name) for one, name in ((first, "Ana"), (second, "Ben"))]
        ids = {id for future in futures for id in future.result()}
        assert len(ids) == 2 * each
        for client in (first, second):
            listed = client.ask("list_memories", limit=100, kinds=["turn"])
            assert {one["id"] for one in listed["memories"]} == ids
            found = client.ask("search_memories", query="animal number 7", limit=4, kinds=["turn"])["results"]
            assert {hit["text"] for hit in found} >= {f"{name} saw animal number 7." for name in ("Ana", "Ben")}
    with Mnemos(store) as memory:
        assert memory.check() == []
        assert {one.id for one in memory.list(kinds=["turn"])} == ids
