"""When memory fails, chats go on: what was said waits on disk and is learnt later, once."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_server import Serving, serve
from starlette.responses import JSONResponse
from upstream import Upstream, upstream
from waiting import until

from mnemos import Memory, Mnemos
from mnemos.namespaces import read_scope
from mnemos.serve.metrics import Metrics
from mnemos.serve.proxy import backlog as backlogs
from mnemos.serve.proxy.backlog import Backlog
from mnemos.serve.tenants import Tenants
from mnemos.store.spool import Entry, Head, Spool

RITA = "My sister Rita is vegan and lives in Porto."
BODY = {"messages": [{"role": "user", "content": RITA}], "user": "ana"}
BROKEN = b"this is no database" * 100


@pytest.fixture(scope="module")
def behind() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A server's folder in which the store of the one tenant is broken."""
    (tmp_path / "data" / "tenants").mkdir(parents=True)
    store(tmp_path / "data").write_bytes(BROKEN)
    return tmp_path / "data"


def store(folder: Path) -> Path:
    return folder / "tenants" / "default.db"


def kept(folder: Path) -> list[Path]:
    """The files that wait."""
    return sorted((folder / "tenants" / "default.db.d" / "spool").glob("*"))


def post(serving: Serving, body: dict[str, Any] = BODY, **headers: str) -> httpx2.Response:
    with serving.client() as client:
        reply = client.post("/v1/chat/completions", json=body, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply


def counted(serving: Serving, step: str, outcome: str) -> float:
    value = serving.server.metrics.registry.get_sample_value("mnemos_proxy_total", {"step": step, "outcome": outcome})
    return value or 0.0


def said(serving: Serving, user: str = "ana") -> list[Memory]:
    with serving.server.tenants.use("default") as memory:
        return list(memory.list(kinds=["turn"], user_id=user))


def test_a_broken_memory_lets_chats_pass_and_learns_them_once_when_mended(folder: Path, behind: Upstream) -> None:
    with serve(folder, upstream=behind.url) as serving:
        reply = post(serving)
        assert reply.json()["choices"][0]["message"]["content"] == "I see."
        assert reply.headers["x-mnemos-memory"] == "spooled"
        assert behind.bodies[-1] == BODY
        until(lambda: counted(serving, "learn", "spooled") == 1)
        (file,) = kept(folder)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        post(serving)  # the same, sent again
        store(folder).unlink()
        until(lambda: counted(serving, "learn", "replayed") == 2)
        assert [(one.text, one.role, one.channel) for one in said(serving)] == [
            (RITA, "user", "proxy"),
            ("I see.", "assistant", "proxy"),
        ]
        assert kept(folder) == []
        assert (
            post(serving, {**BODY, "messages": [{"role": "user", "content": "Is my sister Rita vegan?"}]}).headers[
                "x-mnemos-memory"
            ]
            == "used"
        )


def test_what_waits_outlives_the_server(folder: Path, behind: Upstream) -> None:
    with serve(folder, upstream=behind.url) as serving:
        post(serving)
        until(lambda: counted(serving, "learn", "spooled") == 1)
    assert len(kept(folder)) == 1
    store(folder).unlink()
    with serve(folder, upstream=behind.url) as serving:
        until(lambda: not kept(folder))
        assert [one.text for one in said(serving)] == [RITA, "I see."]


def test_a_server_killed_in_the_middle_of_an_answer_keeps_what_was_asked(folder: Path, behind: Upstream) -> None:
    behind.script.append(behind.endless)
    with (
        running(folder, behind) as (process, url),
        httpx2.Client(trust_env=False) as client,
        client.stream("POST", f"{url}/v1/chat/completions", json={**BODY, "stream": True}) as reply,
    ):
        assert reply.headers["x-mnemos-memory"] == "spooled"
        next(reply.iter_raw())
        assert behind.headers[-1]["authorization"] == "Bearer sk-named"
        process.kill()
        process.wait()
    assert len(kept(folder)) == 1
    store(folder).unlink()
    with serve(folder, upstream=behind.url) as serving:
        until(lambda: not kept(folder))
        assert [one.text for one in said(serving)] == [RITA]


@contextmanager
def running(folder: Path, behind: Upstream) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`mnemos serve` in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--data", str(folder), "--upstream", behind.url, "--upstream-key-env", "KEY_FOR_IT", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mnemos", "serve", *words],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "KEY_FOR_IT": "sk-named"},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx2.Client(trust_env=False) as client:
            until(lambda: _answers(client, url))
        yield process, url
    finally:
        process.kill()
        process.wait()


def _answers(client: httpx2.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/v1/ready").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_server_that_is_stopped_in_the_middle_of_an_answer_keeps_what_was_asked(
    tmp_path: Path, behind: Upstream
) -> None:
    folder = tmp_path / "data"
    behind.script.append(behind.endless)
    body = {**BODY, "stream": True}
    begun = threading.Event()

    def listen(url: str) -> None:
        with (
            httpx2.Client(trust_env=False) as client,
            client.stream("POST", f"{url}/v1/chat/completions", json=body) as reply,
        ):
            try:
                for _ in reply.iter_raw():
                    begun.set()
            except httpx2.TransportError:
                pass

    with serve(folder, upstream=behind.url, drain=1.0) as serving:
        listener = threading.Thread(target=listen, args=(serving.url,))
        listener.start()
        assert begun.wait(10)
    listener.join()
    assert len(kept(folder)) == 1
    with serve(folder, upstream=behind.url) as serving:
        until(lambda: not kept(folder))
        assert [one.text for one in said(serving)] == [RITA]


def test_a_store_that_is_busy_learns_later(tmp_path: Path, behind: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    monkeypatch.setattr("mnemos.store.database.BUSY_TIMEOUT_MS", 50)
    with serve(folder, upstream=behind.url) as serving:
        assert said(serving) == []
        other = sqlite3.connect(store(folder), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            assert post(serving).headers["x-mnemos-memory"] == "none"
            until(lambda: counted(serving, "learn", "spooled") == 1)
        finally:
            other.execute("ROLLBACK")
            other.close()
        until(lambda: counted(serving, "learn", "replayed") == 1)
        assert [one.text for one in said(serving)] == [RITA, "I see."]


def test_a_memory_that_takes_too_long_is_not_waited_for(tmp_path: Path, behind: Upstream) -> None:
    with serve(tmp_path / "data", upstream=behind.url, memory_timeout=0.1) as serving:
        assert said(serving) == []
        over = threading.Event()
        with serving.client() as client:
            pool = serving.server.desk._pools["search"]
            stuck = [pool.submit(over.wait, 20) for _ in range(serving.server.settings.searching)]
            reply = client.post("/v1/chat/completions", json=BODY)
            over.set()
        assert reply.headers["x-mnemos-memory"] == "spooled"
        assert all(one.result() for one in stuck)
        until(lambda: counted(serving, "learn", "replayed") == 1)
        assert [one.text for one in said(serving)] == [RITA, "I see."]


def test_a_full_spool_is_said_and_counted(folder: Path, behind: Upstream) -> None:
    with serve(folder, upstream=behind.url, spool_bytes=700) as serving:
        assert post(serving).headers["x-mnemos-memory"] == "spooled"
        until(lambda: counted(serving, "learn", "spooled") == 1)
        for number in (1, 2):
            other = {**BODY, "messages": [{"role": "user", "content": f"{RITA} {number}"}]}
            reply = post(serving, other)
            assert reply.headers["x-mnemos-memory"] == "failed"
            assert reply.json()["choices"][0]["message"]["content"] == "I see."
            until(lambda number=number: counted(serving, "learn", "lost") == number)
        assert sum(file.stat().st_size for file in kept(folder)) <= 700
        with serving.client() as client:
            text = client.get("/metrics").text
        assert 'mnemos_proxy_total{outcome="lost",step="learn"} 2.0' in text
        assert "mnemos_proxy_spool_bytes" in text


def test_a_spool_that_cannot_be_written_is_said_too(folder: Path, behind: Upstream) -> None:
    Path(f"{store(folder)}.d").write_bytes(b"a file where the folder should be")
    with serve(folder, upstream=behind.url) as serving:
        assert post(serving).headers["x-mnemos-memory"] == "failed"
        until(lambda: counted(serving, "learn", "lost") == 1)


def test_what_was_not_answered_is_not_kept(folder: Path, behind: Upstream) -> None:
    behind.script.append(lambda body: JSONResponse({"error": {"message": "no"}}, 500))
    with serve(folder, upstream=behind.url) as serving, serving.client() as client:
        assert client.post("/v1/chat/completions", json=BODY).status_code == 500
        until(lambda: not kept(folder))


def test_who_waits_keeps_key_and_trust(folder: Path, behind: Upstream) -> None:
    broken = folder / "tenants" / "acme.db"
    broken.write_bytes(BROKEN)
    with serve(folder, upstream=behind.url, upstream_key="x") as serving:
        key = serving.key("acme", trust=0.4, namespaces=[("user", "ana")])
        assert post(serving, Authorization=f"Bearer {key}").headers["x-mnemos-memory"] == "spooled"
        until(lambda: counted(serving, "learn", "spooled") == 1)
        serving.server.keys.revoke(serving.server.keys.listed("acme")[0].id, serving.server.now())
        broken.unlink()
        until(lambda: counted(serving, "learn", "replayed") == 1)
        with serving.server.tenants.use("acme") as memory:
            first, _ = memory.list(kinds=["turn"], user_id="ana")
        assert (first.trust, first.writer) == (0.4, serving.server.keys.listed("acme")[0].id)


# ── what waits, by itself ────────────────────────────────────────────────────────────────────────────────────────────


def entry(text: str, user: str = "ana", key: str = "k1") -> Entry:
    return Entry(Head(("user", user), session_id="s"), ({"role": "user", "content": text, "idempotency_key": key},))


@pytest.fixture
def tenants(tmp_path: Path) -> Iterator[Tenants]:
    found = Tenants(tmp_path / "data" / "tenants", 4)
    yield found
    assert found.close() == []


def waiting(tenants: Tenants, *entries: Entry) -> Backlog:
    """A backlog that was left with these."""
    for one in entries:
        Spool(tenants.file("default")).put(one)
    with tenants.use("default"):
        return Backlog(tenants, Metrics(), 10_000)


def texts(tenants: Tenants, user: str = "ana") -> list[str]:
    with tenants.use("default") as memory:
        return [one.text for one in memory.list(user_id=user)]


def test_a_crash_between_learning_and_letting_go_learns_nothing_twice(tenants: Tenants) -> None:
    spooled = entry(RITA)
    backlog = waiting(tenants, spooled)
    with tenants.use("default") as memory:
        backlogs.store(memory, spooled)
    assert not backlog.replay(lambda: False)
    assert texts(tenants) == [RITA]
    assert Spool(tenants.file("default")).names() == []


def test_deleting_somebody_deletes_what_waits_for_them(tenants: Tenants) -> None:
    backlog = waiting(tenants, entry(RITA), entry("Ben likes tea.", "ben", "k2"))
    with tenants.use("default") as memory:
        memory.delete_all(user_id="ana")
        assert not memory.verify_erased(RITA).stray
    backlog.replay(lambda: False)
    assert (texts(tenants), texts(tenants, "ben")) == ([], ["Ben likes tea."])


def test_words_that_wait_are_not_erased(tenants: Tenants) -> None:
    waiting(tenants, entry(RITA))
    with tenants.use("default") as memory:
        assert memory.verify_erased(RITA).stray


def test_what_is_deleted_while_it_is_learnt_goes_again(tenants: Tenants, monkeypatch: pytest.MonkeyPatch) -> None:
    backlog = waiting(tenants, entry(RITA))

    def overtaken(memory: Mnemos, one: Entry) -> list[str]:
        memory.delete_all(user_id="ana")
        return learn(memory, one)

    learn = backlogs.store
    monkeypatch.setattr(backlogs, "store", overtaken)
    backlog.replay(lambda: False)
    assert texts(tenants) == []


def test_what_can_never_be_stored_does_not_stand_in_the_way(tenants: Tenants) -> None:
    bad = Entry(Head(("user", "ana")), ({"role": "user", "content": ""},))
    backlog = waiting(tenants, bad, entry(RITA))
    backlog.replay(lambda: False)
    assert texts(tenants) == [RITA]
    assert Spool(tenants.file("default")).names() == []


def test_a_torn_entry_gives_what_is_whole(tenants: Tenants) -> None:
    backlog = waiting(tenants, entry(RITA), entry("x", key="k2"))
    whole, torn = sorted((tenants.file("default").parent / "default.db.d" / "spool").iterdir())
    whole.write_bytes(whole.read_bytes() + b'{"role": "assistant", "conte')
    torn.write_bytes(torn.read_bytes()[:20])
    backlog.replay(lambda: False)
    assert texts(tenants) == [RITA]
    assert not whole.exists()
    assert not torn.exists()


def test_a_store_that_fails_is_tried_again_more_and_more_rarely(tenants: Tenants) -> None:
    backlog = waiting(tenants, entry(RITA), entry("Second.", key="k2"))
    tenants.close()
    file = tenants.file("default")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    file.write_bytes(BROKEN)
    backlog.replay(lambda: False)
    assert len(Spool(file).names()) == 2
    file.unlink()
    backlog.replay(lambda: False)  # too early
    assert len(Spool(file).names()) == 2
    time.sleep(backlogs.SOONEST + 0.05)
    backlog.replay(lambda: False)
    assert texts(tenants) == [RITA, "Second."]


def test_an_entry_that_is_deleted_does_not_come_back_with_its_answer(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.db")
    name = spool.put(entry(RITA))
    spool.clear(read_scope(user_id="ana"))
    assert not spool.extend(name, [{"role": "assistant", "content": "late"}])
    assert spool.names() == []
    assert not spool.remove(name)
    assert spool.read(name) is None


def test_an_entry_is_plain_json_lines(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.db")
    name = spool.put(entry(RITA))
    assert spool.extend(name, [{"role": "assistant", "content": "ok"}])
    lines = (tmp_path / "a.db.d" / "spool" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line).get("content") for line in lines] == [None, RITA, "ok"]
    assert spool.size() == sum(len(line) + 1 for line in lines)
    found = spool.read(name)
    assert found is not None
    assert found.head == entry(RITA).head
