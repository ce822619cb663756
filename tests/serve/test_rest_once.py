"""Idempotency-Key: a write that comes again does nothing, is answered alike, and leaves no word behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_server import Serving, serve

from mnemos import Mnemos
from mnemos.serve import idempotency

KEY = {"Idempotency-Key": "6f1c1d3e"}


@pytest.fixture
def client(serving: Serving) -> Iterator[httpx2.Client]:
    with serving.client(serving.key()) as client:
        yield client


def count(client: httpx2.Client) -> int:
    return int(client.get("/v1/memories?user_id=ana&kinds=turn").json()["total"])


def ids(reply: httpx2.Response) -> Any:
    """What an answer is about; what derivation changes meanwhile is left out."""
    told = reply.json()
    return [(one["id"], one["text"], one["is_new"]) for one in told.get("memories", [])] or told.get("id", told)


def body(*messages: Any, **told: Any) -> dict[str, Any]:
    return {"messages": list(messages), "user_id": "ana", **told}


def test_a_repeated_add_stores_nothing_and_is_answered_alike(client: httpx2.Client) -> None:
    sent = body("I have a dog.", {"content": "He is called Milo."})
    first = client.post("/v1/memories", json=sent, headers=KEY)
    again = client.post("/v1/memories", json=sent, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert ids(again) == ids(first)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert count(client) == 2
    without = client.post("/v1/memories", json=sent)
    assert [one["is_new"] for one in without.json()["memories"]] == [True, True]


def test_every_write_is_done_once(client: httpx2.Client) -> None:
    (one,) = client.post("/v1/memories", json=body("I have a dog.")).json()["memories"]
    path = f"/v1/memories/{one['id']}"
    writes: list[tuple[str, str, Any]] = [
        ("PATCH", path, {"text": "I have two dogs."}),
        ("DELETE", path, None),
        ("DELETE", "/v1/memories?user_id=ana", None),
    ]
    for place, (method, target, sent) in enumerate(writes):
        replies = [
            client.request(method, target, json=sent, headers={"Idempotency-Key": f"k{place}"}) for _ in range(3)
        ]
        assert {reply.status_code for reply in replies} == {200}, replies[0].text
        assert ids(replies[0]) == ids(replies[1]) == ids(replies[2])
    assert len(client.get(f"{path}/history").json()["changes"]) == 3


def test_a_key_means_one_request(serving: Serving, client: httpx2.Client) -> None:
    assert client.post("/v1/memories", json=body("one"), headers=KEY).status_code == 201
    other = client.post("/v1/memories", json=body("two"), headers=KEY)
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert client.delete("/v1/memories?user_id=ana", headers=KEY).status_code == 422
    with serving.client(serving.key()) as another:
        assert another.post("/v1/memories", json=body("two"), headers=KEY).status_code == 201
    assert count(client) == 2


def test_what_was_refused_may_come_again_mended(client: httpx2.Client) -> None:
    assert client.post("/v1/memories", json=body(" "), headers=KEY).status_code == 422
    assert client.post("/v1/memories", json=body("mended"), headers=KEY).status_code == 201


def test_what_was_deleted_since_does_not_come_back(client: httpx2.Client) -> None:
    (one,) = client.post("/v1/memories", json=body("gone"), headers=KEY).json()["memories"]
    client.delete(f"/v1/memories/{one['id']}")
    again = client.post("/v1/memories", json=body("gone"), headers=KEY)
    assert (again.status_code, again.json()["type"]) == (409, "urn:mnemos:deleted-since")
    assert count(client) == 0


def test_a_repeat_while_the_first_is_in_hand_is_told_so(
    serving: Serving, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    add = Mnemos.add

    def slow(self: Mnemos, *args: Any, **told: Any) -> Any:
        begun.set()
        go_on.wait(20)
        return add(self, *args, **told)

    monkeypatch.setattr(Mnemos, "add", slow)
    replies: list[httpx2.Response] = []
    first = threading.Thread(
        target=lambda: replies.append(client.post("/v1/memories", json=body("slowly"), headers=KEY))
    )
    first.start()
    try:
        assert begun.wait(20)
        with serving.client(client.headers["authorization"].split()[1]) as other:
            early = other.post("/v1/memories", json=body("slowly"), headers=KEY)
    finally:
        go_on.set()
        first.join()
    assert (early.status_code, early.json()["type"]) == (409, "urn:mnemos:in-hand")
    assert early.headers["retry-after"] == "1"
    assert replies[0].status_code == 201
    late = client.post("/v1/memories", json=body("slowly"), headers=KEY)
    assert ids(late) == ids(replies[0])


def test_a_key_is_forgotten_after_a_day(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.post("/v1/memories", json=body("one"), headers=KEY)
    monkeypatch.setattr(idempotency, "KEPT", -60_000_000)
    later = client.post("/v1/memories", json=body("two"), headers=KEY)
    assert later.status_code == 201
    assert count(client) == 2


def test_the_ledger_holds_no_word(serving: Serving, client: httpx2.Client) -> None:
    sent = body("Zanzibar is where Quetzalcoatl lives.", metadata={"mood": "Xylophone"})
    assert client.post("/v1/memories", json=sent, headers=KEY).status_code == 201
    folder = serving.server.settings.folder
    held = b"".join(path.read_bytes() for path in folder.glob("serve.db*"))
    assert not [word for word in (b"Zanzibar", b"Quetzal", b"Xylophone", b"6f1c1d3e") if word in held]


DIES = """
import os, signal, sys
from pathlib import Path
from mnemos.serve import Settings, create_app
from mnemos.serve.idempotency import Answered
from mnemos.serve.run import listener
Answered.done = lambda *told: os.kill(os.getpid(), signal.SIGKILL)
settings = Settings(folder=Path(sys.argv[1]), port=int(sys.argv[2]))
listener(create_app(settings), settings).run()
"""
"""A server that is killed after it has carried out a write with a key, and before it could note that."""


def interrupted(folder: Path, sent: dict[str, Any] | None, method: str, path: str) -> httpx2.Response:
    """The answer to a write that was made again, after the first server was killed in the middle of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", DIES, folder, str(port)], stderr=subprocess.DEVNULL)
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
        while process.poll() is None:
            try:
                client.get("/v1/ready")
                break
            except httpx2.ConnectError:
                time.sleep(0.05)
        with pytest.raises(httpx2.TransportError):
            client.request(method, path, json=sent, headers=KEY)
    assert process.wait(30) == -signal.SIGKILL
    with serve(folder) as running, running.client() as client:
        return client.request(method, path, json=sent, headers=KEY)


def test_an_add_whose_server_died_before_it_could_note_it_is_stored_once(tmp_path: Path) -> None:
    dated = {"content": "Dated.", "happened_at": "2026-03-02T18:40:00Z"}
    again = interrupted(tmp_path, body("Undated.", "Undated.", dated), "POST", "/v1/memories")
    assert (again.status_code, [one["is_new"] for one in again.json()["memories"]]) == (201, [False, False, False])
    with serve(tmp_path) as running, running.client() as client:
        assert count(client) == 3


def test_a_delete_whose_server_died_before_it_could_note_it_is_answered(tmp_path: Path) -> None:
    with serve(tmp_path) as running, running.client() as client:
        (one,) = client.post("/v1/memories", json=body("gone")).json()["memories"]
    again = interrupted(tmp_path, None, "DELETE", f"/v1/memories/{one['id']}")
    assert (again.status_code, again.json()) == (200, {"ids": [one["id"]], "purge": "done"})


def test_a_job_whose_server_died_before_it_could_note_it_is_queued_once(tmp_path: Path) -> None:
    again = interrupted(tmp_path, {"count": 5, "user_id": "ana"}, "POST", "/v1/forget")
    assert again.status_code == 202
    with serve(tmp_path) as running, running.client() as client:
        assert [one["id"] for one in client.get("/v1/jobs").json()["jobs"]] == [again.json()["id"]]
