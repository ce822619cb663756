"""One memory: reading it, changing it, deleting it, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from mnemos.errors import NotFound
from mnemos.records import Deletion, Memory
from mnemos.serve.access import Access
from mnemos.serve.depends import Reader, Writer
from mnemos.serve.rest.bodies import Body, Id, Object, Time, Words
from mnemos.serve.rest.once import DELETION, MEMORY, Onced
from mnemos.serve.rest.replies import BY_ID, READING, WRITING, DeletionReply, History, Links, MemoryReply
from mnemos.serve.rest.route import StrictRoute
from mnemos.system import Mnemos

router = APIRouter(route_class=StrictRoute, tags=["memories"])


class MemoryChange(Body):
    """What to change; what is left out stays as it is, and null means unknown."""

    text: Words | None = None
    """New words; the old ones stay in the history."""
    metadata: Object | None = None
    """All of the new metadata."""
    happened_at: Time | None = None
    valid_at: Time | None = None
    invalid_at: Time | None = None
    trust: Annotated[float | None, Field(ge=0, le=1)] = None


@router.get("/v1/memories/{id}", operation_id="get", summary="One memory", responses=READING | BY_ID)
async def get(id: Id, access: Reader) -> MemoryReply:
    """404 where the id is unknown to this key, whatever the reason."""

    def work(memory: Mnemos) -> Memory:
        found = memory.get(access.own(memory, id))
        if found is None:
            raise NotFound("id", id)
        return found

    return await access.call(work)


@router.patch("/v1/memories/{id}", operation_id="update", summary="Change a memory", responses=WRITING | BY_ID)
async def update(id: Id, body: MemoryChange, access: Writer, once: Onced) -> MemoryReply:
    """What it said before stays in its history."""
    told: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    if told.get("trust", 0) is None:
        del told["trust"]
    return await once.call(access, lambda memory: memory.update(access.own(memory, id), **told), MEMORY)


@router.delete("/v1/memories/{id}", operation_id="delete", summary="Delete a memory", responses=WRITING | BY_ID)
async def delete(id: Id, access: Writer, once: Onced) -> DeletionReply:
    """With its history, and what was derived only from it; the reply names all that went."""

    def work(memory: Mnemos) -> Deletion:
        own = access.own(memory, id)
        if once.interrupted and memory.get(own) is None:
            return Deletion((own,))
        return memory.delete(own)

    return await once.call(access, work, DELETION)


@router.get(
    "/v1/memories/{id}/history", operation_id="history", summary="What became of a memory", responses=READING | BY_ID
)
async def history(id: Id, access: Reader) -> History:
    """Every change, oldest first; of a deleted memory without words."""
    return await access.call(lambda memory: History(changes=memory.history(access.own(memory, id))))


@router.get(
    "/v1/memories/{id}/links", operation_id="links", summary="What joins a memory to others", responses=READING | BY_ID
)
async def links(id: Id, access: Reader) -> Links:
    """The typed edges that begin or end at it."""
    return await access.call(lambda memory: Links(links=_visible_links(memory, access, id)))


def _visible_links(memory: Mnemos, access: Access, id: str) -> list[Any]:
    """Links to what lies outside of the caller's namespaces are not shown."""
    found = memory.links(access.own(memory, id))
    if access.namespaces is None:
        return found
    owners = {end: memory.owner(end) for link in found for end in (link.source, link.target)}
    return [
        link for link in found if all((own := owners[end]) and access.allows(own) for end in (link.source, link.target))
    ]
