"""Connections that are killed after the server has done what was asked: what is asked again is done once."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from live_server import Serving

from mnemos.client import Unreachable


class Cutting(BaseHTTPRequestHandler):
    """Passes a request on, and kills the connection before the answer, as often as it is told."""

    server: Any
    protocol_version = "HTTP/1.1"

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.behind)) as there:
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            blob = answer.read()
        self.server.passed.append(self.command)
        if self.server.cuts:
            self.server.cuts -= 1
            self.close_connection = True
            return
        self.server.replayed.append(answer.getheader("Idempotency-Replayed") == "true")
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Length"):
            self.send_header(name, str(answer.getheader(name)))
        self.end_headers()
        self.wfile.write(blob)

    def log_message(self, format: str, *args: object) -> None:
        pass


for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(Cutting, f"do_{method}", Cutting.pass_on)


@pytest.fixture
def wire(serving: Serving) -> Iterator[Any]:
    relay: Any = ThreadingHTTPServer(("127.0.0.1", 0), Cutting)
    relay.behind, relay.cuts, relay.passed, relay.replayed = int(serving.url.rsplit(":", 1)[1]), 0, [], []
    thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield relay
    finally:
        relay.shutdown()
        thread.join()
        relay.server_close()


def test_each_write_is_done_once(wire: Any, kind: Any) -> None:
    with closing(kind(f"http://127.0.0.1:{wire.server_port}")) as memory:
        wire.cuts = 2
        (added,) = memory.add("I live in Lisbon.", user_id="ana")
        assert added.is_new
        assert wire.passed == ["POST"] * 3
        (again,) = memory.add("I live in Lisbon.", user_id="ana")
        assert again.id != added.id

        wire.cuts = 1
        assert memory.update(added.id, text="I live in Porto.").version == 2
        wire.cuts = 1
        assert memory.pin(added.id).pinned
        assert [one.op for one in memory.history(added.id) if one.op in ("update", "pin")] == ["update", "pin"]
        wire.cuts = 1
        assert added.id in memory.delete(added.id).ids
        wire.cuts = 1
        assert memory.search("Lisbon", user_id="ana", kinds=["turn"]).total == 1
        assert wire.replayed == [True, False, True, True, False, True, False]
        wire.cuts = 99
        with pytest.raises(Unreachable):
            memory.get(again.id)
        assert wire.cuts == 95


def test_without_its_package_it_says_how_to_get_it() -> None:
    code = "import sys; sys.modules['httpx2'] = None\nimport mnemos.client"
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert failed.returncode == 1
    assert 'pip install "mnemos[client]"' in failed.stderr.splitlines()[-1]
