"""The REST API: what is added is found, read, changed and deleted, and refusals name the field."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from live_server import Serving

from mnemos import Mnemos

RITA = {"role": "user", "name": "Ana", "content": "My sister Rita is vegan.", "happened_at": "2026-03-02T18:40:00Z"}


def add(client: httpx2.Client, *messages: Any, **told: Any) -> list[dict[str, Any]]:
    reply = client.post("/v1/memories", json={"messages": list(messages), **told})
    assert reply.status_code == 201, reply.text
    found: list[dict[str, Any]] = reply.json()["memories"]
    return found


def texts(reply: httpx2.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    body = reply.json()
    return [one["text"] for one in body.get("memories") or [hit["memory"] for hit in body.get("hits", ())]]


def test_a_full_cycle(client: httpx2.Client) -> None:
    (rita, lisbon) = add(client, RITA, "I moved to Lisbon in May.", user_id="ana", session_id="s12")
    assert (rita["speaker"], rita["happened_at"]) == ("Ana", "2026-03-02T18:40:00Z")
    assert (rita["namespace"], rita["session_id"], rita["channel"]) == (["user", "ana"], "s12", "rest")
    path = f"/v1/memories/{rita['id']}"
    read = client.get(path).json()
    assert read.keys() == rita.keys()
    assert {name: read[name] for name in ("id", "text", "created_at", "session_id")}.items() <= rita.items()
    found = client.post("/v1/search", json={"query": "what does Rita eat?", "user_id": "ana", "limit": 1})
    (hit,) = found.json()["hits"]
    assert (hit["memory"]["text"], found.json()["more"] >= 1) == (RITA["content"], True)
    assert 0 <= hit["score"] <= 1 < len(hit["why"])
    context = client.post("/v1/context", json={"query": "Is my sister Rita vegan?", "user_id": "ana"}).json()
    assert "vegan" in context["text"]
    assert 0 < context["tokens"] <= 1000
    assert rita["id"] in {id for item in context["items"] for id in item["memory_ids"]}
    changed = client.patch(path, json={"text": "Rita eats fish now.", "metadata": {"sure": True}, "happened_at": None})
    assert (changed.json()["text"], changed.json()["happened_at"], changed.json()["version"]) == (
        "Rita eats fish now.", None, 2,
    )  # fmt: skip
    changes = client.get(f"{path}/history").json()["changes"]
    assert [(one["op"], one["text"]) for one in changes if one["op"] in ("add", "update")] == [
        ("add", RITA["content"]),
        ("update", "Rita eats fish now."),
    ]
    assert rita["id"] in client.delete(path).json()["ids"]
    assert client.get(path).status_code == 404
    assert {one["text"] for one in client.get(f"{path}/history").json()["changes"]} == {None}
    assert client.get(f"/v1/memories/{lisbon['id']}").status_code == 200


def test_one_request_is_one_transaction(client: httpx2.Client) -> None:
    refused = client.post("/v1/memories", json={"messages": ["fine", {"content": " "}], "user_id": "ana"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "messages[1].content"
    assert client.get("/v1/memories?user_id=ana").json() == {"memories": [], "total": 0, "more": 0, "next_cursor": None}


def test_a_list_is_read_page_by_page_whatever_comes_and_goes(client: httpx2.Client) -> None:
    stored = add(
        client, *[{"content": f"note {n}", "metadata": {"n": n}} for n in range(7)], user_id="ana", kind="note"
    )
    query: dict[str, Any] = {"user_id": "ana", "limit": 3, "kinds": "note"}
    first = client.get("/v1/memories", params=query)
    assert (texts(first), first.json()["total"]) == (["note 0", "note 1", "note 2"], 7)
    client.delete(f"/v1/memories/{stored[0]['id']}")
    client.delete(f"/v1/memories/{stored[2]['id']}")
    add(client, "note 7", user_id="ana", kind="note")
    second = client.get("/v1/memories", params={**query, "cursor": first.json()["next_cursor"]})
    assert texts(second) == ["note 3", "note 4", "note 5"]
    third = client.get("/v1/memories", params={**query, "cursor": second.json()["next_cursor"]})
    assert (texts(third), third.json()["next_cursor"]) == (["note 6", "note 7"], None)
    narrowed = client.get("/v1/memories", params={**query, "filters": '{"n": {"gte": 5}}'})
    assert texts(narrowed) == ["note 5", "note 6"]


def test_everything_narrows(client: httpx2.Client) -> None:
    add(
        client, {**RITA, "session_id": "a"}, {"content": "Rita likes tea", "session_id": "b", "trust": 0.2}, user_id="x"
    )
    add(client, "Rita is below", namespace=["user", "x", "below"])

    def found(**told: Any) -> set[str]:
        asked = {"query": "Rita", "user_id": "x", "kinds": ["turn"], **told}
        return set(texts(client.post("/v1/search", json=asked)))

    assert found() == {RITA["content"], "Rita likes tea"}
    assert found(sessions=["b"]) == found(filters={"session_id": "b"}) == {"Rita likes tea"}
    assert found(min_trust=0.5) == found(until="2026-03-03T00:00:00Z") == {RITA["content"]}
    assert found(since="2026-03-03T00:00:00Z") == set()
    assert found(descendants=True) >= {"Rita is below"}
    assert set(texts(client.get("/v1/memories?user_id=x&sessions=a&sessions=b&kinds=turn&min_trust=0.5"))) == {
        RITA["content"]
    }


def test_a_scope_is_deleted_when_it_is_named(running: Serving, tenant: str, client: httpx2.Client) -> None:
    (kept,) = add(client, "Ben stays", user_id="ben")
    gone = add(client, "one", "two", user_id="ana") + add(client, "three", namespace=["user", "ana", "deep"])
    assert client.delete("/v1/memories").status_code == 422
    with running.client(running.key(tenant, scopes=("read", "write"))) as member:
        assert member.delete("/v1/memories?user_id=ana").status_code == 403
    deleted = client.delete("/v1/memories?user_id=ana&descendants=true").json()
    assert {one["id"] for one in gone} <= set(deleted["ids"])
    assert client.get("/v1/stats").json()["memories"] >= 1
    assert client.get("/v1/namespaces").json() == {"namespaces": [["user", "ben"]]}
    assert client.get(f"/v1/memories/{kept['id']}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "field"),
    [
        ("POST", "/v1/memories", {"json": {"messages": "x", "user_id": ""}}, 422, "user_id"),
        ("POST", "/v1/memories", {"json": {"messages": "x", "user": "ana"}}, 422, "user"),
        ("POST", "/v1/memories", {"json": {"messages": [{"content": "x", "happened_at": "2026-03-02"}]}}, 422,
         "messages[0].happened_at"),
        ("POST", "/v1/memories", {"json": {"messages": "x", "happened_at": "soon"}}, 422, "happened_at"),
        ("POST", "/v1/memories", {"json": ["x"]}, 422, "body"),
        ("POST", "/v1/memories", {"json": {}}, 422, "messages"),
        ("POST", "/v1/memories", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "body"),
        ("POST", "/v1/memories", {"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, None),
        ("POST", "/v1/memories", {"json": {"messages": "x"}, "headers": {"Accept": "text/html"}}, 406, None),
        ("POST", "/v1/memories", {"json": {"messages": "x"}, "headers": {"Idempotency-Key": "a b"}}, 422,
         "Idempotency-Key"),
        ("POST", "/v1/search", {"json": {"query": " "}}, 422, "query"),
        ("POST", "/v1/search", {"json": {"query": "x", "limit": "3"}}, 422, "limit"),
        ("POST", "/v1/search", {"json": {"query": "x", "filters": {"a": {"near": 1}}}}, 422, "filters.a"),
        ("GET", "/v1/memories?limit=0", {}, 422, "limit"),
        ("GET", "/v1/memories?limit=1&limit=2", {}, 422, "limit"),
        ("GET", "/v1/memories?cursor=x", {}, 422, "cursor"),
        ("GET", "/v1/memories?filters=x", {}, 422, "filters"),
        ("GET", "/v1/memories?page=2", {}, 422, "page"),
        ("PATCH", "/v1/memories/x", {"json": {}}, 404, "id"),
        ("GET", "/v1/memories/x", {}, 404, "id"),
        ("PUT", "/v1/memories/x", {"json": {}}, 405, None),
    ],
)  # fmt: skip
def test_refusals_name_the_field(
    client: httpx2.Client, method: str, path: str, sent: dict[str, Any], status: int, field: str | None
) -> None:
    reply = client.request(method, path, **sent)
    body = reply.json()
    assert (reply.status_code, body["status"]) == (status, status), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert body["request_id"] == reply.headers["x-request-id"]
    if field is not None:
        assert body["errors"][0]["field"].startswith(field)
        assert body["errors"][0]["mend"]


def test_nobody_without_a_key_and_nothing_without_its_scope(running: Serving, tenant: str) -> None:
    with running.client() as nobody:
        refused = nobody.post("/v1/search", json={"query": "x"})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    with running.client(running.key(tenant, scopes=("read",))) as reader:
        assert reader.post("/v1/search", json={"query": "x"}).status_code == 200
        assert reader.post("/v1/memories", json={"messages": "x"}).status_code == 403
        assert reader.delete("/v1/memories/x").status_code == 403


def test_a_key_trusts_and_signs_what_it_writes(running: Serving, tenant: str) -> None:
    key = running.key(tenant, trust=0.4)
    with running.client(key) as client:
        (one,) = add(client, {"content": "Trust me.", "trust": 1.0})
        assert (one["trust"], one["channel"], one["writer"]) == (0.4, "rest", key.split("_")[1])


def test_the_store_is_that_of_the_library(running: Serving, tenant: str, client: httpx2.Client) -> None:
    add(client, RITA, "I moved to Lisbon.", user_id="ana")
    asked: dict[str, Any] = {"query": "Where do I live?", "user_id": "ana", "now": "2026-11-21T00:00:00Z"}
    with running.server.tenants.use(tenant) as memory:
        memory.maintain()
    over = client.post("/v1/search", json=asked).json()["hits"]
    with Mnemos(running.server.settings.folder / "tenants" / f"{tenant}.db") as memory:
        hits = memory.search(asked.pop("query"), **asked)
    assert [(one["memory"]["id"], one["score"], one["why"]) for one in over] == [
        (hit.memory.id, hit.score, dict(hit.why)) for hit in hits
    ]
