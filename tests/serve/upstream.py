"""A real service with OpenAI's API over HTTP that answers as it is told, streams in pieces, and notes what it got."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Body = dict[str, Any]
Script = Callable[[Body], Response | None]
"""What answers a request in place of the usual answer; None leaves it to that."""
ABOUT = {"id": "chatcmpl-1", "created": 1, "model": "scripted"}


class Upstream:
    """Answers "You said …" with the user's last text, whole or in pieces."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.script: list[Script] = []
        self.says: str | None = None
        self.gone = threading.Event()
        """Set when a caller went away in the middle of an endless answer."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def prompt(self, number: int = -1) -> str:
        """The last message of a request, as text."""
        content = self.bodies[number]["messages"][-1]["content"]
        return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)

    async def complete(self, request: Request) -> Response:
        raw = await request.body()
        self.raw.append(raw)
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not usable(body):
            return JSONResponse({"error": {"message": "no chat", "type": "invalid_request_error"}}, 400)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        scripted = self.script.pop(0)(body) if self.script else None
        if scripted is not None:
            return scripted
        said = self.says if self.says is not None else "I see."
        if body.get("stream"):
            return StreamingResponse(pieces(said, body), media_type="text/event-stream")
        return JSONResponse(answer(said, body.get("n") or 1), headers={"x-request-id": "up-1", "set-cookie": "a=b"})

    async def models(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        return JSONResponse({"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    def endless(self, body: Body) -> Response:
        """Pieces for as long as the caller listens."""

        async def stream() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield event({"delta": {"content": "on "}})
                    await asyncio.sleep(0.01)
            finally:
                self.gone.set()

        return StreamingResponse(stream(), media_type="text/event-stream")

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
                Route("/v1/models", self.models),
            ]
        )


def usable(body: object) -> bool:
    """Whether a request is one that can be answered."""
    if not isinstance(body, dict) or not isinstance(body.get("stream_options") or {}, dict):
        return False
    return body.get("n") is None or body["n"] in range(1, 9)


def answer(said: str, count: int = 1) -> Body:
    """A whole answer."""
    choices = [
        {"index": place, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        for place in range(count)
    ]
    return {**ABOUT, "object": "chat.completion", "choices": choices, "usage": {"total_tokens": 3}}


def event(choice: Body) -> bytes:
    """One piece of a streamed answer."""
    chunk = {**ABOUT, "object": "chat.completion.chunk", "choices": [{"index": 0, "finish_reason": None, **choice}]}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


async def pieces(said: str, body: Body) -> AsyncIterator[bytes]:
    """A streamed answer, a word at a time and cut in the middle of characters."""
    yield event({"delta": {"role": "assistant", "content": ""}})
    for word in said.split(" "):
        raw = event({"delta": {"content": f"{word} "}})
        yield raw[: len(raw) // 2]
        yield raw[len(raw) // 2 :]
        await asyncio.sleep(0)
    yield event({"delta": {}, "finish_reason": "stop"})
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        chunk = {**ABOUT, "object": "chat.completion.chunk", "choices": [], "usage": usage}
        yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


@contextmanager
def upstream() -> Iterator[Upstream]:
    """One at work, until the end of the `with`."""
    running = Upstream()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        running.port = free.getsockname()[1]
    config = uvicorn.Config(
        running.application(), port=running.port, log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="upstream")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield running
    finally:
        server.should_exit = True
        thread.join()
