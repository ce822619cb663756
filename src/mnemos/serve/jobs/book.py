"""The server's jobs, as rows of its ledger: numbers and ids, never a word of a memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mnemos.errors import NotFound
from mnemos.ids import new_id, read_id
from mnemos.records import Namespace
from mnemos.serve.access import Access
from mnemos.serve.desk import TooBusy
from mnemos.serve.ledger import Ledger

Kind = Literal["import", "maintain", "forget"]
State = Literal["queued", "running", "done", "failed"]
Unit = Literal["bytes", "memories", "namespaces"]

MOST_WAITING = 100
"""Jobs of one tenant that may wait or run; more are told to come back."""
MOST_ATTEMPTS = 5
"""How often a job is begun that the server does not survive."""
KEPT = 7 * 24 * 3600 * 1_000_000
"""Microseconds for which a job that ended can be asked for."""
CANCELLED: Mapping[str, Any] = {
    "type": "urn:mnemos:cancelled",
    "title": "Cancelled",
    "status": 409,
    "detail": "the job was cancelled; what it had done before is kept",
    "request_id": None,
    "errors": [],
}
_FIELDS = (
    "num, id, tenant, key, channel, namespaces, trust, kind, params, state, attempts, progress, result, error, "
    "created_at, updated_at"
)
_ENDED = "state IN ('done', 'failed')"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    done: int = 0
    total: int | None = None
    """Of how many; None where that is not known."""
    unit: Unit = "memories"
    counts: Mapping[str, int] = field(default_factory=dict)
    """What has come of it so far, by name."""

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Job:
    """Long work of one tenant, and on whose behalf it is done."""

    num: int
    id: str
    tenant: str
    key_id: str | None
    channel: str
    namespaces: tuple[Namespace, ...] | None
    """What the key was bound to that asked for it; None: all of the tenant."""
    trust: float
    kind: Kind
    params: Mapping[str, Any]
    state: State
    attempts: int
    progress: Progress
    result: Mapping[str, Any] | None
    """What came of it, as numbers; of a job that failed, what is kept."""
    error: Mapping[str, Any] | None
    """A problem, as replies have them."""
    created_at: int
    """Microseconds, as `updated_at`."""
    updated_at: int

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state in ("done", "failed")


class JobBook:
    """The jobs of all tenants."""

    def __init__(self, ledger: Ledger, now: Callable[[], int]) -> None:
        self._ledger = ledger
        self._now = now

    # ── for callers ──────────────────────────────────────────────────────────────────────────────────────────

    def submit(
        self,
        access: Access,
        kind: Kind,
        params: Mapping[str, Any],
        *,
        job_id: str | None = None,
        progress: Progress | None = None,
        mark: str | None = None,
    ) -> Job:
        """Queue a job on behalf of a caller; on disk when it returns. `mark` tells its request from every other.

        Raises:
            TooBusy: too many of the tenant's jobs wait.
        """
        now, job_id = self._now(), job_id or new_id()
        bound = None if access.namespaces is None else json.dumps(access.namespaces)
        with self._ledger.write() as connection:
            waiting = f"SELECT count(*) FROM jobs WHERE tenant = ? AND NOT {_ENDED}"
            if connection.execute(waiting, (access.tenant,)).fetchone()[0] >= MOST_WAITING:
                raise TooBusy(f"{MOST_WAITING} jobs wait already; let some of them end, or cancel them")
            connection.execute(
                "INSERT INTO jobs (id, tenant, key, channel, namespaces, trust, kind, params, mark, state, "
                "progress, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?)",
                (
                    job_id, access.tenant, access.key_id, access.channel, bound, access.trust, kind,
                    json.dumps(params), mark, (progress or Progress()).to_json(), now, now,
                ),
            )  # fmt: skip
        return self.get(access, job_id)

    def get(self, access: Access, job_id: str) -> Job:
        """A job of the caller's.

        Raises:
            NotFound: there is none of this id, or not for this caller.
        """
        asked = read_id(job_id)
        with self._ledger.read() as connection:
            row = connection.execute(f"SELECT {_FIELDS} FROM jobs WHERE id = ?", (asked,)).fetchone()
        job = None if row is None else _job(row)
        if job is None or not _may_see(access, job):
            raise NotFound("id", job_id)
        return job

    def marked(self, access: Access, mark: str, since: int) -> Job | None:
        """The caller's job that a request queued since then; None where it did not come to that."""
        query = "SELECT id FROM jobs WHERE tenant = ? AND mark = ? AND created_at >= ? ORDER BY num DESC LIMIT 1"
        with self._ledger.read() as connection:
            row = connection.execute(query, (access.tenant, mark, since)).fetchone()
        return None if row is None else self.get(access, row[0])

    def listed(
        self, access: Access, limit: int, *, before: int | None = None, state: State | None = None
    ) -> Sequence[Job]:
        """The caller's jobs, newest first; `before` is the `num` of the last one of the page before."""
        query = (
            f"SELECT {_FIELDS} FROM jobs WHERE tenant = ? AND num < coalesce(?, num + 1) "
            "AND state = coalesce(?, state) ORDER BY num DESC"
        )
        found: list[Job] = []
        with self._ledger.read() as connection:
            for row in connection.execute(query, (access.tenant, before, state)):
                if len(found) == limit:
                    break
                if _may_see(access, job := _job(row)):
                    found.append(job)
        return found

    def cancel(self, access: Access, job_id: str) -> Job:
        """End a job that waits or runs; one that has ended stays as it is."""
        job = self.get(access, job_id)
        with self._ledger.write() as connection:
            connection.execute(
                f"UPDATE jobs SET state = 'failed', error = ?, updated_at = ? WHERE id = ? AND NOT {_ENDED}",
                (json.dumps(CANCELLED), self._now(), job.id),
            )
        return self.get(access, job_id)

    # ── for the runner ───────────────────────────────────────────────────────────────────────────────────────

    def state(self, job_id: str) -> State | None:
        """The state of a job; None where there is none of this id."""
        with self._ledger.read() as connection:
            row = connection.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else row[0]

    def claim(self, except_tenants: Sequence[str]) -> Job | None:
        """Take the oldest job in hand that waits, or was left in the middle, of any other tenant than these."""
        marks = ", ".join("?" * len(except_tenants))
        query = f"SELECT num FROM jobs WHERE NOT {_ENDED} AND tenant NOT IN ({marks}) ORDER BY num LIMIT 1"
        with self._ledger.read() as connection:
            found = connection.execute(query, tuple(except_tenants)).fetchone()
        if found is None:
            return None
        with self._ledger.write() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, updated_at = ? "
                f"WHERE num = ? AND NOT {_ENDED}",
                (self._now(), found[0]),
            )
            row = connection.execute(f"SELECT {_FIELDS} FROM jobs WHERE num = ?", found).fetchone()
        job = _job(row)
        return job if job.state == "running" else None

    def waiting(self) -> int:
        """How many jobs wait or run."""
        with self._ledger.read() as connection:
            return int(connection.execute(f"SELECT count(*) FROM jobs WHERE NOT {_ENDED}").fetchone()[0])

    def note(self, job: Job, progress: Progress) -> None:
        """Store how far a running job is."""
        self._change(job, "progress = ?", progress.to_json())

    def put_back(self, job: Job) -> None:
        """Let a running job wait again, as if it had not been begun."""
        self._change(job, "state = 'queued', attempts = attempts - 1")

    def try_again(self, job: Job) -> None:
        """Let a running job wait again; it was tried once more."""
        self._change(job, "state = 'queued'")

    def finish(self, job: Job, progress: Progress, result: Mapping[str, Any]) -> None:
        """A running job is done."""
        self._change(job, "state = 'done', progress = ?, result = ?", progress.to_json(), json.dumps(result))

    def fail(self, job: Job, error: Mapping[str, Any], result: Mapping[str, Any] | None = None) -> None:
        """A running job has failed for good; `result` is what of it is kept."""
        told = None if result is None else json.dumps(result)
        self._change(job, "state = 'failed', error = ?, result = ?", json.dumps(error), told)

    def prune(self) -> None:
        """Forget jobs that ended long ago."""
        with self._ledger.write() as connection:
            connection.execute(f"DELETE FROM jobs WHERE {_ENDED} AND updated_at < ?", (self._now() - KEPT,))

    def _change(self, job: Job, what: str, *values: object) -> None:
        with self._ledger.write() as connection:
            connection.execute(
                f"UPDATE jobs SET {what}, updated_at = ? WHERE num = ? AND state = 'running'",
                (*values, self._now(), job.num),
            )


def _may_see(access: Access, job: Job) -> bool:
    """Whether a job is of the caller's tenant, and was asked for by a key that reaches no further than the caller's."""
    if job.tenant != access.tenant:
        return False
    if access.namespaces is None:
        return True
    return job.namespaces is not None and all(map(access.allows, job.namespaces))


def _job(row: Sequence[Any]) -> Job:
    values = dict(zip((name.strip() for name in _FIELDS.split(",")), row, strict=True))
    values["key_id"] = values.pop("key")
    for name in ("params", "progress", "result", "error"):
        values[name] = None if values[name] is None else json.loads(values[name])
    values["progress"] = Progress(**values["progress"])
    bound = values["namespaces"]
    values["namespaces"] = None if bound is None else tuple(tuple(one) for one in json.loads(bound))
    return Job(**values)
