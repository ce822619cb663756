"""Many memories: reading them in order, deleting those of a scope, and counting them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from mnemos.records import Deletion
from mnemos.serve.depends import Admin, Reader
from mnemos.serve.rest.bodies import NUMBER, Chosen, Deep, JsonFilters, Query
from mnemos.serve.rest.once import DELETION, Onced
from mnemos.serve.rest.replies import READING, WRITING, DeletionReply, MemoryPage, Namespaces, StatsReply
from mnemos.serve.rest.route import StrictRoute
from mnemos.store.reading import Stats
from mnemos.system import Mnemos

router = APIRouter(route_class=StrictRoute, tags=["memories"])


class ListQuery(Chosen, Query):
    """What a list is narrowed to, and which page of it is wanted."""

    filters: JsonFilters = None
    """Conditions on attributes and metadata, as JSON; the same as in a search."""
    limit: Annotated[int, Field(ge=1, le=1000), NUMBER] = 100
    """At most so many."""
    cursor: Annotated[str | None, Field(pattern=r"^[0-9]{1,18}\.-?[0-9]{1,18}$")] = None
    """Go on there: the `next_cursor` of the page before, asked with the same narrowing."""


class ScopeQuery(Deep, Query):
    """Whose memories."""


@router.get("/v1/memories", operation_id="list", summary="Memories in reading order", responses=READING)
async def list_(query: Annotated[ListQuery, FromQuery()], access: Reader) -> MemoryPage:
    """Page by page: what is added or deleted meanwhile moves nothing."""
    where = query.where(access)

    def work(memory: Mnemos) -> MemoryPage:
        page = memory.list(limit=query.limit, after=query.cursor, **where)
        cursor = page.end if page.more else None
        return MemoryPage(memories=page, total=page.total, more=page.more, next_cursor=cursor)

    return await access.call(work)


@router.delete("/v1/memories", operation_id="delete_all", summary="Delete every memory of a scope", responses=WRITING)
async def delete_all(query: Annotated[ScopeQuery, FromQuery()], access: Admin, once: Onced) -> DeletionReply:
    """The scope has to be named. Needs the scope `admin`. The reply names all that went."""
    scope = query.scope(access, explicit=True)

    def work(memory: Mnemos) -> Deletion:
        return memory.delete_all(**scope)

    return await once.call(access, work, DELETION)


@router.get("/v1/stats", operation_id="stats", summary="What a scope holds, in figures", responses=READING)
async def stats(query: Annotated[ScopeQuery, FromQuery()], access: Reader) -> StatsReply:
    """Counts, span and people; of the whole tenant where no scope is named and the key is bound to none."""
    scope = query.scope(access)

    def work(memory: Mnemos) -> Stats:
        found = memory.stats(**scope)
        # what concerns the whole file is no business of a key that is bound to a part of it
        return found if access.namespaces is None else replace(found, bytes=0, jobs={})

    return await access.call(work)


@router.get("/v1/namespaces", operation_id="namespaces", summary="Namespaces that hold a memory", responses=READING)
async def namespaces(access: Reader) -> Namespaces:
    """Those that the key may see."""
    found = await access.call(lambda memory: memory.namespaces())
    return Namespaces(namespaces=[one for one in found if access.allows(one)])
