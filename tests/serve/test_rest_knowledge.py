"""What has been derived and decided, over REST: the library's answers field for field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from live_server import Serving
from pydantic import TypeAdapter

from mnemos import Memory, Mnemos
from mnemos.entities.graph import Graph, Node
from mnemos.levels.answers import Profile, Timeline

SAID = [
    {"name": "Ana", "content": "My sister Rita lives in Porto.", "happened_at": "2026-01-05T10:00:00Z"},
    {"name": "Ana", "content": "I work at a bakery.", "happened_at": "2026-02-05T10:00:00Z"},
    {"name": "Ana", "content": "Rita is vegan.", "happened_at": "2026-02-06T10:00:00Z"},
    {"name": "Ana", "content": "I live in Faro.", "happened_at": "2026-02-07T10:00:00Z"},
    {"name": "Ana", "content": "I live in Lisbon now.", "happened_at": "2026-05-07T10:00:00Z"},
    {"name": "Ana", "content": "Hello there!", "happened_at": "2026-05-07T10:01:00Z"},
]
NOW = "2026-11-21T00:00:00Z"
ANA = {"user_id": "ana"}


@pytest.fixture
def client(serving: Serving) -> Iterator[httpx2.Client]:
    with serving.client() as client:
        client.post("/v1/memories", json={"messages": SAID, **ANA}).raise_for_status()
        with serving.server.tenants.use("default") as memory:
            memory.maintain()
        yield client


def told(kind: Any, found: object) -> Any:
    """What the library found, as JSON."""
    return json.loads(TypeAdapter(kind).dump_json(found))


def test_what_is_known_is_what_the_library_knows(serving: Serving, client: httpx2.Client) -> None:
    def same(
        path: str, query: dict[str, Any], kind: Any, ask: Callable[[Mnemos], object], part: str | None = None
    ) -> Any:
        reply = client.get(f"/v1/{path}", params={**ANA, **query})
        assert reply.status_code == 200, reply.text
        with serving.server.tenants.use("default") as memory:
            expected = told(kind, ask(memory))
        body = reply.json()
        assert (body if part is None else body[part]) == expected
        assert expected
        return body

    facts = same("facts", {"now": NOW}, list[Memory], lambda m: m.facts(now=NOW, **ANA), "memories")
    assert facts["total"] == len(facts["memories"]) > 3
    lives = {"relation": "lives in", "subject": "Ana", "now": NOW}
    open_ones = same(
        "facts", {**lives, "closed": "false"}, list[Memory],
        lambda m: m.facts("Ana", "lives in", closed=False, now=NOW, **ANA), "memories",
    )  # fmt: skip
    assert [one["text"] for one in open_ones["memories"]] == ["Ana lives in Lisbon"]
    second = client.get("/v1/facts", params={**ANA, "limit": 1, "offset": 1}).json()
    assert (second["memories"][0]["id"], second["more"]) == (facts["memories"][1]["id"], facts["total"] - 2)
    same("profile", {"as_of": NOW}, Profile, lambda m: m.profile(as_of=NOW, **ANA))
    same("profile", {"subject": "Rita", "as_of": NOW}, Profile, lambda m: m.profile("Rita", as_of=NOW, **ANA))
    same(
        "timeline",
        {"since": "2026-02-01T00:00:00Z"},
        Timeline,
        lambda m: m.timeline(since="2026-02-01T00:00:00Z", **ANA),
    )
    same("graph", {"entity": "Rita", "depth": 2}, Graph, lambda m: m.graph("Rita", depth=2, **ANA))
    same("entities", {}, list[Node], lambda m: m.entities(**ANA), "entities")
    nothing = client.get("/v1/graph", params={**ANA, "entity": "Nobody"}).json()
    assert nothing == {"nodes": [], "edges": []}
    assert client.get("/v1/facts", params={**ANA, "min_trust": 1.0, "subject": "Nobody"}).json()["memories"] == []


def test_what_was_derived_is_joined_to_its_sources(client: httpx2.Client) -> None:
    (rita,) = client.get("/v1/facts", params={**ANA, "subject": "Rita", "relation": "lives in"}).json()["memories"]
    (source,) = rita["sources"]
    derived = client.get(f"/v1/memories/{source}/derived").json()["memories"]
    assert rita["id"] in [one["id"] for one in derived]
    links = client.get(f"/v1/memories/{rita['id']}/links").json()["links"]
    assert all({"source", "target", "relation", "weight"} == link.keys() for link in links)


def test_feedback_teaches_and_is_forgotten(client: httpx2.Client) -> None:
    asked = {"query": "Where do I live?", **ANA}
    first, *_, last = client.post("/v1/search", json=asked).json()["hits"]
    used, not_used = last["memory"]["id"], first["memory"]["id"]
    taught = client.post("/v1/feedback", json={**asked, "used": [used], "not_used": [not_used]}).json()
    assert taught["factors"]
    once = {"json": {**asked, "used": [used], "not_used": [not_used]}, "headers": {"Idempotency-Key": "f1"}}
    more, again = (client.post("/v1/feedback", **once) for _ in range(2))
    assert again.json() == more.json() != taught
    assert again.headers["idempotency-replayed"] == "true"
    assert all(0.5 <= factor <= 2 for factor in taught["factors"].values())
    assert client.delete("/v1/feedback", params=ANA).json() == {"reset": True}
    assert client.delete("/v1/feedback", params=ANA).json() == {"reset": False}
    nothing = client.post("/v1/feedback", json=asked)
    assert (nothing.status_code, nothing.json()["errors"][0]["field"]) == (422, "used")


def test_what_was_decided_is_shown_and_reversed(client: httpx2.Client) -> None:
    listed = client.get("/v1/memories", params={**ANA, "kinds": "turn"}).json()["memories"]
    (hello,) = [one for one in listed if one["text"] == "Hello there!"]
    path = f"/v1/memories/{hello['id']}"
    why = client.get(f"{path}/why").json()
    assert (why["indexed"], why["why"], hello["resting"]) == (False, "filler", "filler")
    (rested,) = [change for change in why["decisions"] if change["op"] == "rest"]
    undone = client.post(f"/v1/decisions/{rested['decision']}/undo").json()
    assert (undone["id"], undone["resting"]) == (hello["id"], None)
    assert client.get(f"{path}/why").json()["indexed"]
    assert client.put(f"{path}/pin").json()["pinned"]
    assert not client.delete(f"{path}/pin").json()["pinned"]
    assert client.post(f"{path}/admit").json()["resting"] is None
    assert client.get(f"{path}/why").json()["why"] == "admitted"


def test_a_memory_ends_when_it_is_told_to(client: httpx2.Client) -> None:
    (one,) = client.post("/v1/memories", json={"messages": "Until tomorrow.", **ANA}).json()["memories"]
    path = f"/v1/memories/{one['id']}"
    assert client.put(f"{path}/expiry", json={"at": "2100-01-01T00:00:00Z"}).status_code == 200
    assert client.put(f"{path}/expiry", json={"at": None}).status_code == 200
    assert client.put(f"{path}/expiry", json={}).json()["errors"][0]["field"] == "at"
    assert client.put(f"{path}/expiry", json={"at": "2001-01-01T00:00:00Z"}).status_code == 200
    assert client.get(path).status_code == 404
