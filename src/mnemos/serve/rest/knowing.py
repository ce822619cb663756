"""What has been derived: facts, who somebody is, what happened when, and who is who."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from mnemos.entities.graph import Graph
from mnemos.levels.answers import Profile, Timeline
from mnemos.serve.depends import Reader
from mnemos.serve.rest.bodies import NUMBER, Deep, Flag, JsonFilters, Narrowed, Query, Scoped, Time, Words
from mnemos.serve.rest.replies import READING, Entities, Facts, GraphReply, ProfileReply, TimelineReply
from mnemos.serve.rest.route import StrictRoute
from mnemos.system import Mnemos

router = APIRouter(route_class=StrictRoute, tags=["knowledge"])
Trust = Annotated[float | None, Field(ge=0, le=1)]
Subject = Annotated[Words | None, Field(examples=["Rita"])]


class FactsQuery(Narrowed, Query):
    """Which facts."""

    subject: Subject = None
    """Only facts about this one, by name."""
    relation: Annotated[Words | None, Field(examples=["lives in"])] = None
    """Only facts of this relation."""
    filters: JsonFilters = None
    """Conditions on attributes and metadata, as JSON; the same as in a search."""
    closed: Flag = True
    """Facts that are no longer true too."""
    limit: Annotated[int, Field(ge=1, le=1000), NUMBER] = 100
    """At most so many."""
    offset: Annotated[int, Field(ge=0, le=100_000), NUMBER] = 0
    """Leave out so many of the first."""


class ProfileQuery(Deep, Query):
    """Whose profile."""

    subject: Subject = None
    """A name, or what somebody is called, as `mother`; without it, whose memory it is."""
    as_of: Time | None = None
    """The time of the profile; without it, now."""
    min_trust: Trust = None
    """Only what is trusted at least so far, 0 to 1."""


class TimelineQuery(Deep, Query):
    """Which part of what happened."""

    subject: Subject = None
    """Only what concerns this person; without it, everything."""
    since: Time | None = None
    """From this time on."""
    until: Time | None = None
    """Before this time."""
    min_trust: Trust = None
    """Only what is trusted at least so far, 0 to 1."""


class GraphQuery(Scoped, Query):
    """Around whom, and how far."""

    entity: Annotated[Words, Field(examples=["Rita"])]
    """A name, any that it goes by; `user` for the one whose memory it is and who has no name in it."""
    depth: Annotated[int, Field(ge=1, le=4), NUMBER] = 1
    """How many steps to go from there."""
    as_of: Time | None = None
    """Leaves out what was said later, and facts that did not hold then."""
    min_trust: Trust = None
    """Only what is trusted at least so far, 0 to 1."""


class EntitiesQuery(Scoped, Query):
    """Whose memories."""

    min_trust: Trust = None
    """Only those that something mentions which is trusted at least so far, 0 to 1."""


@router.get("/v1/facts", operation_id="facts", summary="What is and was true", responses=READING)
async def facts(query: Annotated[FactsQuery, FromQuery()], access: Reader) -> Facts:
    """In the order in which they became true, past values included; `as_of` shows what held then."""
    where = query.where(access)

    def work(memory: Mnemos) -> Facts:
        page = memory.facts(
            query.subject, query.relation, closed=query.closed, limit=query.limit, offset=query.offset, **where
        )
        return Facts(memories=page, total=page.total, more=page.more)

    return await access.call(work)


@router.get("/v1/profile", operation_id="profile", summary="What is stable about somebody", responses=READING)
async def profile(query: Annotated[ProfileQuery, FromQuery()], access: Reader) -> ProfileReply:
    """Current facts by group, dated and with their sources; no lines where nothing is known."""
    scope = query.scope(access)

    def work(memory: Mnemos) -> Profile:
        return memory.profile(query.subject, as_of=query.as_of, min_trust=query.min_trust, **scope)

    return await access.call(work)


@router.get("/v1/timeline", operation_id="timeline", summary="What happened, in order", responses=READING)
async def timeline(query: Annotated[TimelineQuery, FromQuery()], access: Reader) -> TimelineReply:
    """Facts and plans that have a date, and of each episode the sentence that tells most."""
    scope = query.scope(access)

    def work(memory: Mnemos) -> Timeline:
        bar = query.min_trust
        return memory.timeline(query.subject, since=query.since, until=query.until, min_trust=bar, **scope)

    return await access.call(work)


@router.get("/v1/graph", operation_id="graph", summary="What is known around somebody", responses=READING)
async def graph(query: Annotated[GraphQuery, FromQuery()], access: Reader) -> GraphReply:
    """Facts as dated edges, and who is mentioned with whom; at most 200 nodes, none where nothing is known."""
    scope = query.scope(access)

    def work(memory: Mnemos) -> Graph:
        bar = query.min_trust
        return memory.graph(query.entity, depth=query.depth, as_of=query.as_of, min_trust=bar, **scope)

    return await access.call(work)


@router.get("/v1/entities", operation_id="entities", summary="People, places and things", responses=READING)
async def entities(query: Annotated[EntitiesQuery, FromQuery()], access: Reader) -> Entities:
    """Those of one namespace."""
    scope = query.scope(access)
    return Entities(entities=await access.call(lambda memory: memory.entities(min_trust=query.min_trust, **scope)))
