"""Asking: search, and a context for a prompt."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from mnemos.records import Context
from mnemos.serve.depends import Reader
from mnemos.serve.rest.bodies import Body, Filtered, Words
from mnemos.serve.rest.replies import READING, ContextReply, Hits
from mnemos.serve.rest.route import StrictRoute
from mnemos.system import Mnemos

router = APIRouter(route_class=StrictRoute, tags=["recall"])
Question = Annotated[Words, Field(examples=["Where does Ana live?"])]


class Search(Filtered, Body):
    """A question, and what its answers are narrowed to."""

    query: Question
    """The question, in plain words."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 10
    """At most so many hits."""
    offset: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Leave out so many of the best."""


class ContextRequest(Filtered, Body):
    """What a prompt is about, and what its memories are narrowed to."""

    query: Question
    """What the prompt is about: the user's question, usually."""
    budget: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """At most so many tokens."""
    beside: list[str] = Field([], max_length=1000)
    """Texts that the prompt holds already; memories that say just those are left out."""


@router.post("/v1/search", operation_id="search", summary="Find the memories that answer a question", responses=READING)
async def search(body: Search, access: Reader) -> Hits:
    """Ranks and does not cut: the score of each hit is the probability that it is relevant, and `why` adds up to it."""
    where = body.where(access)

    def work(memory: Mnemos) -> Hits:
        found = memory.search(body.query, limit=body.limit, offset=body.offset, **where)
        return Hits(hits=found, total=found.total, more=found.more)

    return await access.search(work)


@router.post("/v1/context", operation_id="context", summary="Memories for a prompt, inside a budget", responses=READING)
async def context(body: ContextRequest, access: Reader) -> ContextReply:
    """Dated and cited, in reading order; empty where nothing is known. Counts as a use of what it shows."""
    where = body.where(access)

    def work(memory: Mnemos) -> Context:
        return memory.context(body.query, budget=body.budget, beside=body.beside, **where)

    return await access.search(work)
