"""Long work on a server: asked for, waited for, and cancelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from mnemos.client.calls import RETRIED, Call, Pause, Plan, given, part, read, write
from mnemos.client.decoding import listed, named, record
from mnemos.client.errors import JobFailed, ServerError, Unreachable, of_problem
from mnemos.client.verbs import Slices, Verb, Walk
from mnemos.errors import ImportFailed, MnemosError, StoreBusy
from mnemos.forget.budget import Forgotten
from mnemos.io.importing import ImportReport, ImportStopped
from mnemos.maintenance import Maintained
from mnemos.records import Page
from mnemos.times import TimeLike

SOONEST, LATEST = 0.05, 2.0
"""Seconds between two looks at a job, longer each time."""
IS_KEPT = "; what was read before it is kept"
AWAY = 60.0
"""Seconds for which a server that went away during a job is waited for."""

Watch = Callable[[int, int | None], object]
"""Is told how far a job is, and of how much where that is known."""


class Limits(TypedDict, total=False):
    """How much may stay, and of what: the arguments of `Mnemos.forget`."""

    count: int | None
    bytes: int | None
    share: float | None
    policy: str
    kinds: Sequence[str]
    summarise_after: float
    delete: bool
    delete_after: float
    now: TimeLike | None
    user_id: str | None
    agent_id: str | None
    namespace: Sequence[str] | None
    descendants: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    done: int = 0
    total: int | None = None
    """Of how many; None where that is not known."""
    unit: str = "memories"
    counts: Mapping[str, int] = field(default_factory=dict)
    """What has come of it so far, by name."""


@dataclass(frozen=True, slots=True)
class Job:
    """Long work on a server; it goes on whether or not somebody waits, and begins again where the server was killed."""

    id: str
    kind: str
    """`import`, `maintain` or `forget`."""
    state: Literal["queued", "running", "done", "failed"]
    progress: Progress
    created_at: datetime
    updated_at: datetime
    result: Mapping[str, Any] | None = None
    """What came of it; of one that failed, what is kept."""
    error: Mapping[str, Any] | None = None
    """Why it failed, as a problem (RFC 9457)."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state in ("done", "failed")


class JobVerbs:
    """What a client asks for that takes longer than an answer."""

    @Verb
    def job(self, id: str) -> Call[Job]:
        """How far a job is.

        Raises:
            NotFound: this key knows of none with this id.
        """
        return look(id)

    @Walk
    def jobs(self, *, state: str | None = None) -> Slices[Job]:
        """The jobs of the last week that this key may see, newest first."""

        def page(told: object) -> Page[Job]:
            return Page(listed(Job, "jobs")(told), end=named(told, "next_cursor"))

        return lambda after: read("GET", "/v1/jobs", page, query={"state": state, "cursor": after})

    @Verb
    def wait(self, id: str, *, progress: Watch | None = None) -> Plan[Job]:
        """A job once it is done, whoever began it.

        Raises:
            MnemosError: it failed; `JobFailed` where the library has no error for why, or it was cancelled.
        """
        return finished(look(id), progress)

    @Verb
    def cancel_job(self, id: str) -> Call[Job]:
        """End a job that waits or runs; what it has done before is kept. One that has ended stays as it is."""
        return write("POST", f"/v1/jobs/{part(id)}/cancel", record(Job), about=id)

    @Verb
    def maintain(self, *, progress: Watch | None = None) -> Plan[Maintained]:
        """Do all that is queued in the store, and wait for it; the server does so by itself, a little at a time.

        Needs a key with the scope `admin` that is bound to no namespace.
        """
        job = yield from finished(write("POST", "/v1/maintain", record(Job)), progress)
        return record(Maintained)(job.result)

    @Verb
    def forget(self, *, progress: Watch | None = None, **limits: Unpack[Limits]) -> Plan[Mapping[str, int]]:
        """Keep only so many memories in the index of each namespace of a scope, and wait for it; as `Mnemos.forget`.

        Returns:
            How many memories went which step, in how many namespaces; `would_forget` names them beforehand.
        """
        job = yield from finished(write("POST", "/v1/forget", record(Job), body=given(**limits)), progress)
        return dict(job.result or {})

    @Verb
    def would_forget(self, *, limit: int = 100, **limits: Unpack[Limits]) -> Call[Page[Forgotten]]:
        """The steps that `forget` would take, what is worth least first; changes nothing."""

        def page(told: object) -> Page[Forgotten]:
            return Page(listed(Forgotten, "steps")(told), total=named(told, "total"))

        return read("POST", "/v1/forget", page, body=given(limit=limit, dry_run=True, **limits))


def look(id: str) -> Call[Job]:
    """Asks how far a job is."""
    return read("GET", f"/v1/jobs/{part(id)}", record(Job), about=id)


def finished(begin: Call[Job], progress: Watch | None) -> Plan[Job]:
    """A job that a call begins or names, once it is done.

    Raises:
        MnemosError: it failed.
    """
    job: Job = yield begin
    pause, away = SOONEST, 0.0
    while True:
        if progress is not None:
            progress(job.progress.done, job.progress.total)
        if job.is_over:
            break
        yield Pause(pause)
        try:
            job = yield look(job.id)
            away = 0.0
        except MnemosError as error:
            # it may be starting anew, and goes on with the job then
            away += pause
            if away > AWAY or not passes(error):
                raise
        pause = min(LATEST, 1.5 * pause)
    if job.state == "failed":
        raise failure(job)
    return job


def passes(error: MnemosError) -> bool:
    """Whether a server that answers so, or not at all, may answer in a while."""
    return isinstance(error, StoreBusy | Unreachable) or (isinstance(error, ServerError) and error.status in RETRIED)


def failure(job: Job) -> MnemosError:
    """Why a job failed."""
    error = of_problem(job.error or {"detail": "the job failed"})
    if isinstance(error, ImportFailed) and job.result is not None:
        return ImportStopped(str(error).removesuffix(IS_KEPT), record(ImportReport)(job.result))
    if not isinstance(error, ServerError):
        return error
    return JobFailed(error.detail, status=error.status, type=error.type, request_id=error.request_id)
