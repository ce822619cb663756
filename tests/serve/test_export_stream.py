"""An export is made as fast as it is read, lets go of the store in the end, and gives up on who reads nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import Serving
from waiting import until

from mnemos.serve.access import Access
from mnemos.serve.rest import exporting
from mnemos.serve.rest.exporting import ExportResponse, Lines
from mnemos.serve.server import Server
from mnemos.serve.settings import Settings

COUNT = 300


class Counted(Lines):
    """Counts its blocks."""

    pulls = 0

    def pull(self) -> bytes:
        self.pulls += 1
        return super().pull()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(exporting, "BLOCK", 2000)
    made = Server(Settings(folder=tmp_path / "data", open_stores=1))
    with made.tenants.use("default") as memory:
        memory.add([f"letter {n} from the north" for n in range(COUNT)])
    yield made
    made.close()


def lines_of(server: Server) -> Counted:
    return Counted(Access(server.tenants, server.desk, "default", "rest", frozenset(("read", "admin"))), {})


def is_let_go(server: Server) -> bool:
    """Whether nothing holds the store open: another one may take its place."""
    with server.tenants.use("other"):
        pass
    return server.tenants.open_names() == ["other"]


async def stream(server: Server, lines: Lines, send: Any) -> None:
    response = ExportResponse(await server.desk.run(lines.pull), lines, server.desk)
    await response.stream_response(send)


def test_a_slow_reader_slows_the_export(server: Server) -> None:
    lines = lines_of(server)
    sent: list[bytes] = []
    ahead: list[int] = []

    async def send(message: Any) -> None:
        if body := message.get("body"):
            sent.append(body)
            await asyncio.sleep(0)
            ahead.append(lines.pulls - len(sent))

    asyncio.run(stream(server, lines, send))
    assert len(sent) > 20
    assert set(ahead) == {0}, "a block is made when the one before was taken"
    rows = [json.loads(line) for line in b"".join(sent).splitlines()]
    assert rows[-1]["lines"] == len(rows) - 2 >= COUNT
    assert is_let_go(server)


def test_who_reads_nothing_is_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PATIENCE", 0.05)
    lines = lines_of(server)

    async def send(message: Any) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(stream(server, lines, send))
    assert lines.pulls == 1
    assert is_let_go(server)


def test_a_caller_that_goes_away_ends_its_export(server: Server) -> None:
    lines = lines_of(server)

    async def leave() -> None:
        reached = asyncio.Event()

        async def send(message: Any) -> None:
            if message.get("body"):
                reached.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(stream(server, lines, send))
        await reached.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(leave())
    assert lines.pulls == 1
    assert lines.pull() == b""
    assert is_let_go(server)


def test_an_export_is_of_one_moment(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BLOCK", 100)
    with serving.client() as client:
        client.post("/v1/memories", json={"messages": [f"letter {n}" for n in range(COUNT)]})
        with client.stream("GET", "/v1/export") as export:
            parts = export.iter_bytes(100)
            first = next(parts)
            with serving.client() as other:
                assert other.post("/v1/memories", json={"messages": "too late"}).status_code == 201
            whole = first + b"".join(parts)
        assert b"too late" not in whole
        rows = [json.loads(line) for line in whole.splitlines()]
        assert sum(row.get("type") == "entry" for row in rows) == COUNT
        with client.stream("GET", "/v1/export") as export:
            next(export.iter_bytes(100))
        until(lambda: not serving.server.desk.waiting("call"))
        assert b"too late" in client.get("/v1/export").content
