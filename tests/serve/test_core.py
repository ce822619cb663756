"""The server around its surfaces: who gets in, what is refused, what is counted and logged, how it starts and stops."""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from live_server import Serving, serve

from mnemos import StoreError
from mnemos.serve import Settings, create_app
from mnemos.serve.logs import JsonLines
from mnemos.serve.settings import is_loopback


def test_an_open_server_answers_localhost(serving: Serving) -> None:
    with serving.client() as client:
        assert client.get("/v1/health").json()["status"] == "ok"
        assert client.get("/v1/ready").json() == {"ready": True, "ledger": True, "worker": True}
        assert "mnemos_requests_total" in client.get("/metrics").text


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_an_open_server_answers_no_stranger(serving: Serving, headers: dict[str, str]) -> None:
    with serving.client() as client:
        refused = client.get("/metrics", headers=headers)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"


def test_the_first_key_closes_the_server(serving: Serving) -> None:
    key = serving.key(scopes=("metrics",))
    with serving.client() as client:
        refused = client.get("/metrics")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert client.get("/metrics", headers={"X-API-Key": key}).status_code == 200
        assert client.get("/metrics", headers={"X-API-Key": key[:-1]}).status_code == 401
        assert client.get("/v1/health").status_code == 200
        serving.server.keys.revoke(serving.server.keys.listed()[0].id, serving.server.now())
        assert client.get("/metrics", headers={"X-API-Key": key}).status_code == 401
        assert client.get("/metrics").status_code == 401


def test_a_key_lacks_what_it_was_not_given(serving: Serving) -> None:
    key = serving.key(scopes=("read",))
    with serving.client(key) as client:
        refused = client.get("/metrics")
    assert refused.status_code == 403
    assert "metrics" in refused.json()["detail"]


def test_a_key_makes_so_many_requests(tmp_path: Path) -> None:
    with serve(tmp_path / "data", rate=3) as running:
        busy, other = running.key(scopes=("metrics",)), running.key(scopes=("metrics",))
        with running.client(busy) as client:
            answers = [client.get("/metrics") for _ in range(5)]
        with running.client(other) as client:
            assert client.get("/metrics").status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_every_answer_has_a_request_id(serving: Serving) -> None:
    with serving.client() as client:
        assert client.get("/v1/health", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
        made = client.get("/v1/health", headers={"X-Request-ID": "no good"}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{16}", made)
        missing = client.get("/nowhere", headers={"X-Request-ID": "abc-2"})
    assert missing.json()["request_id"] == "abc-2"
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"


def test_a_body_has_a_bound(tmp_path: Path) -> None:
    with serve(tmp_path / "data", body_bytes=1000) as running, running.client() as client:
        told = client.post("/v1/health", content=b"x" * 1001)
        untold = client.post("/v1/memories", content=(b"x" * 100 for _ in range(11)))
    assert told.status_code == 413
    assert told.json()["type"] == "urn:mnemos:body-too-long"
    assert untold.status_code == 413


def test_counters_name_routes_and_no_ids(serving: Serving) -> None:
    with serving.client() as client:
        client.get("/some/secret-id")
        text = client.get("/metrics").text
    assert "secret-id" not in text
    assert 'route="unmatched"' in text


def test_a_line_in_the_log_is_json_without_the_text_of_an_error() -> None:
    try:
        raise ValueError("my sister Rita is vegan")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "it failed", (), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert line["error"] == "ValueError"
    assert line["message"] == "it failed"
    assert "Rita" not in json.dumps(line)


def test_without_a_key_it_listens_only_on_the_loopback(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="key create"):
        create_app(Settings(folder=tmp_path, host="0.0.0.0"))
    assert [is_loopback(host) for host in ("localhost", "127.8.8.8", "::1", "[::1]", "10.0.0.1", "mnemos.local")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_the_command_serves_and_stops_when_told(tmp_path: Path) -> None:
    port = _free_port()
    words = [sys.executable, "-m", "mnemos", "serve", "--data", str(tmp_path / "data"), "--port", str(port)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            for _ in range(400):
                try:
                    ready = client.get("/v1/ready")
                    break
                except httpx2.ConnectError:
                    time.sleep(0.05)
            assert ready.status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    assert process.returncode in (0, -signal.SIGTERM)
    assert said.startswith("OPEN: ")
    assert all(json.loads(line) for line in said.splitlines() if line.startswith("{"))
