"""What was decided about a memory, and what a person decides: why it is kept, pinning, letting in, undoing."""

from __future__ import annotations

from fastapi import APIRouter

from mnemos.serve.depends import Reader, Writer
from mnemos.serve.rest.bodies import Body, Id, Time
from mnemos.serve.rest.once import MEMORY, Onced
from mnemos.serve.rest.replies import BY_ID, READING, WRITING, KeptReply, Memories, MemoryReply
from mnemos.serve.rest.route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["decisions"])


class Expiry(Body):
    """When a memory ends."""

    at: Time | None
    """From then on nothing returns it, and later it is deleted; null: never."""


@router.get(
    "/v1/memories/{id}/why", operation_id="why_kept", summary="Why a memory is found, or not", responses=READING | BY_ID
)
async def why_kept(id: Id, access: Reader) -> KeptReply:
    """What was decided about it, what it repeats, what was masked in it."""
    return await access.call(lambda memory: memory.why_kept(access.own(memory, id)))


@router.get(
    "/v1/memories/{id}/derived", operation_id="derived", summary="What was derived from a memory",
    responses=READING | BY_ID,
)  # fmt: skip
async def derived(id: Id, access: Reader) -> Memories:
    """Facts and levels, in reading order."""
    return Memories(memories=await access.call(lambda memory: memory.derived(access.own(memory, id))))


@router.put("/v1/memories/{id}/pin", operation_id="pin", summary="Keep a memory", responses=WRITING | BY_ID)
async def pin(id: Id, access: Writer, once: Onced) -> MemoryReply:
    """Whatever is forgotten; one that had left the index comes back into it."""
    return await once.call(access, lambda memory: memory.pin(access.own(memory, id)), MEMORY)


@router.delete(
    "/v1/memories/{id}/pin", operation_id="unpin", summary="Let a memory go again", responses=WRITING | BY_ID
)
async def unpin(id: Id, access: Writer, once: Onced) -> MemoryReply:
    """When its time comes."""
    return await once.call(access, lambda memory: memory.unpin(access.own(memory, id)), MEMORY)


@router.put(
    "/v1/memories/{id}/expiry", operation_id="expire", summary="Let a memory end at a time", responses=WRITING | BY_ID
)
async def expire(id: Id, body: Expiry, access: Writer, once: Onced) -> MemoryReply:
    """A derived memory ends with its sources."""
    return await once.call(access, lambda memory: memory.expire(access.own(memory, id), body.at), MEMORY)


@router.post(
    "/v1/memories/{id}/admit", operation_id="admit", summary="Let a memory into the index", responses=WRITING | BY_ID
)
async def admit(id: Id, access: Writer, once: Onced) -> MemoryReply:
    """To stay there, whatever was decided about it."""
    return await once.call(access, lambda memory: memory.admit(access.own(memory, id)), MEMORY)


@router.post("/v1/decisions/{id}/undo", operation_id="undo", summary="Reverse a decision", responses=WRITING | BY_ID)
async def undo(id: Id, access: Writer, once: Onced) -> MemoryReply:
    """For good: a memory's history shows each decision with its id. Answers with the memory that it was about."""
    return await once.call(access, lambda memory: memory.undo(access.own(memory, id)), MEMORY)
