"""Jobs that outlive their server: stopped, killed, out of disk, left behind."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_server import Serving, serve
from server_process import ServerProcess
from waiting import until

from mnemos.errors import StoreBusy, StoreFull
from mnemos.serve.access import Access
from mnemos.serve.jobs import JobBook, Runner, Uploads, runner, work
from mnemos.serve.jobs.book import KEPT, MOST_ATTEMPTS, Progress
from mnemos.serve.jobs.importing import begin_import
from mnemos.serve.ledger import Ledger
from mnemos.serve.server import Server
from mnemos.serve.settings import Settings


def messages(count: int) -> bytes:
    rows = ({"content": f"letter {n} from the north", "name": "Ana", "source_id": f"m{n}"} for n in range(count))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "uploads").rglob("*") if path.is_file())


def begin(client: httpx2.Client, data: bytes) -> str:
    reply = client.post("/v1/import", content=data, params={"user_id": "ana", "filename": "m.jsonl"})
    assert reply.status_code == 202, reply.text
    return reply.headers["location"]


def under_way(client: httpx2.Client, path: str) -> dict[str, Any]:
    """A job, once some of it is done."""
    until(lambda: client.get(path).json()["progress"]["counts"].get("added"))
    job: dict[str, Any] = client.get(path).json()
    assert job["state"] == "running", "it was caught in the middle"
    return job


def ended(client: httpx2.Client, path: str) -> dict[str, Any]:
    until(lambda: client.get(path).json()["state"] in ("done", "failed"))
    job: dict[str, Any] = client.get(path).json()
    return job


def texts(client: httpx2.Client) -> list[str]:
    found: list[str] = []
    params: dict[str, Any] = {"user_id": "ana", "limit": 1000}
    while True:
        page = client.get("/v1/memories", params=params).json()
        found += [one["text"] for one in page["memories"]]
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


def test_a_stopped_server_leaves_its_jobs_in_the_queue_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "BATCH", 20)
    monkeypatch.setattr(runner, "TURN", 0.0)
    monkeypatch.setattr(runner, "NOTE", 0.0)
    folder = tmp_path / "data"
    with serve(folder) as running, running.client() as client:
        path = begin(client, messages(300))
        under_way(client, path)
    (file,) = files(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ledger = Ledger(folder)
    with ledger.read() as connection:
        assert connection.execute("SELECT state, attempts FROM jobs").fetchall() == [("queued", 0)]
    ledger.close()
    with serve(folder) as running, running.client() as client:
        job = ended(client, path)
        assert (job["state"], job["result"]["added"] + job["result"]["repeated"]) == ("done", 300)
        assert sorted(texts(client)) == sorted(f"letter {n} from the north" for n in range(300))
        assert files(folder) == []


def test_an_import_that_was_killed_is_done_after_the_restart(tmp_path: Path) -> None:
    folder, count = tmp_path / "data", 6000
    with ServerProcess(folder) as server:
        path = begin(server.client, messages(count))
        before = under_way(server.client, path)
        server.kill()
    assert 0 < before["progress"]["counts"]["added"] < count
    assert len(files(folder)) == 1
    with ServerProcess(folder) as server:
        until(lambda: server.client.get(path).json()["state"] == "done")
        job = server.client.get(path).json()
        assert (job["result"]["added"], job["result"]["repeated"]) == (count, 0), "what the first try added, counts"
        assert sorted(texts(server.client)) == sorted(f"letter {n} from the north" for n in range(count))
    assert files(folder) == []


def test_a_full_disk_fails_the_job_and_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with ServerProcess(folder, largest=1_500_000) as server:
        long = server.client.post("/v1/import", content=b"x" * 3_000_000)
        assert (long.status_code, long.json()["type"]) == (507, "urn:mnemos:store-full")
        assert files(folder) == []
        rows = [{"content": f"letter {n} {'from the north ' * 60}", "source_id": f"m{n}"} for n in range(1000)]
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        assert len(data) < 1_500_000
        job = ended(server.client, begin(server.client, data))
        assert job["state"] == "failed"
        assert (job["error"]["type"], job["error"]["status"]) == ("urn:mnemos:store-full", 507)
        assert "free some space" in job["error"]["detail"]
        assert files(folder) == []
        assert server.client.get("/v1/ready").status_code == 200


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A server whose worker does not run: the tests take its turns."""
    made = Server(Settings(folder=tmp_path / "data"))
    yield made
    made.close()


def access_of(server: Server) -> Access:
    return Access(server.tenants, server.desk, "default", "rest", frozenset(("read", "admin")))


def turn_until_done(server: Server) -> None:
    while server.runner.chore(never):
        pass


def never() -> bool:
    return False


def test_a_job_that_ends_its_server_again_and_again_is_given_up(server: Server) -> None:
    access = access_of(server)
    job = server.jobs.submit(access, "maintain", {})
    for _ in range(MOST_ATTEMPTS):
        taken = server.jobs.claim([])
        assert taken is not None
    server.runner.chore(never)
    failed = server.jobs.get(access, job.id)
    assert (failed.state, failed.error and failed.error["type"]) == ("failed", "urn:mnemos:interrupted")


def test_a_job_whose_end_could_not_be_written_is_taken_up_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = access_of(server)
    job = server.jobs.submit(access, "maintain", {})
    finish = server.jobs.finish
    fails = iter([True])

    def full(*told: Any) -> None:
        if next(fails, False):
            raise StoreFull("no room in the ledger")
        finish(*told)

    monkeypatch.setattr(server.jobs, "finish", full)
    with pytest.raises(StoreFull):
        turn_until_done(server)
    turn_until_done(server)
    assert (server.jobs.get(access, job.id).state, server.jobs.get(access, job.id).attempts) == ("done", 2)


def test_what_nobody_foresaw_fails_one_job_and_not_the_worker(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(task: work.Task) -> work.Steps:
        yield Progress()
        raise RuntimeError("my sister Rita is vegan")

    monkeypatch.setitem(work.WORK, "maintain", broken)
    access = access_of(server)
    job = server.jobs.submit(access, "maintain", {})
    turn_until_done(server)
    failed = server.jobs.get(access, job.id)
    assert failed.error is not None
    assert failed.error["type"] == "urn:mnemos:unexpected"
    assert "Rita" not in json.dumps(failed.error)


def test_a_busy_store_is_tried_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def busy(task: work.Task) -> work.Steps:
        tries.append(task.job.attempts)
        if len(tries) < 3:
            raise StoreBusy("busy")
        yield Progress()
        return {"waiting": 0}

    monkeypatch.setitem(work.WORK, "maintain", busy)
    access = access_of(server)
    job = server.jobs.submit(access, "maintain", {})
    while not server.jobs.get(access, job.id).is_over:
        server.runner.chore(never)
    assert (server.jobs.get(access, job.id).state, tries) == ("done", [1, 2, 3])


def test_tenants_take_turns_and_one_tenant_waits_for_itself(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def slow(task: work.Task) -> work.Steps:
        for _ in range(2):
            order.append(task.job.params["name"])
            yield Progress()
        return {}

    monkeypatch.setattr(runner, "TURN", 0.0)
    monkeypatch.setitem(work.WORK, "maintain", slow)
    mine = access_of(server)
    other = Access(server.tenants, server.desk, "other", "rest", frozenset(("admin",)))
    for name, access in (("a1", mine), ("a2", mine), ("b1", other)):
        server.jobs.submit(access, "maintain", {"name": name})
    turn_until_done(server)
    assert order == ["a1", "b1", "a1", "b1", "a2", "a2"]


def test_of_two_servers_on_one_folder_one_does_the_jobs(server: Server) -> None:
    access = access_of(server)
    job = server.jobs.submit(access, "maintain", {})
    other = Runner(server.jobs, server.tenants, server.uploads, server.settings.folder / "jobs.lock", server.metrics)
    turn_until_done(server)
    assert server.jobs.get(access, job.id).is_over
    later = server.jobs.submit(access, "maintain", {})
    other.chore(never)
    assert server.jobs.get(access, later.id).state == "queued"
    server.runner.close()
    while not server.jobs.get(access, later.id).is_over:
        other.chore(never)
    other.close()


def test_what_a_crash_left_is_swept_and_what_comes_is_not(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    states = {"done": "done", "queued": "queued"}
    kept = [uploads.new(), uploads.new()]
    for upload in kept:
        upload.begin("a.txt")
    for name in states:
        (tmp_path / name).mkdir()
    old = tmp_path / kept[1].job_id
    long_ago = time.time() - 7200
    os.utime(old / "a.txt", (long_ago, long_ago))
    os.utime(old, (long_ago, long_ago))
    uploads.sweep(states.get)
    assert {path.name for path in tmp_path.iterdir()} == {"queued", kept[0].job_id}
    for upload in kept:
        upload.drop()


def test_jobs_are_forgotten_a_week_after_their_end(tmp_path: Path) -> None:
    ledger, now = Ledger(tmp_path), 1_000_000
    book = JobBook(ledger, lambda: now)
    access = Access(None, None, "default", "rest", frozenset())  # type: ignore[arg-type]  # neither is asked
    old, waiting = (book.submit(access, "maintain", {}) for _ in range(2))
    book.cancel(access, old.id)
    now += KEPT
    book.prune()
    assert [one.id for one in book.listed(access, 10)] == [waiting.id, old.id]
    now += 1
    book.prune()
    assert [one.id for one in book.listed(access, 10)] == [waiting.id]
    ledger.close()


def test_an_export_is_put_back_whole_or_not_at_all(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "NOTE", 0.0)
    with server.tenants.use("other") as memory:
        memory.add([f"letter {n} from the north" for n in range(300)])
        memory.export_file(tmp_path / "all.jsonl")
    access, upload = access_of(server), server.uploads.new()
    upload.begin("all.jsonl")
    upload.write((tmp_path / "all.jsonl").read_bytes())
    upload.end()
    job = begin_import(server.jobs, access, upload, {})
    asked: list[bool] = []

    def in_the_middle() -> bool:
        asked.append(len(asked) > 2)
        return asked[-1]

    server.runner.chore(in_the_middle)
    assert asked[-1], "it was stopped"
    assert server.jobs.get(access, job.id).progress.done > 0
    with server.tenants.use("default") as memory:
        assert memory.stats().memories == 0
        server.runner.close()
        assert server.jobs.get(access, job.id).state == "queued"
        turn_until_done(server)
        assert server.jobs.get(access, job.id).state == "done"
        assert memory.stats().memories == 300


def test_a_restored_export_keeps_no_reader_waiting(serving: Serving) -> None:
    """While a whole export is put back in one transaction, the tenant can be read."""
    with serving.client() as client:
        client.post("/v1/memories", json={"messages": "I eat fish.", "user_id": "ana"})
        export = client.get("/v1/export").content
        with serving.server.tenants.apart("default") as apart, apart.transaction():
            apart.add("not yet", user_id="ana")
            assert texts(client) == ["I eat fish."]
            assert client.post("/v1/search", json={"query": "fish", "user_id": "ana"}).json()["total"] == 1
        job = ended(client, begin_whole(client, export))
        assert (job["result"]["added"], job["state"]) == (0, "done")


def begin_whole(client: httpx2.Client, data: bytes) -> str:
    return client.post("/v1/import", content=data).headers["location"]
