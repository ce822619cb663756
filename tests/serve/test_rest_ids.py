"""Ids of others: whatever is asked about one is answered, to the byte, as it is about one that never was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_server import Serving, serve

NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"
ASKED = {"X-Request-ID": "same"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serve(tmp_path_factory.mktemp("ids") / "data", rate=100_000) as serving:
        serving.key("nobody")
        yield serving


class Walls:
    """Memories of another tenant, and of another namespace of the same; and who may see neither."""

    def __init__(self, running: Serving) -> None:
        self.foreign: list[str] = []
        self.jobs: list[str] = []
        self.clients = [
            running.client(running.key("acme", namespaces=[("user", "ana")])),
            running.client(running.key("acme", namespaces=[("user", "ana"), ("team", "x")])),
        ]
        with running.client(running.key("acme")) as ben, running.client(running.key("other")) as stranger:
            for client in (ben, stranger):
                self.foreign += self._all_sorts(client)
                self.jobs.append(client.post("/v1/maintain").json()["id"])

    def _all_sorts(self, client: httpx2.Client) -> list[str]:
        """Ids of a memory, a deleted one, a fact, and of a decision."""
        told = {"user_id": "ben", "messages": ["My sister Rita lives in Porto.", "Delete me.", "Hello there!"]}
        said, gone, hello = client.post("/v1/memories", json=told).json()["memories"]
        client.delete(f"/v1/memories/{gone['id']}")
        pinned = client.put(f"/v1/memories/{hello['id']}/pin")
        assert pinned.json()["pinned"]
        changes = client.get(f"/v1/memories/{hello['id']}/history").json()["changes"]
        decisions = [one["decision"] for one in changes if one["decision"]]
        while not (derived := client.get(f"/v1/memories/{said['id']}/derived").json()["memories"]):
            pass
        assert decisions
        return [said["id"], gone["id"], derived[0]["id"], *decisions]


@pytest.fixture(scope="module")
def walls(running: Serving) -> Iterator[Walls]:
    made = Walls(running)
    yield made
    for client in made.clients:
        client.close()


def routes_with_ids(openapi: dict[str, Any]) -> list[tuple[str, str]]:
    """Every route of every surface that takes an id of a memory, of a decision or of a job."""
    return [
        (method.upper(), path)
        for path, operations in openapi["paths"].items()
        for method in operations
        if "{id}" in path or "{memory_id}" in path
    ]


BODIES: dict[str, Any] = {
    "PATCH": {"text": "mine now"},
    "PUT /v1/memories/{id}/expiry": {"at": "2030-01-01T00:00:00Z"},
    "PUT /memories/{memory_id}": {"text": "mine now"},
}


def ask(client: httpx2.Client, method: str, path: str, id: str) -> tuple[int, bytes, dict[str, str]]:
    """An answer, without its date, and without the id where that is told back."""
    body = BODIES.get(f"{method} {path}", BODIES.get(method))
    target = path.replace("{id}", quote(id, safe="")).replace("{memory_id}", quote(id, safe=""))
    reply = client.request(method, target, json=body, headers=ASKED)
    content = reply.content.replace(id.encode(), b"ID")
    return reply.status_code, content, {name: text for name, text in reply.headers.items() if name != "date"}


def test_every_route_answers_about_foreign_ids_as_about_none(running: Serving, walls: Walls) -> None:
    with running.client() as client:
        routes = routes_with_ids(client.get("/openapi.json").json())
    assert len(routes) >= 16
    for client in walls.clients:
        for method, path in routes:
            never = ask(client, method, path, NOBODY)
            assert never[0] in (200, 404), (method, path, never)
            for id in walls.jobs if path.startswith("/v1/jobs/") else walls.foreign:
                assert ask(client, method, path, id) == never, (method, path, id)
        for name in ("used", "not_used"):
            replies = [
                client.post("/v1/feedback", json={"query": "x", "user_id": "ana", name: [id]}, headers=ASKED)
                for id in (NOBODY, *walls.foreign)
            ]
            assert {(reply.status_code, reply.content) for reply in replies} == {(404, replies[0].content)}


def test_nothing_was_changed_from_outside(running: Serving, walls: Walls) -> None:
    for tenant in ("acme", "other"):
        with running.client(running.key(tenant)) as client:
            listed = client.get("/v1/memories?user_id=ben&kinds=turn").json()["memories"]
        assert {one["text"] for one in listed} == {"My sister Rita lives in Porto.", "Hello there!"}


def test_a_bound_key_sees_no_other_namespace(running: Serving, walls: Walls) -> None:
    for client in walls.clients:
        for path in ("memories", "stats", "facts", "profile", "timeline", "entities", "graph?entity=Rita"):
            refused = [
                client.get(f"/v1/{path}{'&' if '?' in path else '?'}{scope}", headers=ASKED)
                for scope in ("user_id=ben", "user_id=never", "namespace=user")
            ]
            assert {(one.status_code, one.content) for one in refused} == {(403, refused[0].content)}, path
        assert client.get("/v1/namespaces").json() == {"namespaces": []}
        stats = client.get("/v1/stats?user_id=ana&descendants=true").json()
        assert (stats["memories"], stats["bytes"], stats["jobs"]) == (0, 0, {})


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(st.text(max_size=300), st.uuids().map(str), st.sampled_from(["%", "..", "a/b", "x' OR 1=1 --", "\x00"]))
)
def test_hostile_ids_are_refused_and_break_nothing(walls: Walls, id: str) -> None:
    client = walls.clients[0]
    text = id.encode("utf-8", "replace").decode()
    for method, path in (
        ("GET", "/v1/memories/{id}"),
        ("DELETE", "/v1/memories/{id}"),
        ("POST", "/v1/decisions/{id}/undo"),
    ):
        status, content, _ = ask(client, method, path, text)
        assert status in (404, 405, 422) or text in ("", ".", ".."), (method, text, content)
        assert status != 500
    reply = client.post("/v1/feedback", json={"query": "x", "user_id": "ana", "used": [text]})
    assert reply.status_code in (404, 422)
    assert json.loads(reply.content)["errors"][0]["field"] == "used"
