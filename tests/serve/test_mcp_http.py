"""`/mcp`: the keys and scopes of the server, foreign ids, what an open server refuses, and bodies that are none."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_server import Serving, serve
from mcp.shared.exceptions import MCPError
from mcp_clients import Asking, asking, http
from mcp_types import INVALID_PARAMS, PARSE_ERROR

RITA = "My sister Rita is vegan."
HEADERS = {"Accept": "application/json, text/event-stream"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


class Office:
    """A server with two tenants, and clients for keys of many kinds; all are open until the end of the file."""

    def __init__(self, serving: Serving, closing: ExitStack) -> None:
        self.serving = serving
        self._closing = closing
        self.acme = self.client()
        self.other = self.client(tenant="other")
        self.ana = self.client(namespaces=[("user", "ana")])
        self.reader = self.client(scopes=("read",))
        self.writer = self.client(scopes=("write",))
        self.anas = self.ana.add(RITA, speaker="Ana")
        self.bobs = self.acme.add("Bob's own secret.", user_id="bob")
        self.others = self.other.add("Of another tenant.")

    def client(self, **key: Any) -> Asking:
        return self._closing.enter_context(asking(http(self.serving.url, self.serving.key(**key))))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with serve(tmp_path_factory.mktemp("office")) as serving, ExitStack() as closing:
        yield Office(serving, closing)


def test_a_key_opens_its_tenant_only(office: Office) -> None:
    for user in ("ana", "bob"):
        assert office.acme.ask("search_memories", query="Rita secret", user_id=user)["total"]
        assert office.other.ask("search_memories", query="Rita secret", user_id=user)["total"] == 0
    assert office.other.ask("list_memories", kinds=["turn"])["total"] == 1


def test_what_is_written_bears_the_key(office: Office) -> None:
    with office.serving.server.tenants.use("acme") as memory:
        written = memory.get(office.anas)
    assert written is not None
    keys = {key.id: key.namespaces for key in office.serving.server.keys.listed("acme")}
    assert written.channel == "mcp"
    assert keys[written.writer or ""] == (("user", "ana"),)


def test_a_key_is_trusted_as_far_as_it_was_made_to_be(office: Office) -> None:
    doubtful = office.client(trust=0.25)
    id = doubtful.add("Gold is cheap today.", user_id="cid")
    assert office.acme.ask("get_memory", id=id)["memory"]["trust"] == 0.25
    wanted = {"query": "gold", "user_id": "cid", "kinds": ["turn"]}
    assert office.acme.ask("search_memories", min_trust=0.25, **wanted)["total"] == 1
    assert office.acme.ask("search_memories", min_trust=0.5, **wanted)["total"] == 0


def test_a_key_that_only_reads_cannot_write(office: Office) -> None:
    assert not {"add_memory", "update_memory", "delete_memory"} & office.reader.tools().keys()
    told: dict[str, dict[str, Any]] = {
        "add_memory": {"text": "x"},
        "update_memory": {"id": office.anas, "text": "x"},
        "delete_memory": {"id": office.anas},
    }
    for tool, arguments in told.items():
        assert "lacks the scope 'write'" in office.reader.refused(tool, **arguments)
    assert office.reader.ask("get_memory", id=office.anas)["memory"]["text"] == RITA


def test_a_key_that_only_writes_cannot_read(office: Office) -> None:
    assert office.writer.tools().keys() == {"add_memory", "update_memory", "delete_memory"}
    assert "lacks the scope 'read'" in office.writer.refused("search_memories", query="Rita")
    assert office.writer.portal.call(office.writer.client.list_resources).resources == []
    with pytest.raises(MCPError, match="lacks the scope 'read'"):
        office.writer.read(f"mnemos://memory/{office.anas}")


def test_a_bound_key_stays_in_its_namespace(office: Office) -> None:
    assert office.ana.ask("get_memory", id=office.anas)["memory"]["namespace"] == ["user", "ana"]
    assert [one["id"] for one in office.ana.ask("list_memories", kinds=["turn"])["memories"]] == [office.anas]
    assert json.loads(office.ana.text("search", query="Rita"))["results"]
    assert "user_id" not in office.ana.tools()["search_memories"].input_schema["properties"]
    assert "leave it out" in office.ana.refused("search_memories", query="secret", user_id="bob")
    with pytest.raises(MCPError, match="there is no such resource"):
        office.ana.read("mnemos://user/bob/recent")


def test_a_key_bound_to_several_namespaces_names_one(office: Office) -> None:
    both = office.client(namespaces=[("user", "ana"), ("team", "sales")])
    assert both.refused("add_memory", text="x").startswith("namespace: is missing; ")
    id = both.add("For the team.", namespace=["team", "sales"])
    assert "bound to other namespaces" in both.refused("add_memory", text="x", user_id="bob")
    assert both.ask("get_memory", id=id)["memory"]["namespace"] == ["team", "sales"]


def replies(office: Office, id: str) -> list[str]:
    """What every tool that takes an id says of it."""
    said = [office.ana.refused(tool, id=id) for tool in ("get_memory", "fetch", "delete_memory")]
    return [*said, office.ana.refused("update_memory", id=id, text="mine now")]


def test_a_foreign_id_is_answered_as_one_that_does_not_exist(office: Office) -> None:
    unknown = office.anas[:-12] + "000000000000"
    for foreign in (office.bobs, office.others):
        assert [one.replace(foreign, unknown) for one in replies(office, foreign)] == replies(office, unknown)
        told = []
        for id in (foreign, unknown):
            with pytest.raises(MCPError) as missing:
                office.ana.read(f"mnemos://memory/{id}")
            assert missing.value.error.code == INVALID_PARAMS
            told.append(missing.value.error.message.replace(id, "ID"))
        assert told[0] == told[1]
    assert office.acme.ask("get_memory", id=office.bobs)["memory"]["text"] == "Bob's own secret."


hostile = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["../../serve", "' OR 1=1 --", "%00", "user/bob", "\u202e", "a" * 4000, "00000000-0000", "٣", "*"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile)
def test_hostile_ids_find_nothing(office: Office, id: str) -> None:
    for answer in replies(office, id):
        assert answer.startswith("id: ")
    with pytest.raises(MCPError) as missing:
        office.ana.read("mnemos://memory/" + "".join(f"%{byte:02X}" for byte in id.encode("utf-8", "replace")))
    assert missing.value.error.code == INVALID_PARAMS


def test_without_a_key_nothing_is_said(office: Office) -> None:
    with office.serving.client() as client:
        for key in (None, "mnemos_abcdefghijkl_wrong"):
            headers = HEADERS if key is None else HEADERS | {"Authorization": f"Bearer {key}"}
            answer = client.post("/mcp", json=PING, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
            assert client.get("/mcp", headers=headers).status_code == 401


def test_a_key_that_was_revoked_in_between_opens_nothing_more(office: Office) -> None:
    client = office.client(name="brief")
    assert client.ask("list_memories", user_id="bob")["total"]
    keys = office.serving.server.keys
    [brief] = [key for key in keys.listed("acme") if key.name == "brief"]
    keys.revoke(brief.id, office.serving.server.now())
    with pytest.raises(MCPError):
        client.call("list_memories", user_id="bob")


def test_bodies_that_are_no_request_are_refused_without_a_trace(office: Office) -> None:
    with office.serving.client(office.serving.key()) as client:
        broken = client.post("/mcp", content="{zebra", headers=HEADERS | {"Content-Type": "application/json"})
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, PARSE_ERROR)
        assert client.post("/mcp", content="{}", headers=HEADERS | {"Content-Type": "text/plain"}).status_code == 400
        assert client.post("/mcp", json=[PING], headers=HEADERS).status_code == 400
        for method in ("GET", "DELETE", "PUT"):
            refused = client.request(method, "/mcp", headers=HEADERS)
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert client.post("/mcp", json=PING, headers=HEADERS).json()["result"] == {}


def test_bodies_have_a_bound(tmp_path: Path) -> None:
    long = json.dumps({**PING, "params": {"_meta": {"x": "y" * 5000}}}).encode()
    with serve(tmp_path, body_bytes=2000) as serving, serving.client() as client:
        told = HEADERS | {"Content-Type": "application/json"}
        assert client.post("/mcp", content=long, headers=told).status_code == 413
        assert client.post("/mcp", content=iter([long[:1000], long[1000:]]), headers=told).status_code == 413
        assert client.post("/mcp", json=PING, headers=told).status_code == 200


@pytest.mark.parametrize(
    "stranger",
    [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "127.0.0.2"}],
)
def test_an_open_server_answers_no_stranger(serving: Serving, stranger: dict[str, str]) -> None:
    with serving.client() as client:
        refused = client.post("/mcp", json=PING, headers=HEADERS | stranger)
        assert refused.status_code == 403
        assert refused.headers["content-type"] == "application/problem+json"
        versioned = {"MCP-Protocol-Version": "2026-07-28"}
        assert client.post("/mcp", json=PING, headers=HEADERS | stranger | versioned).status_code == 403
        own = {"Origin": serving.url}
        assert client.post("/mcp", json=PING, headers=HEADERS | own).status_code == 200


def test_requests_are_counted_and_logged_without_words(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "mnemos"), asking(http(serving.url)) as client:
        client.add("Zebras are striped.")
        client.refused("add_memory", zebra="zebra")
        client.ask("search_memories", query="zebra")
    seen = [getattr(record, "fields", {}) for record in caplog.records]
    assert {"/mcp"} == {fields["route"] for fields in seen if "route" in fields}
    assert "zebra" not in (caplog.text + json.dumps(seen, default=str)).lower()
    with serving.client() as plain:
        assert 'route="/mcp"' in plain.get("/metrics").text


def test_what_fails_in_a_store_is_not_told_to_strangers(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as serving:
        (tmp_path / "data" / "tenants").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "tenants" / "default.db").write_text("no store " * 1000, encoding="utf-8")
        with asking(http(serving.url)) as client:
            assert client.refused("list_memories").startswith("the store cannot be used at the moment")


def test_it_stops_with_clients_connected_and_keeps_what_they_said(tmp_path: Path) -> None:
    with ExitStack() as connected, serve(tmp_path) as serving:
        id = connected.enter_context(asking(http(serving.url))).add(RITA)
    with serve(tmp_path) as serving, asking(http(serving.url)) as client:
        assert client.ask("get_memory", id=id)["memory"]["text"] == RITA
