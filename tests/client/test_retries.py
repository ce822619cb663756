"""When a call is made again, and when it is not, against a server that fails by script; arguments that are refused."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx2
import pytest
from scripted_server import Answer, Body, Handler, ScriptedServer, hang_up, reply, running, stall, status

from mnemos import InvalidInput, MnemosError, StoreBusy, StoreFull
from mnemos.client import AsyncClient, BadReply, Client, RateLimited, ServerError, Unreachable
from mnemos.client.errors import wait_of

KEY = "mnemos_0123456789abcdef"


class Noting(ScriptedServer):
    """Remembers the Idempotency-Key of each request."""

    def __init__(self) -> None:
        super().__init__(self.found)
        self.once: list[str | None] = []

    def found(self, handler: Handler, body: Body) -> None:
        self.once.append(handler.headers["Idempotency-Key"])
        reply(handler, 200, {"hits": [], "total": 0, "more": 0, "memories": []})


def noted(answer: Answer) -> Answer:
    """An answer before which the Idempotency-Key is noted."""

    def give(handler: Handler, body: Body) -> None:
        handler.server.once.append(handler.headers["Idempotency-Key"])
        answer(handler, body)

    return give


def problem(code: int, name: str, **headers: str) -> Answer:
    said = {"type": f"urn:mnemos:{name}", "title": "No", "status": code, "detail": "not now", "request_id": "r1"}
    return noted(status(code, said, **headers))


def cut(handler: Handler, body: Body) -> None:
    """A part of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"hits": [')
    handler.close_connection = True


@pytest.fixture
def server() -> Iterator[Noting]:
    with running(Noting()) as started:
        yield started


@pytest.fixture
def memory(server: Noting, kind: Any, pauses: list[float]) -> Iterator[Any]:
    with closing(kind(server.url.removesuffix("/v1"), KEY, timeout=5)) as client:
        yield client


@pytest.mark.parametrize(
    "failing", [noted(hang_up), noted(cut), problem(503, "too-busy"), noted(status(502, b"<html>"))]
)
def test_reads_and_writes_are_made_again_and_done_once(
    memory: Any, server: Noting, pauses: list[float], failing: Answer
) -> None:
    server.script = [failing, failing]
    assert memory.add("x") == []
    assert len(server.once) == 3
    assert len(set(server.once)) == 1
    assert server.once[0]
    assert len(pauses) == 2
    assert pauses[0] < pauses[1] < 1
    server.script = [failing]
    assert memory.search("x") == []
    assert server.once[3:] == [None, None]
    assert memory.add("x") == []
    assert server.once[5] not in (server.once[0], None)
    assert set(server.keys) == {f"Bearer {KEY}"}


def test_the_server_says_how_long_to_wait(memory: Any, server: Noting, pauses: list[float]) -> None:
    server.script = [problem(429, "too-many", Retry_After="7"), problem(503, "store-busy", Retry_After="0")]
    memory.search("x")
    assert pauses == [7, 0]
    server.script = [problem(429, "too-many", Retry_After="3600")]
    with pytest.raises(RateLimited, match="not now") as refused:
        memory.search("x")
    assert refused.value.wait == 3600
    assert pauses == [7, 0]


def test_dates_too() -> None:
    assert wait_of({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert (wait_of({"retry-after": "Wed, 21 Oct 2415 07:28:00 GMT"}) or 0) > 1e9
    assert wait_of({"retry-after": "soon"}) is None


def test_it_gives_up_in_the_end(memory: Any, server: Noting, pauses: list[float]) -> None:
    server.script = [problem(503, "store-busy", Retry_After="1")] * 9
    with pytest.raises(StoreBusy, match="not now"):
        memory.add("x")
    assert len(server.once) == 4
    assert pauses == [1, 1, 1]
    server.script = [hang_up] * 9
    with pytest.raises(Unreachable, match="no answer"):
        memory.search("x")


@pytest.mark.parametrize(
    ("answer", "kind_of_error", "words"),
    [
        (problem(507, "store-full"), StoreFull, "not now"),
        (problem(413, "body-too-long"), ServerError, "not now"),
        (problem(500, "internal-server-error"), ServerError, "not now"),
        (noted(status(404, b"<html>no such page</html>")), ServerError, "answered 404"),
        (noted(status(307, b"", Location="http://127.0.0.1:9/v1/search")), ServerError, "answered 307"),
        (noted(status(200, b"<html>hello</html>")), BadReply, "not JSON"),
        (noted(status(200, {"results": []})), BadReply, "no 'hits'"),
        (noted(status(200, {"hits": [{"score": "high"}], "total": 1})), BadReply, "score is a str"),
        (noted(status(200, {"hits": [{"score": 0.5}], "total": 1})), BadReply, "lacks a field"),
        (noted(status(200, [])), BadReply, "not an object"),
    ],
)
def test_what_will_not_pass_is_told_at_once(
    memory: Any, server: Noting, pauses: list[float], answer: Answer, kind_of_error: type[MnemosError], words: str
) -> None:
    server.script = [answer] * 3
    with pytest.raises(kind_of_error, match=words) as failed:
        memory.search("x")
    assert len(server.once) == 1
    assert pauses == []
    assert KEY not in str(failed.value)


def test_a_late_answer_is_no_answer(server: Noting, kind: Any) -> None:
    server.script = [noted(stall)]
    with closing(kind(server.url.removesuffix("/v1"), timeout=0.2, retries=0)) as memory:
        with pytest.raises(Unreachable):
            memory.search("x")
        server.done.set()


def test_a_server_that_is_not_there(kind: Any) -> None:
    with closing(kind("http://127.0.0.1:9", retries=1)) as memory, pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        memory.search("x")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"url": "localhost:8765"}, "url"),
        ({"url": "ftp://localhost"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://ana:secret@localhost"}, "url"),
        ({"url": "http://localhost/v1/"}, "url"),
        ({"url": "http://localhost?x=1"}, "url"),
        ({"url": "http://local\x00host"}, "url"),
        ({"url": None}, "url"),
        ({"key": ""}, "key"),
        ({"key": "a\r\nb"}, "key"),
        ({"key": "schlüssel"}, "key"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"retries": -1}, "retries"),
        ({"retries": True}, "retries"),
    ],
)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_arguments_are_read(client: Callable[..., Any], arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        client(**arguments)
    assert refused.value.field == field
    assert "secret" not in str(refused.value)


def test_a_closed_client_says_so(server: Noting, kind: Any) -> None:
    memory = kind(server.url.removesuffix("/v1"))
    memory.close() if kind is Client else memory._runner.run(memory._client.close())
    with pytest.raises(InvalidInput, match="closed"):
        memory.search("x")
    memory.close()
    assert server.paths == []


def test_a_transport_of_ones_own(server: Noting) -> None:
    with Client(server.url.removesuffix("/v1"), transport=httpx2.HTTPTransport(retries=1)) as memory:
        assert memory.search("x") == []
    assert KEY not in repr(Client("http://localhost/m", KEY))
    assert repr(memory) == f"Client({server.url.removesuffix('/v1')!r})"
    gc.collect()


def test_a_pause_is_a_pause(server: Noting) -> None:
    server.script = [problem(503, "too-busy", Retry_After="0.05")]
    began = time.monotonic()
    with Client(server.url.removesuffix("/v1")) as memory:
        memory.search("x")
    assert time.monotonic() - began >= 0.05
