"""Teaching the ranking of a namespace by what served an answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from mnemos.serve.depends import Writer
from mnemos.serve.rest.bodies import Body, Query, Scoped, Time, Words
from mnemos.serve.rest.once import Onced, plain
from mnemos.serve.rest.replies import BY_ID, WRITING, Reset, Taught
from mnemos.serve.rest.route import StrictRoute
from mnemos.system import Mnemos

router = APIRouter(route_class=StrictRoute, tags=["recall"])


class Feedback(Scoped, Body):
    """Which memories served an answer, and which did not."""

    query: Annotated[Words, Field(examples=["Where does Ana live?"])]
    """What was asked."""
    used: list[str] = Field([], max_length=1000)
    """Ids of memories that the answer used; counts as a use of them."""
    not_used: list[str] = Field([], max_length=1000)
    """Ids of memories that were shown and were of no use."""
    now: Time | None = None
    """When it was asked; by default now."""


class ResetQuery(Scoped, Query):
    """Whose ranking."""


@router.post("/v1/feedback", operation_id="feedback", summary="Say which memories served", responses=WRITING | BY_ID)
async def feedback(body: Feedback, access: Writer, once: Onced) -> Taught:
    """The signals that found them weigh more in this namespace from now on, each between half and twice as much."""
    scope = body.scope(access)

    def work(memory: Mnemos) -> Taught:
        taught = memory.feedback(body.query, used=body.used, not_used=body.not_used, now=body.now, **scope)
        return Taught(factors=dict(taught))

    return await once.call(access, work, plain(Taught))


@router.delete(
    "/v1/feedback", operation_id="reset_feedback", summary="Forget what feedback has taught", responses=WRITING
)
async def reset_feedback(query: Annotated[ResetQuery, FromQuery()], access: Writer, once: Onced) -> Reset:
    """Every signal of the namespace weighs again what it weighs by itself."""
    scope = query.scope(access)
    return await once.call(access, lambda memory: Reset(reset=memory.reset_feedback(**scope)), plain(Reset))
