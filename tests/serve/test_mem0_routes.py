"""The routes of mem0's server, asked over HTTP as its clients ask them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_server import Serving, serve

UNKNOWN = "01890000-0000-7000-8000-000000000000"
PIZZA = {"role": "user", "content": "I love fresh vegetable pizza."}


def add(client: httpx2.Client, *contents: str, **ids: Any) -> list[str]:
    body = {"messages": [{"role": "user", "content": content} for content in contents], **ids}
    reply = client.post("/memories", json=body)
    assert reply.status_code == 200, reply.text
    return [result["id"] for result in reply.json()["results"]]


def texts(reply: httpx2.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [result["memory"] for result in reply.json()["results"]]


def test_a_full_cycle(client: httpx2.Client) -> None:
    created = client.post("/memories", json={"messages": [PIZZA], "user_id": "alice", "metadata": {"meal": "dinner"}})
    assert created.status_code == 200
    (result,) = created.json()["results"]
    assert result == {"id": result["id"], "memory": PIZZA["content"], "event": "ADD"}
    path = f"/memories/{result['id']}"
    held = client.get(path).json()
    assert {"id", "memory", "hash", "metadata", "created_at", "updated_at", "user_id", "role", "score"} == held.keys()
    assert (held["user_id"], held["metadata"]) == ("alice", {"meal": "dinner"})
    assert texts(client.post("/search", json={"query": "What does she eat?", "user_id": "alice"})) == [PIZZA["content"]]
    assert client.put(path, json={"text": "I love sushi."}).json() == {"message": "Memory updated successfully!"}
    rows = client.get(f"{path}/history").json()
    assert [(row["event"], row["old_memory"], row["new_memory"]) for row in rows] == [
        ("ADD", None, PIZZA["content"]),
        ("UPDATE", PIZZA["content"], "I love sushi."),
    ]
    assert client.delete(path).json() == {"message": "Memory deleted successfully"}
    assert (client.get(path).status_code, client.get(path).json()) == (200, None)
    assert [row["event"] for row in client.get(f"{path}/history").json()] == ["ADD", "UPDATE", "DELETE"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/memories", {"messages": [PIZZA]}, 400, "At least one identifier (user_id, agent_id, run_id)"),
        ("POST", "/memories", {"messages": [PIZZA], "user_id": ""}, 400, "At least one identifier"),
        ("DELETE", "/memories", None, 400, "At least one identifier is required."),
        ("DELETE", "/memories?user_id=", None, 400, "At least one identifier is required."),
        ("POST", "/search", {"query": "pizza"}, 400, "user_id"),
        ("POST", "/search", {"query": " ", "user_id": "alice"}, 400, "query"),
        ("POST", "/search", {"query": "pizza", "user_id": "*"}, 400, "user_id"),
        ("POST", "/search", {"query": "pizza", "filters": {"user_id": "a", "x": {"near": 1}}}, 400, "near"),
        ("POST", "/search", {"query": "pizza", "user_id": "a", "top_k": -1}, 400, "top_k"),
        ("POST", "/search", {"query": "pizza", "user_id": "a", "threshold": 2}, 400, "threshold"),
        ("POST", "/memories", {"messages": [PIZZA], "user_id": "a", "memory_type": "core"}, 400, "memory_type"),
        ("POST", "/memories", {"messages": [PIZZA], "user_id": "a", "expiration_date": "soon"}, 400, "YYYY-MM-DD"),
        ("POST", "/memories", {"messages": [PIZZA], "user_id": "a\x00"}, 400, "NUL"),
        ("PUT", f"/memories/{UNKNOWN}", {"text": "x"}, 404, "not found"),
        ("PUT", f"/memories/{UNKNOWN}", {}, 400, "text"),
        ("DELETE", f"/memories/{UNKNOWN}", None, 404, "not found"),
        ("DELETE", "/memories/no-id-at-all", None, 404, "not found"),
    ],
)
def test_errors_are_shaped_as_fastapi_shapes_them(
    client: httpx2.Client, method: str, path: str, body: Any, status: int, said: str
) -> None:
    reply = client.request(method, path, json=body)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    assert list(reply.json()) == ["detail"]
    assert said in reply.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/memories", {"user_id": "a"}, ["body", "messages"]),
        ("/memories", {"messages": [{"role": "user"}], "user_id": "a"}, ["body", "messages", 0, "content", "str"]),
        ("/memories", {"messages": "tea", "user_id": "a"}, ["body", "messages"]),
        ("/search", {"user_id": "a"}, ["body", "query"]),
    ],
)
def test_a_body_that_does_not_fit_is_told_where(client: httpx2.Client, path: str, body: Any, at: list[Any]) -> None:
    reply = client.post(path, json=body)
    assert reply.status_code == 422
    parts = reply.json()["detail"]
    assert parts[0]["loc"][: len(at)] == at[: len(parts[0]["loc"])]
    assert all(set(part) == {"type", "loc", "msg"} for part in parts)


def test_what_is_no_json_is_refused(client: httpx2.Client) -> None:
    for body in (b"{", b"\xff", b'{"messages": [], "user_id": ' + b"9" * 5000 + b"}"):
        reply = client.post("/memories", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code in (400, 422)
        assert list(reply.json()) == ["detail"]


def test_broken_unicode_is_refused_in_words_that_can_be_sent(client: httpx2.Client) -> None:
    for filters in ('{"user_id": "a", "\\ud800": 1}', '{"user_id": "\\ud800"}', '{"user_id": "a", "x": "\\ud800"}'):
        body = f'{{"query": "tea", "filters": {filters}}}'
        reply = client.post("/search", content=body, headers={"Content-Type": "application/json"})
        assert (reply.status_code, list(reply.json())) == (400, ["detail"])


def test_lists_of_ids_are_those_of_the_facade(client: httpx2.Client) -> None:
    add(client, "Ana likes tea", user_id="ana")
    add(client, "Ana told the cook", user_id="ana", agent_id="cook", run_id="r1")
    add(client, "The cook knows tea", agent_id="cook")
    add(client, "The run is about tea", run_id="r1")
    assert texts(client.get("/memories", params={"user_id": "ana"})) == ["Ana likes tea", "Ana told the cook"]
    assert texts(client.get("/memories", params={"user_id": "ana", "agent_id": "cook", "run_id": ""})) == [
        "Ana told the cook"
    ]
    assert set(texts(client.get("/memories", params={"agent_id": "cook"}))) == {
        "The cook knows tea",
        "Ana told the cook",
    }
    assert set(texts(client.get("/memories", params={"run_id": "r1"}))) == {"The run is about tea", "Ana told the cook"}
    filters = {"OR": [{"user_id": "ana"}, {"run_id": "r1"}]}
    found = client.post("/search", json={"query": "tea", "filters": filters, "top_k": 2, "explain": True})
    assert len(texts(found)) == 2
    assert all(one["score_details"]["final_score"] == one["score"] for one in found.json()["results"])
    assert len(texts(client.get("/memories"))) == 4, "an admin may list everybody's"
    assert texts(client.get("/memories", params={"top_k": 1})) == ["Ana likes tea"]
    assert client.delete("/memories", params={"run_id": "r1"}).json() == {"message": "All relevant memories deleted"}
    assert set(texts(client.get("/memories"))) == {"Ana likes tea", "The cook knows tea"}


def test_entities_are_counted_and_deleted(client: httpx2.Client) -> None:
    add(client, "one", "two", user_id="ana", agent_id="cook")
    add(client, "three", run_id="r1")
    listed = client.get("/entities").json()
    assert [(one["type"], one["id"], one["total_memories"]) for one in listed] == [
        ("agent", "cook", 2),
        ("run", "r1", 1),
        ("user", "ana", 2),
    ]
    assert listed[0]["created_at"] <= listed[0]["updated_at"]
    assert client.delete("/entities/user/ana").json() == {"message": "Entity deleted"}
    assert [one["id"] for one in client.get("/entities").json()] == ["r1"]
    assert client.delete("/entities/team/ana").status_code == 422


def test_metadata_and_dates_can_be_changed(client: httpx2.Client) -> None:
    (id,) = add(client, "The sale ends", user_id="ana", metadata={"a": 1}, expiration_date="2001-01-01")
    assert texts(client.get("/memories", params={"user_id": "ana"})) == []
    assert texts(client.get("/memories", params={"user_id": "ana", "show_expired": True})) == ["The sale ends"]
    asked = {"query": "sale", "user_id": "ana"}
    assert texts(client.post("/search", json=asked)) == []
    assert texts(client.post("/search", json={**asked, "show_expired": True})) == ["The sale ends"]
    assert client.put(f"/memories/{id}", json={"expiration_date": None, "metadata": {"b": 2}}).status_code == 200
    assert client.put(f"/memories/{id}", json={"data": "The sale began"}).status_code == 200
    (one,) = client.get("/memories", params={"user_id": "ana"}).json()["results"]
    assert (one["memory"], one["metadata"]) == ("The sale began", {"a": 1, "b": 2})
    assert "expiration_date" not in one


def test_who_spoke_is_told_where_nothing_is_inferred(client: httpx2.Client) -> None:
    said = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}], "name": "Bot", "tool_calls": []}
    system = {"role": "system", "content": "Be brief."}
    reply = client.post("/memories", json={"messages": [system, said], "run_id": "r", "infer": False, "extra": 1})
    (result,) = reply.json()["results"]
    assert (result["memory"], result["actor_id"], result["role"]) == ("Hello", "Bot", "assistant")


def test_a_repeated_request_stores_nothing(client: httpx2.Client) -> None:
    body = {"messages": [PIZZA, PIZZA], "user_id": "alice"}
    sent = [client.post("/memories", json=body, headers={"Idempotency-Key": "one"}).json() for _ in range(2)]
    ids = [[result["id"] for result in reply["results"]] for reply in sent]
    assert ids[0] == ids[1]
    assert [result["event"] for result in sent[1]["results"]] == ["NONE", "NONE"]
    assert len(texts(client.get("/memories", params={"user_id": "alice"}))) == 2


def test_a_reset_needs_an_admin_and_empties_the_tenant(running: Serving, tenant: str, client: httpx2.Client) -> None:
    add(client, "one", user_id="ana")
    add(client, "two", run_id="r")
    with running.client(running.key(tenant, scopes=("read", "write"))) as member:
        for method, path in (("POST", "/reset"), ("GET", "/configure"), ("POST", "/configure"), ("GET", "/memories")):
            refused = member.request(method, path, json={} if path == "/configure" else None)
            assert (refused.status_code, list(refused.json())) == (403, ["detail"])
    assert client.post("/reset").json() == {"message": "All memories reset"}
    assert texts(client.get("/memories")) == []


def test_a_configuration_is_accepted_and_told_to_change_nothing(client: httpx2.Client) -> None:
    reply = client.post("/configure", json={"llm": {"provider": "openai", "config": {"api_key": "sk-secret"}}})
    assert reply.status_code == 200
    assert reply.json() == {"message": "Configuration set successfully", "not_used": ["llm"]}
    assert "sk-secret" not in reply.text + client.get("/configure").text
    assert client.get("/configure").json()["version"] == "v1.1"


def test_either_header_shows_the_key(running: Serving, tenant: str) -> None:
    key = running.key(tenant, scopes=("read", "write"))
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        with running.client() as client:
            assert client.get("/memories", params={"user_id": "a"}, headers=headers).status_code == 200
    with running.client() as client:
        refused = client.get("/memories", params={"user_id": "a"})
        assert (refused.status_code, list(refused.json())) == (401, ["detail"])
        assert refused.headers["www-authenticate"] == "Bearer"


ROUTES = {
    ("POST", "/search", '{"query": "pizza", "user_id": "ana"}'): "read",
    ("GET", "/memories?user_id=ana", ""): "read",
    ("GET", "/memories/{}", ""): "read",
    ("GET", "/memories/{}/history", ""): "read",
    ("GET", "/entities", ""): "read",
    ("POST", "/memories", '{"messages": [{"role": "user", "content": "x"}], "user_id": "ana"}'): "write",
    ("PUT", "/memories/{}", '{"text": "x"}'): "write",
    ("DELETE", "/memories/{}", ""): "write",
    ("GET", "/memories", ""): "admin",
    ("GET", "/configure", ""): "admin",
    ("POST", "/configure", "{}"): "admin",
    ("DELETE", "/memories?user_id=ana", ""): "admin",
    ("DELETE", "/entities/user/ana", ""): "admin",
    ("POST", "/reset", ""): "admin",
}


def test_every_route_needs_its_scope(running: Serving, tenant: str, client: httpx2.Client) -> None:
    listed = {
        (method.upper(), path) for path, at in client.get("/openapi.json").json()["paths"].items() for method in at
    }
    shapes = {(method, re.sub(r"{\w*}", "{}", path)) for method, path in listed if "v1" not in path}
    tried = {(method, path.split("?")[0].replace("user/ana", "{}/{}")) for method, path, _ in ROUTES}
    assert tried == {shape for shape in shapes if shape[1].split("/")[1] in MEM0S}
    page = (Path(__file__).parents[2] / "docs" / "mem0.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z]+) ([^`]+)` \| (\w+) \|", page, re.M)
    assert {(method, re.sub(r"{\w*}", "{}", path)) for method, path, _ in rows} == tried
    told = {(method, path.split("?")[0]): needed for (method, path, _), needed in ROUTES.items() if path != "/memories"}
    told |= {("POST", "/memories"): "write"}
    for method, path, needed in rows:
        place = path.replace("{memory_id}", "{}").replace("{entity_type}/{entity_id}", "user/ana")
        assert told[method, place] == needed
    for scopes in (("read",), ("write",), ("read", "write"), ("admin",), ()):
        shown = None if not scopes else running.key(tenant, scopes=scopes)
        (id,) = add(client, f"for {scopes}", user_id="ana")
        with running.client(shown) as caller:
            for (method, path, body), needed in ROUTES.items():
                if needed in scopes:
                    continue
                headers = {"Content-Type": "application/json"}
                reply = caller.request(method, path.format(id), content=body or None, headers=headers)
                assert reply.status_code == (403 if scopes else 401), (scopes, method, path)
                assert list(reply.json()) == ["detail"]
                assert "the scope" in reply.json()["detail"] or not scopes
        assert client.get(f"/memories/{id}").json()["memory"] == f"for {scopes}"


MEM0S = ("memories", "search", "entities", "configure", "reset")


def test_a_body_that_is_too_long_is_a_problem_with_a_detail(running: Serving, client: httpx2.Client) -> None:
    text = json.dumps({"messages": [{"role": "user", "content": "x" * running.server.settings.body_bytes}]}).encode()

    def pieces() -> Iterator[bytes]:
        yield text

    for content in (text, pieces()):
        reply = client.post("/memories", content=content, headers={"Content-Type": "application/json"})
        assert (reply.status_code, reply.headers["content-type"]) == (413, "application/problem+json")
        assert "bytes" in reply.json()["detail"]


def test_an_open_server_needs_no_key(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as serving, serving.client() as client:
        add(client, "I like tea", user_id="ana")
        assert texts(client.get("/memories")) == ["I like tea"]


# ── walls ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_another_tenants_memory_is_as_one_that_does_not_exist(
    running: Serving, tenant: str, client: httpx2.Client
) -> None:
    (id,) = add(client, "my secret", user_id="ana", agent_id="cook", run_id="r1")
    with running.client(running.key(f"{tenant}-other")) as other:
        same_replies(other, id)
        for params in ({"user_id": "ana"}, {"agent_id": "cook"}, {"run_id": "r1"}, {}):
            assert texts(other.get("/memories", params=params)) == []
        other.delete("/memories", params={"user_id": "ana"})
        other.post("/reset")
        assert other.get("/entities").json() == []
    assert texts(client.get("/memories", params={"user_id": "ana"})) == ["my secret"]


def test_a_bound_key_sees_its_namespace_only(running: Serving, tenant: str, client: httpx2.Client) -> None:
    (foreign,) = add(client, "Ana's secret", user_id="ana", agent_id="cook", run_id="r1")
    (cooks,) = add(client, "The cook's secret", agent_id="cook", run_id="r1")
    with running.client(running.key(tenant, namespaces=(("user", "bob"),))) as bob:
        (own,) = add(bob, "Bob's own", user_id="bob", agent_id="cook", run_id="r1")
        for id in (foreign, cooks):
            same_replies(bob, id)
        for params in ({"agent_id": "cook"}, {"run_id": "r1"}, {"agent_id": "cook", "run_id": "r1"}, {}):
            assert texts(bob.get("/memories", params=params)) == ["Bob's own"]
            found = bob.post("/search", json={"query": "secret", "filters": params}) if params else None
            assert found is None or texts(found) == ["Bob's own"]
        for ids in ({"user_id": "ana"}, {"user_id": "nobody"}):
            refused = bob.get("/memories", params=ids)
            assert (refused.status_code, refused.json()) == (403, bob.get("/memories", params={"user_id": "x"}).json())
            assert bob.delete("/memories", params=ids).status_code == 403
            assert bob.post("/memories", json={"messages": [PIZZA], **ids}).status_code == 403
        assert bob.post("/memories", json={"messages": [PIZZA], "agent_id": "cook"}).status_code == 403
        assert [one["id"] for one in bob.get("/entities").json()] == ["cook", "r1", "bob"]
        assert bob.delete("/memories", params={"run_id": "r1"}).status_code == 200
        assert bob.get(f"/memories/{own}").json() is None
        add(bob, "again", user_id="bob")
        assert bob.post("/reset").status_code == 200
    assert set(texts(client.get("/memories"))) == {"Ana's secret", "The cook's secret"}


def same_replies(client: httpx2.Client, foreign: str) -> None:
    """Whoever may not know of a memory is told what is told of an id that does not exist."""
    for method, path, body in (
        ("GET", "/memories/{}", None),
        ("GET", "/memories/{}/history", None),
        ("PUT", "/memories/{}", {"text": "mine"}),
        ("DELETE", "/memories/{}", None),
    ):
        told = [client.request(method, path.format(id), json=body) for id in (foreign, UNKNOWN)]
        assert told[0].status_code == told[1].status_code
        assert told[0].text.replace(foreign, UNKNOWN) == told[1].text


def test_what_is_written_bears_its_channel_and_key(running: Serving, tenant: str, client: httpx2.Client) -> None:
    (id,) = add(client, "I like tea", user_id="ana")
    (key,) = (key for key in running.server.keys.listed() if key.tenant == tenant)
    with running.server.tenants.use(tenant) as memory:
        held = memory.get(id)
    assert held is not None
    assert (held.channel, held.writer) == ("mem0", key.id)


ANY = st.text(st.characters(), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=6,
)
FILTER_KEYS = st.sampled_from(
    ["user_id", "agent_id", "run_id", "AND", "OR", "NOT", "created_at", "role", "city", "$or"]
)
FILTERS = st.dictionaries(FILTER_KEYS | ANY, JSON, max_size=4)


@settings(max_examples=30)
@given(ANY, ANY, JSON, FILTERS)
def test_nothing_that_is_sent_breaks_the_server(
    running: Serving, user: str, id: str, metadata: Any, filters: dict[str, Any]
) -> None:
    client = FUZZ.setdefault("client", running.client(running.key("fuzz")))
    bodies = [
        ("POST", "/memories", {"messages": [{"role": user, "content": id}], "user_id": user, "metadata": metadata}),
        ("POST", "/memories", {"messages": [metadata], "run_id": id}),
        ("POST", "/search", {"query": id, "user_id": user, "filters": filters}),
        ("POST", "/search", {"query": "tea", "filters": filters}),
        ("PUT", f"/memories/{UNKNOWN}", {"text": id, "metadata": metadata}),
        ("POST", "/configure", metadata),
    ]
    for method, path, body in bodies:
        # escaped, as a hostile client may, lone surrogates included
        reply = client.request(method, path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert reply.status_code < 500, reply.text
        assert reply.status_code == 200 or list(reply.json()) == ["detail"]
    for params in ({"user_id": user}, {"run_id": id}):
        sent = {name: value.encode("utf-8", "surrogatepass") for name, value in params.items()}
        assert client.get(f"/memories?{urlencode(sent)}").status_code < 500


FUZZ: dict[str, httpx2.Client] = {}


@pytest.fixture(autouse=True, scope="module")
def _close() -> Iterator[None]:
    yield
    for client in FUZZ.values():
        client.close()
    FUZZ.clear()


def test_many_at_once_lose_nothing(client: httpx2.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: add(client, f"I have {n} cats", user_id=f"u{n % 3}")[0], range(30)))
    assert len(set(ids)) == 30
    assert {one["id"] for one in client.get("/memories").json()["results"]} == set(ids)
