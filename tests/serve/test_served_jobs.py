"""Long jobs over HTTP: imports with live progress, exports, maintenance, forgetting; who may see and begin them."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_server import Serving, serve
from waiting import until

from mnemos.serve.jobs import book, runner, work
from mnemos.serve.jobs.uploads import safe_name

FILES = Path(__file__).parent.parent / "io" / "files"
MANY = 200


@pytest.fixture
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs go slowly enough to be watched."""
    monkeypatch.setattr(work, "BATCH", 20)
    monkeypatch.setattr(runner, "TURN", 0.0)
    monkeypatch.setattr(runner, "NOTE", 0.0)


def many(words: str = "letter") -> bytes:
    """A file of messages."""
    rows = ({"content": f"{words} {n} from the north", "name": "Ana", "source_id": f"m{n}"} for n in range(MANY))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def ended(client: httpx2.Client, reply: httpx2.Response) -> dict[str, Any]:
    """What became of a job that was begun."""
    assert reply.status_code == 202, reply.text
    job: dict[str, Any] = reply.json()
    assert reply.headers["location"] == f"/v1/jobs/{job['id']}"
    path = reply.headers["location"]

    def is_over() -> bool:
        nonlocal job
        job = client.get(path).json()
        return job["state"] in ("done", "failed")

    until(is_over)
    return job


def uploads(running: Serving) -> list[Path]:
    folder = running.server.settings.folder / "uploads"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def texts(client: httpx2.Client, user: str = "ana") -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        params = {"user_id": user, "limit": 1000} | ({} if cursor is None else {"cursor": cursor})
        page = client.get("/v1/memories", params=params).json()
        found += [one["text"] for one in page["memories"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.usefixtures("in_small_steps")
def test_an_import_shows_how_far_it_is(running: Serving, client: httpx2.Client) -> None:
    begun = client.post("/v1/import", files={"file": ("m.jsonl", many())}, data={"user_id": "ana"})
    path = begun.headers["location"]
    (file,) = uploads(running)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    seen: list[dict[str, Any]] = []

    def is_over() -> bool:
        seen.append(client.get(path).json())
        return seen[-1]["state"] in ("done", "failed")

    until(is_over)
    added = [one["progress"]["counts"].get("added", 0) for one in seen]
    assert added == sorted(added)
    assert {one for one in added if 0 < one < MANY}, "it was seen on its way"
    assert {one["progress"]["total"] for one in seen} == {len(many())}
    assert all(0 <= one["progress"]["done"] <= len(many()) for one in seen)
    last = seen[-1]
    assert (last["state"], last["error"], last["progress"]["done"]) == ("done", None, len(many()))
    expected = {"format": "messages", "added": MANY, "repeated": 0, "skipped": {}, "sessions": 0}
    assert expected.items() <= last["result"].items()
    assert uploads(running) == []
    assert len(texts(client)) == MANY
    counted = running.server.metrics.render().decode()
    assert 'mnemos_jobs_total{kind="import",state="done"}' in counted
    assert "mnemos_jobs_waiting 0.0" in counted


@pytest.mark.parametrize(
    ("path", "format_name", "count"),
    [("chatgpt/conversations.json", "chatgpt", 8), ("mem0.json", "mem0", 2), ("messages.jsonl", "messages", None)],
)
def test_files_of_others_are_imported_once(
    client: httpx2.Client, path: str, format_name: str, count: int | None
) -> None:
    data = (FILES / path).read_bytes()
    told = {"user_id": "ana", "filename": Path(path).name, "timezone": "Europe/Lisbon"}
    first = ended(client, client.post("/v1/import", content=data, params=told))
    assert first["state"] == "done", first
    assert first["result"]["format"] == format_name
    assert first["result"]["added"] == (first["result"]["added"] if count is None else count) > 0
    again = ended(
        client, client.post("/v1/import", files={"file": (Path(path).name, data)}, params=told | {"filename": ""})
    )
    assert (again["result"]["added"], again["result"]["repeated"]) == (0, first["result"]["added"])


def test_an_export_comes_back_whole(running: Serving, client: httpx2.Client, tenant: str) -> None:
    client.post("/v1/memories", json={"messages": "My sister Rita is vegan.", "user_id": "ana"})
    (fish,) = client.post("/v1/memories", json={"messages": "I eat fish.", "user_id": "ben"}).json()["memories"]
    client.patch(f"/v1/memories/{fish['id']}", json={"text": "I eat no fish."})
    assert ended(client, client.post("/v1/maintain"))["state"] == "done"
    export = client.get("/v1/export")
    assert export.headers["content-type"] == "application/x-ndjson"
    with running.client(running.key(f"{tenant}b")) as other:
        back = ended(other, other.post("/v1/import", content=export.content))
        assert back["result"]["added"] == export.content.count(b"\n") - 2
        assert other.get("/v1/export").content == export.content
        assert other.get(f"/v1/memories/{fish['id']}/history").json() == (
            client.get(f"/v1/memories/{fish['id']}/history").json()
        )
    ana = client.get("/v1/export", params={"user_id": "ana"})
    assert b"vegan" in ana.content
    assert b"fish" not in ana.content


def test_maintenance_says_what_it_did(client: httpx2.Client) -> None:
    client.post("/v1/memories", json={"messages": ["My sister Rita is vegan.", "I live in Leeds."]})
    job = ended(client, client.post("/v1/maintain"))
    assert (job["kind"], job["state"], job["result"]["waiting"]) == ("maintain", "done", 0)
    assert job["result"]["purge"] == "done"
    found = client.get("/v1/facts").json()["memories"]
    assert found, "what was told has been understood"


def test_forgetting_is_shown_first_and_then_done(client: httpx2.Client) -> None:
    messages = [f"I bought {n} apples at the market" for n in range(10)]
    client.post("/v1/memories", json={"messages": messages, "user_id": "ana"})
    asked = {"count": 4, "user_id": "ana", "kinds": ["turn"]}
    dry = client.post("/v1/forget", json=asked | {"dry_run": True, "limit": 2})
    assert dry.status_code == 200
    shown = dry.json()
    assert len(shown["steps"]) == 2
    assert {"id", "step", "worth", "reason", "text"} <= shown["steps"][0].keys()
    headers = {"Idempotency-Key": "once"}
    begun = client.post("/v1/forget", json=asked, headers=headers)
    job = ended(client, begun)
    assert job["result"] == {"rest": shown["total"], "summarise": 0, "delete": 0, "namespaces": 1}
    again = client.post("/v1/forget", json=asked, headers=headers)
    assert again.json()["id"] == begun.json()["id"], "the same request, the same job"
    assert client.post("/v1/forget", json=asked | {"dry_run": True}).json()["total"] == 0


def test_forgetting_below_a_namespace_takes_each_in_its_turn(client: httpx2.Client) -> None:
    for team in ("a", "b"):
        messages = [f"I bought {n} apples for team {team}" for n in range(4)]
        client.post("/v1/memories", json={"messages": messages, "namespace": ["org", team]})
    asked = {"count": 1, "namespace": ["org"], "descendants": True, "kinds": ["turn"]}
    job = ended(client, client.post("/v1/forget", json=asked))
    assert job["result"]["namespaces"] == 2
    assert job["result"]["rest"] == client.get("/v1/stats").json()["kinds"]["turn"] - 2


@pytest.mark.usefixtures("in_small_steps")
def test_a_job_can_be_cancelled(running: Serving, client: httpx2.Client) -> None:
    begun = client.post("/v1/import", files={"file": ("m.jsonl", many())}, data={"user_id": "ana"})
    path = begun.headers["location"]
    until(lambda: client.get(path).json()["progress"]["counts"].get("added"))
    cancelled = client.post(f"{path}/cancel").json()
    assert (cancelled["state"], cancelled["error"]["type"]) == ("failed", "urn:mnemos:cancelled")
    until(lambda: not uploads(running))
    kept = len(texts(client))
    assert 0 < kept < MANY
    assert client.post(f"{path}/cancel").json() == client.get(path).json() == cancelled
    whole = ended(client, client.post("/v1/import", files={"file": ("m.jsonl", many())}, data={"user_id": "ana"}))
    assert (whole["result"]["added"], whole["result"]["repeated"]) == (MANY - kept, kept)
    assert client.post(f"/v1/jobs/{whole['id']}/cancel").json()["state"] == "done"


REFUSED = [
    ({"content": b""}, "file"),
    ({"content": b"\x00\x01\x02"}, "file"),
    ({"files": {"other": ("m.jsonl", b"{}")}}, "other"),
    ({"data": {"user_id": "ana"}, "files": {"file": ("a.txt", b"no chat")}}, "file"),
    ({"files": [("file", ("a", b"x")), ("file", ("b", b"x"))]}, "file"),
    ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "body"),
    ({"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, "body"),
    ({"content": b"x", "params": {"format": "diary"}}, "format"),
    ({"content": b'{"content":"a"}', "params": {"timezone": "Mars/Crater"}}, "timezone"),
    ({"content": b'{"content":"a"}', "params": {"date_order": "mmm"}}, "date_order"),
    ({"content": b'{"content":"a"}', "params": {"user_id": ""}}, "user_id"),
    ({"content": b"x", "params": {"color": "red"}}, "color"),
    ({"data": {"color": "red"}, "files": {"file": ("m.jsonl", many())}}, "color"),
    ({"data": {"user_id": "ana"}, "params": {"user_id": "ana"}, "files": {"file": ("m.jsonl", many())}}, "user_id"),
    ({"data": {"user_id": "a" * 20_000}, "files": {"file": ("m.jsonl", b"{}")}}, "user_id"),
]


@pytest.mark.parametrize(("sent", "field"), REFUSED)
def test_what_cannot_be_imported_is_refused_at_once(
    running: Serving, client: httpx2.Client, sent: dict[str, Any], field: str
) -> None:
    refused = client.post("/v1/import", **sent)
    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"][0]["field"] == field
    assert refused.json()["errors"][0]["mend"]
    assert uploads(running) == []
    assert client.get("/v1/jobs").json() == {"jobs": [], "next_cursor": None}


def test_a_file_that_breaks_off_fails_and_says_so(running: Serving, client: httpx2.Client) -> None:
    whole = (FILES / "chatgpt" / "conversations.json").read_bytes()
    broken = whole[: whole.index(b"Thanks. Print")]
    job = ended(
        client, client.post("/v1/import", files={"file": ("Secret Diary.json", broken)}, data={"user_id": "ana"})
    )
    assert job["state"] == "failed"
    assert (job["error"]["type"], job["error"]["status"]) == ("urn:mnemos:import-failed", 422)
    assert "the file: ends in the middle of element 2" in job["error"]["detail"]
    assert job["result"]["added"] == len(texts(client)) == 4
    assert uploads(running) == []


def test_the_ledger_holds_no_words(running: Serving, client: httpx2.Client) -> None:
    rows = [{"content": "kolibri", "source_id": "kolibri", "kind": "kolibri"}, {"content": "kolibri", "source_id": "b"}]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode() + b"kolibri"
    done = ended(client, client.post("/v1/import", files={"file": ("kolibri.jsonl", data)}, data={"user_id": "ana"}))
    assert done["result"]["added"] == 1
    assert sum(done["result"]["skipped"].values()) == 2
    naive = json.dumps({"content": "kolibri", "happened_at": "2026-01-01 kolibri"}) + "\n"
    naive += json.dumps({"content": "kolibri", "happened_at": "2026-01-01T10:00:00"})
    failed = ended(client, client.post("/v1/import", files={"file": ("kolibri.jsonl", naive)}, data={"user_id": "ana"}))
    assert failed["error"]["errors"][0]["field"] == "timezone", failed
    assert "Europe/Lisbon" not in json.dumps(failed) or failed["error"]["errors"][0]["mend"]
    assert "kolibri" not in json.dumps([done, failed])
    for path in running.server.settings.folder.glob("serve.db*"):
        assert b"kolibri" not in path.read_bytes()
    assert not [path for path in uploads(running) if "kolibri" in path.name]


def test_a_longer_upload_than_is_allowed_is_refused(tmp_path: Path) -> None:
    with serve(tmp_path / "data", upload_bytes=5000) as running, running.client() as client:
        told = client.post("/v1/import", content=b"x" * 5001)
        untold = client.post("/v1/import", content=(b"x" * 1000 for _ in range(6)))
        assert (told.status_code, untold.status_code) == (413, 413)
        assert uploads(running) == []
        assert ended(client, client.post("/v1/import", content=b'{"content":"a"}\n'))["state"] == "done"


def test_a_bound_key_carries_only_its_own(running: Serving, client: httpx2.Client, tenant: str) -> None:
    client.post("/v1/memories", json={"messages": "I eat fish.", "user_id": "ben"})
    ours = ended(client, client.post("/v1/import", content=many("ours"), params={"user_id": "ben"}))
    with running.client(running.key(tenant, namespaces=[("user", "ana")])) as ana:
        outside = ana.post("/v1/import", content=many(), params={"user_id": "ben"})
        assert outside.status_code == 403
        assert ana.get("/v1/export", params={"user_id": "ben"}).status_code == 403
        assert ana.post("/v1/forget", json={"count": 1, "user_id": "ben"}).status_code == 403
        assert ana.post("/v1/maintain").status_code == 403
        whole = client.get("/v1/export").content
        assert ana.post("/v1/import", content=whole).status_code == 403, "an export says itself whose each memory is"
        done = ended(ana, ana.post("/v1/import", content=many("mine")))
        assert len(texts(client, "ana")) == MANY
        assert [one["id"] for one in ana.get("/v1/jobs").json()["jobs"]] == [done["id"]]
        assert [one["id"] for one in client.get("/v1/jobs").json()["jobs"]] == [done["id"], ours["id"]]
        exported = ana.get("/v1/export").content
        assert (b"mine 7 " in exported, b"fish" in exported) == (True, False)
        headers = {"X-Request-ID": "same"}
        for method, path in (("GET", ""), ("POST", "/cancel")):
            foreign = ana.request(method, f"/v1/jobs/{ours['id']}{path}", headers=headers)
            unknown = ana.request(method, f"/v1/jobs/01a1fd55-0000-7ca3-af24-7c13d8769a2c{path}", headers=headers)
            assert foreign.status_code == 404
            assert foreign.content == unknown.content
    with running.client(running.key(f"{tenant}b")) as elsewhere:
        assert elsewhere.get(f"/v1/jobs/{ours['id']}").status_code == 404
        assert elsewhere.get("/v1/jobs").json()["jobs"] == []


def test_who_may_what(running: Serving, client: httpx2.Client, tenant: str) -> None:
    client.post("/v1/memories", json={"messages": "I eat fish.", "user_id": "ben"})
    job = ended(client, client.post("/v1/maintain"))
    with running.client(running.key(tenant, scopes=("read", "write"))) as reader:
        assert reader.get("/v1/export", params={"user_id": "ben"}).status_code == 200
        for params in ({}, {"descendants": "true"}):
            assert reader.get("/v1/export", params=params).status_code == 403
        assert reader.get(f"/v1/jobs/{job['id']}").json() == job
        assert reader.post(f"/v1/jobs/{job['id']}/cancel").status_code == 403
        for path in ("import", "maintain", "forget"):
            assert reader.post(f"/v1/{path}", json={}).status_code == 403


def test_jobs_come_in_pages(client: httpx2.Client) -> None:
    made = [ended(client, client.post("/v1/maintain"))["id"] for _ in range(3)]
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    second = client.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in first["jobs"] + second["jobs"]] == made[::-1]
    assert second["next_cursor"] is None
    assert client.get("/v1/jobs", params={"state": "failed"}).json()["jobs"] == []


def test_a_tenant_may_have_so_many_jobs(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "MOST_WAITING", 0)
    assert client.post("/v1/maintain").status_code == 503
    assert client.post("/v1/import", content=many()).status_code == 503


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("notes.md", "notes.md"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ana\\chat.txt", "chat.txt"),
        (".hidden", "hidden"),
        ("..", "upload"),
        ("", "upload"),
        ("a\x00b\n.txt", "ab.txt"),
        ("é" * 300 + ".jsonl", "é" * 72 + ".jsonl"),
    ],
)
def test_an_upload_keeps_a_name_that_leads_nowhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert re.fullmatch(r"[^/\\\x00-\x1f]{1,150}", safe)
