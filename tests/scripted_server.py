"""A real local HTTP server that answers JSON as its script says: well, badly, late, or not at all."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

Body = dict[str, Any]
Answer = Callable[["Handler", Body], None]
S = TypeVar("S", bound="ScriptedServer")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Any

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.seen.append(body)
        server.paths.append(self.path)
        server.keys.append(self.headers["Authorization"])
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            (server.script.pop(0) if server.script else server.usual)(self, body)

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.keys.append(self.headers["Authorization"])
        reply(self, 200, {})

    def log_message(self, format: str, *args: object) -> None:
        pass


class ScriptedServer(ThreadingHTTPServer):
    """Answers with the next of its script, and as usual once that is used up; remembers every request it got."""

    def __init__(self, usual: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.usual = usual
        self.script: list[Answer] = []
        self.seen: list[Body] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.done = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


@contextmanager
def running(server: S) -> Iterator[S]:
    """The server at work, in a thread."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.done.set()
            server.shutdown()
            thread.join()


def reply(handler: Handler, status: int, body: object, **headers: str) -> None:
    blob = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(blob)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(blob)


def status(code: int, said: object = "", **headers: str) -> Answer:
    return lambda handler, body: reply(handler, code, said, **headers)


def stall(handler: Handler, body: Body) -> None:
    """No answer, for long."""
    handler.server.done.wait(10)


def hang_up(handler: Handler, body: Body) -> None:
    """No answer at all."""
    handler.close_connection = True
