"""Files sent and fetched, and jobs waited for, through a live server."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from live_server import Serving, serve

from mnemos import ImportFailed, InvalidInput, Mnemos, NotFound
from mnemos.client import BadReply, Client, Forbidden, JobFailed, ServerError, Unauthorized, Unreachable
from mnemos.client.jobs import IS_KEPT, Job, failure
from mnemos.forget.budget import Forgotten
from mnemos.io.importing import ImportReport, ImportStopped
from mnemos.io.jsonl import ExportReport
from mnemos.maintenance import Maintained

SAID = [f"{day} March: we walked {day} miles along the river" for day in range(1, 31)]


def test_what_is_exported_is_imported_elsewhere(memory: Any, kind: Any, tmp_path: Path) -> None:
    added = memory.add(SAID, user_id="ana", session_id="walks")
    memory.add("other", user_id="bob")
    file = tmp_path / "ana.jsonl"
    report = memory.export_file(file, user_id="ana")
    lines = file.read_bytes().splitlines()
    assert report == ExportReport(len(lines) - 2, file.stat().st_size, str(file))
    stream = io.BytesIO()
    assert memory.export_file(stream).path is None
    assert len(stream.getvalue()) > report.bytes
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["ana.jsonl"]

    with Mnemos(tmp_path / "library.db") as library:
        library.import_file(file)
        assert [one.id for one in library.list(user_id="ana", kinds=["turn"])] == [one.id for one in added]

    seen: list[tuple[int, int | None]] = []
    with serve(tmp_path / "elsewhere") as other, closing(kind(other.url)) as there:
        imported = there.import_file(file, progress=lambda done, total: seen.append((done, total)))
        assert isinstance(imported, ImportReport)
        assert (imported.format, imported.repeated) == ("mnemos", 0)
        assert imported.added >= len(added)
        assert [one.id for one in there.every(user_id="ana", kinds=["turn"])] == [one.id for one in added]
        assert there.import_file(str(file)).added == 0
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)


def test_a_file_keeps_its_name_and_its_scope(memory: Any, tmp_path: Path) -> None:
    chat = tmp_path / "WhatsApp Chat – Ana & Rita.txt"
    chat.write_text("02/03/2026, 18:40 - Ana: I live in Lisbon\n02/03/2026, 18:41 - Rita: Lovely!\n", "utf-8")
    report = memory.import_file(chat, format="whatsapp", user_id="ana", timezone="Europe/Lisbon", date_order="dmy")
    assert (report.added, report.sessions) == (2, 1)
    assert report.first.isoformat() == "2026-03-02T18:40:00+00:00"
    assert [one.speaker for one in memory.every(user_id="ana", kinds=["turn"])] == ["Ana", "Rita"]


def test_what_cannot_be_imported_is_told(memory: Any, serving: Serving, kind: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file"):
        memory.import_file(tmp_path / "missing.json")
    with pytest.raises(InvalidInput, match="path"):
        memory.import_file("")
    unknown = tmp_path / "picture.bin"
    unknown.write_bytes(b"\x89PNG" * 1000)
    with pytest.raises((InvalidInput, ImportFailed)):
        memory.import_file(unknown)
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b'{"mnemos_export":1,"mnemos":"0.3.0"}\n{"op":"add"}\n')
    with pytest.raises(ImportFailed):
        memory.import_file(broken)
    writer = serving.key(scopes=("read", "write"))
    with closing(kind(serving.url, writer)) as there:
        with pytest.raises(Forbidden):
            there.import_file(broken)
        with pytest.raises(Forbidden):
            there.export_file(tmp_path / "all.jsonl")
    assert not (tmp_path / "all.jsonl").exists()


def test_what_is_refused_before_all_of_it_was_sent_is_told(kind: Any, tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    file.write_bytes(b" " * 20_000_000)
    with serve(tmp_path / "data", upload_bytes=1000, body_bytes=1000) as serving, closing(kind(serving.url)) as memory:
        for call in (lambda: memory.import_file(file), lambda: memory.add("x" * 10_000_000)):
            with pytest.raises(ServerError, match="1000 bytes") as refused:
                call()
            assert (refused.value.status, refused.value.type) == (413, "body-too-long")
    with serve(tmp_path / "data") as serving, closing(kind(serving.url)) as memory:
        serving.key()
        with pytest.raises(Unauthorized):
            memory.import_file(file)


def test_jobs_are_waited_for_listed_and_cancelled(memory: Any, serving: Serving) -> None:
    memory.add(SAID, user_id="ana")
    seen: list[int] = []
    done = memory.maintain(progress=lambda done, total: seen.append(done))
    assert isinstance(done, Maintained)
    assert done.waiting == 0
    assert seen
    planned = memory.would_forget(count=10, kinds=["turn"], user_id="ana", limit=5)
    assert [type(one) for one in planned] == [Forgotten] * 5
    shown = memory.list(user_id="ana", kinds=["turn"], filters={"kind": "turn"}).total
    assert memory.forget(count=10, kinds=["turn"], user_id="ana")["rest"] == planned.total >= shown - 10
    with pytest.raises(InvalidInput, match="share"):
        memory.forget(count=1, share=0.5, user_id="ana")

    jobs = list(memory.jobs())
    assert [one.kind for one in jobs] == ["forget", "maintain"]
    assert [one.state for one in memory.jobs(state="done")] == ["done", "done"]
    assert memory.job(jobs[0].id) == memory.wait(jobs[0].id) == memory.cancel_job(jobs[0].id) == jobs[0]
    with pytest.raises(NotFound, match=jobs[0].id[:-1]):
        memory.job(jobs[0].id[:-1] + ("0" if jobs[0].id[-1] != "0" else "1"))


def test_why_a_job_failed() -> None:
    told = {"id": "1", "kind": "import", "state": "failed", "progress": {}, "created_at": None, "updated_at": None}
    cancelled = {"type": "urn:mnemos:cancelled", "status": 409, "detail": "the job was cancelled"}
    damaged = {"type": "urn:mnemos:import-failed", "status": 422, "detail": "the file: line 3 is cut short"}
    wrong = {
        "type": "urn:mnemos:invalid-input",
        "status": 422,
        "errors": [{"field": "file", "problem": "is empty", "mend": "send a full one"}],
    }
    assert isinstance(failure(Job(**told, error=cancelled)), JobFailed)
    assert str(failure(Job(**told, error=damaged))) == "the file: line 3 is cut short"
    assert isinstance(failure(Job(**told, error=damaged)), ImportFailed)
    assert isinstance(failure(Job(**told, error=wrong)), InvalidInput)
    kept = {"format": "messages", "added": 3, "repeated": 1, "skipped": {}, "first": None, "last": None, "sessions": 0}
    stopped = failure(Job(**told, result=kept, error=damaged | {"detail": f"line 3 is cut short{IS_KEPT}"}))
    assert isinstance(stopped, ImportStopped)
    assert (stopped.problem, stopped.report.added) == ("line 3 is cut short", 3)
    assert str(failure(Job(**told))) == "the job failed"


class Failing(BaseHTTPRequestHandler):
    """A server whose exports break off, and which is away for some of the looks at a job."""

    server: Any
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.say(202, self.job("queued"))

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.path.startswith("/v1/export"):
            self.export()
        elif self.server.asked <= self.server.away:
            self.close_connection = True
        else:
            self.say(200, self.job("done" if self.server.asked > self.server.away + 1 else "running"))

    def export(self) -> None:
        whole = b'{"mnemos_export":1}\n{"op":"add"}\n{"end":true,"lines":1,"sha256":""}\n'
        cut = self.server.asked <= self.server.away
        self.send_response(200)
        self.send_header("Content-Length", str(len(whole) if self.server.breaks or not cut else 30))
        self.end_headers()
        self.wfile.write(whole[:30] if cut else whole)
        self.close_connection = cut

    def job(self, state: str) -> dict[str, Any]:
        at = "2026-03-02T18:40:00Z"
        result = {"read": 1, "done": 1, "failed": 0, "expired": 0, "forgotten": 0, "waiting": 0, "purge": "done"}
        times = {"created_at": at, "updated_at": at}
        return {"id": "1", "kind": "maintain", "state": state, "progress": {"done": 1}, "result": result, **times}

    def say(self, status: int, body: object) -> None:
        blob = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        self.wfile.write(blob)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def failing(away: int, *, breaks: bool = True) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    server.asked, server.away, server.breaks = 0, away, breaks
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_starts_anew_during_a_job_is_waited_for(kind: Any, pauses: list[float]) -> None:
    with failing(away=30) as server, closing(kind(f"http://127.0.0.1:{server.server_port}", retries=1)) as memory:
        assert memory.maintain() == Maintained(1, 0, 0, 0, "done", 1)
        assert server.asked == 32
    with failing(away=10**6) as server, closing(kind(f"http://127.0.0.1:{server.server_port}", retries=0)) as memory:
        with pytest.raises(Unreachable):
            memory.maintain()
        assert sum(pauses) > 60


@pytest.mark.parametrize("breaks", [True, False])
def test_an_export_that_breaks_off_leaves_nothing(kind: Any, tmp_path: Path, pauses: list[float], breaks: bool) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text("before")
    with failing(away=99, breaks=breaks) as server, closing(kind(f"http://127.0.0.1:{server.server_port}")) as memory:
        with pytest.raises((Unreachable, BadReply)):
            memory.export_file(file)
        assert file.read_text() == "before"
        assert list(tmp_path.iterdir()) == [file]
        assert server.asked == (4 if breaks else 1)
        stream = io.BytesIO()
        with pytest.raises((Unreachable, BadReply)):
            memory.export_file(stream)
        assert server.asked == (5 if breaks else 2)
        server.away = server.asked + (1 if breaks else 0)
        assert memory.export_file(file) == ExportReport(1, file.stat().st_size, str(file))
    with Client() as memory, pytest.raises(InvalidInput, match="stream"):
        memory.export_file(7)  # type: ignore[arg-type]
