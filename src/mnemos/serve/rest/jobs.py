"""Long work: what begins it answers 202 with a job, which can be asked after and cancelled."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from fastapi import Query as FromQuery
from pydantic import Field

from mnemos.forget.budget import Forgotten
from mnemos.forget.policy import DEFAULT
from mnemos.serve.access import Access, Forbidden
from mnemos.serve.depends import Admin, Reader, ServerOf
from mnemos.serve.idempotency import KEPT as REPEATS
from mnemos.serve.jobs.book import Job, Kind, Progress, State
from mnemos.serve.problems import Problem
from mnemos.serve.rest.bodies import NUMBER, Body, Deep, Id, Query, Time
from mnemos.serve.rest.once import Once, Onced, Shape
from mnemos.serve.rest.replies import BY_ID, READING, WRITING, Reply
from mnemos.serve.rest.route import StrictRoute
from mnemos.serve.server import Server
from mnemos.system import Mnemos
from mnemos.times import EPOCH, from_micros, read_optional_time
from mnemos.verbs.forgetting import read_budget, read_scope_of_budget

LeafKind = Literal["turn", "note", "document", "fact", "skill", "item"]
router = APIRouter(route_class=StrictRoute, tags=["jobs"])


class ImportResult(Reply):
    """What an import read, kept and left out."""

    format: str
    added: int
    repeated: int
    """What was stored already."""
    skipped: dict[str, int]
    """Why things were left out, and how many, most frequent first."""
    first: datetime | None
    """The time of the earliest message."""
    last: datetime | None
    sessions: int


class MaintainResult(Reply):
    """What maintenance did, and what still waits."""

    read: int
    """New memories that were gated and derived from."""
    done: int
    failed: int
    expired: int
    forgotten: int
    waiting: int
    purge: Literal["done", "pending"]
    """Whether what was deleted is off the disk."""


class ForgetResult(Reply):
    """How many memories went which step, in how many namespaces."""

    rest: int
    summarise: int
    delete: int
    namespaces: int


class JobReply(Reply):
    """Long work. Poll it until `state` is `done` or `failed`; it can be asked for a week after that."""

    id: str
    kind: Kind
    state: State
    progress: Progress
    result: ImportResult | MaintainResult | ForgetResult | None
    """What came of it; of one that failed, what is kept."""
    error: Problem | None
    """Why it failed, and the mend."""
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, job: Job) -> JobReply:
        """What is told of a job."""
        told = RESULTS[job.kind]
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            progress=job.progress,
            result=None if job.result is None else told.model_validate(job.result),
            error=None if job.error is None else Problem.model_validate(job.error),
            created_at=from_micros(job.created_at) or EPOCH,
            updated_at=from_micros(job.updated_at) or EPOCH,
        )


RESULTS: dict[Kind, type[ImportResult | MaintainResult | ForgetResult]] = {
    "import": ImportResult,
    "maintain": MaintainResult,
    "forget": ForgetResult,
}


class Jobs(Reply):
    """Jobs, newest first."""

    jobs: list[JobReply]
    next_cursor: str | None
    """Where to go on: give it as `cursor`. null at the end."""


class JobsQuery(Query):
    """Which jobs."""

    state: State | None = None
    """Only those in this state."""
    limit: Annotated[int, Field(ge=1, le=100), NUMBER] = 20
    """At most so many."""
    cursor: Annotated[str | None, Field(pattern=r"^\d{1,18}$")] = None
    """Go on there: the `next_cursor` of the page before."""


class ForgetRequest(Deep, Body):
    """How much may stay, in each namespace of a scope. Without a limit, the budget that was set for it."""

    count: Annotated[int | None, Field(ge=0)] = None
    """How many may stay; or"""
    bytes: Annotated[int | None, Field(ge=0)] = None
    """how much text, in bytes; or"""
    share: Annotated[float | None, Field(ge=0, le=1)] = None
    """what part of all that is stored."""
    policy: Annotated[str, Field(examples=["salience"])] = DEFAULT
    """`salience` (what is likely to be asked for stays), `ebbinghaus` or `layered`."""
    kinds: Annotated[list[LeafKind], Field(min_length=1)] = Field(["turn", "note", "document"])
    """The kinds that count and that may go."""
    summarise_after: Annotated[float, Field(ge=0, le=1e6)] = 30.0
    """Days out of the index after which only its episode speaks of a memory."""
    delete: bool = False
    """Whether what rests is deleted in the end."""
    delete_after: Annotated[float, Field(ge=0, le=1e6)] = 90.0
    """Days out of the index after which it is."""
    now: Time | None = None
    """The time by which strengths are judged; by default the server's clock."""
    dry_run: bool = False
    """True only says what would go, and answers 200 at once."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """At most so many steps in the answer to a dry run."""


class Steps(Reply):
    """What would go, what is worth least first."""

    steps: list[Forgotten]
    total: int
    """How many steps there are in all."""
    counts: dict[str, int]
    """How many of each."""


ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The job that does it.",
        "headers": {"Location": {"description": "Where to ask after it.", "schema": {"type": "string"}}},
    }
}


def accepted(job: Job, response: Response) -> JobReply:
    """The answer that says where to ask after a job."""
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobReply.of(job)


async def _begin(server: Server, access: Access, once: Once, kind: Kind, params: dict[str, Any]) -> Job:
    """Queue a job, once however often the request comes."""
    write = once.write(access)
    mark = None if write is None else write.mark

    def begin(memory: Mnemos) -> Job:
        left = None
        if once.interrupted and mark is not None:
            left = server.jobs.marked(access, mark, server.now() - REPEATS)
        return left or server.jobs.submit(access, kind, params, mark=mark)

    return await once.call(
        access, begin, Shape(lambda job: job.id, lambda memory, noted: server.jobs.get(access, noted))
    )


@router.post(
    "/v1/maintain",
    operation_id="maintain",
    status_code=202,
    summary="Do all that is queued in the store",
    responses=WRITING | ACCEPTED,
)
async def maintain(response: Response, access: Admin, server: ServerOf, once: Onced) -> JobReply:
    """The server does so by itself, a little at a time; this does it now and says when it is done.

    It concerns the whole tenant: needs the scope `admin` and a key that is bound to no namespace.
    """
    if access.namespaces is not None:
        raise Forbidden("maintenance concerns the whole tenant; use a key that is bound to no namespace")
    return accepted(await _begin(server, access, once, "maintain", {}), response)


@router.post(
    "/v1/forget",
    operation_id="forget",
    status_code=202,
    summary="Keep only so much of a scope",
    response_model=JobReply | Steps,
    responses=WRITING | ACCEPTED | {202: {**ACCEPTED[202], "model": JobReply}, 200: {"model": Steps}},
)
async def forget(
    body: ForgetRequest, response: Response, access: Admin, server: ServerOf, once: Onced
) -> JobReply | Steps:
    """A dry run answers at once with what would go; without it, a job lets it go. Needs the scope `admin`.

    What is worth least goes, one step a call: out of the index; later into its episode; later, where `delete` is true,
    out of the store. Pinned memories never go.
    """
    scope = body.scope(access)
    read_scope_of_budget(**scope)
    limits: dict[str, Any] = body.model_dump(include=LIMITS)
    read_budget(**limits)
    read_optional_time(body.now, "now", None)
    if body.dry_run:
        response.status_code = 200
        return await access.call(lambda memory: _steps(memory, body, {**limits, **scope}))
    told = {**limits, "now": body.now, "scope": scope}
    return accepted(await _begin(server, access, once, "forget", told), response)


LIMITS = {"count", "bytes", "share", "policy", "kinds", "summarise_after", "delete", "delete_after"}


def _steps(memory: Mnemos, body: ForgetRequest, told: dict[str, Any]) -> Steps:
    found = memory.forget(dry_run=True, now=body.now, **told)
    return Steps(steps=found[: body.limit], total=len(found), counts=dict(Counter(one.step for one in found)))


@router.get("/v1/jobs", operation_id="jobs", summary="Jobs, newest first", responses=READING)
async def jobs(query: Annotated[JobsQuery, FromQuery()], access: Reader, server: ServerOf) -> Jobs:
    """Those of the caller's tenant that were asked for by keys that reach no further than the caller's."""
    before = None if query.cursor is None else int(query.cursor)
    found = await access.desk.run(lambda: server.jobs.listed(access, query.limit + 1, before=before, state=query.state))
    page = found[: query.limit]
    return Jobs(
        jobs=[JobReply.of(one) for one in page], next_cursor=str(page[-1].num) if len(found) > len(page) else None
    )


@router.get("/v1/jobs/{id}", operation_id="job", summary="How far a job is", responses=READING | BY_ID)
async def job(id: Id, access: Reader, server: ServerOf) -> JobReply:
    """404 where the id is unknown to this key, whatever the reason."""
    return JobReply.of(await access.desk.run(lambda: server.jobs.get(access, id)))


@router.post("/v1/jobs/{id}/cancel", operation_id="cancel_job", summary="Cancel a job", responses=WRITING | BY_ID)
async def cancel(id: Id, access: Admin, server: ServerOf) -> JobReply:
    """It fails as `cancelled`; what it had done before is kept. A job that has ended stays as it is."""
    return JobReply.of(await access.desk.run(lambda: server.jobs.cancel(access, id)))
