"""What each tool does with a store. Every function gets the open store, who asks, and the arguments."""

from __future__ import annotations

import json
from typing import Any

from mnemos.errors import NotFound
from mnemos.quoting import OPENING
from mnemos.recall.excerpt import Focus
from mnemos.records import Hit, Memory, Page
from mnemos.serve.mcp.answers import (
    Added,
    Changed,
    ContextLine,
    ContextOut,
    Deleted,
    Document,
    Found,
    HitOut,
    Listed,
    MemoryOut,
    MomentOut,
    ProfileLineOut,
    ProfileOut,
    Result,
    Results,
    TimelineOut,
    Whole,
    title_of,
)
from mnemos.serve.mcp.arguments import (
    AddMemory,
    Fetch,
    GetContext,
    GetProfile,
    GetTimeline,
    ListMemories,
    Narrowed,
    OneMemory,
    Search,
    SearchMemories,
    UpdateMemory,
)
from mnemos.serve.mcp.caller import Caller
from mnemos.system import Mnemos

LONGEST = 2000
"""Characters of a memory that a list of results shows; of a longer one it shows the part that answers."""
SHOWN_WORDS = 200
ORIGINALS = ("turn", "note", "document", "item")
"""Kinds that were given, not derived."""


def add_memory(memory: Mnemos, caller: Caller, told: AddMemory) -> Added:
    """Remember one text."""
    [added] = memory.add(
        told.text,
        name=told.speaker,
        role=told.role,
        happened_at=told.happened_at or caller.clock(),
        metadata=told.metadata,
        session_id=told.session_id,
        **caller.scope(told.user_id, told.namespace),
    )
    return Added(memory=MemoryOut.of(added), is_new=added.is_new, masked=list(added.masked))


def search_memories(memory: Mnemos, caller: Caller, told: SearchMemories) -> Found:
    """Rank memories by a question."""
    hits = memory.search(told.query, limit=told.limit, **_where(caller, told))
    focus = Focus(told.query)
    return Found(results=[_hit(hit, focus) for hit in hits], total=hits.total)


def get_context(memory: Mnemos, caller: Caller, told: GetContext) -> ContextOut:
    """Compose a block for a prompt."""
    found = memory.context(told.query, budget=told.budget, **_where(caller, told))
    return ContextOut(context=found.text, tokens=found.tokens, items=[ContextLine.of(item) for item in found.items])


def list_memories(memory: Mnemos, caller: Caller, told: ListMemories) -> Listed:
    """List memories, the latest first or in reading order."""
    where = _where(caller, told)
    if told.newest_first:
        page = newest(memory, told.limit, told.offset, **where)
    else:
        page = memory.list(limit=told.limit, offset=told.offset, **where)
    memories = [MemoryOut.of(one, beginning(one)) for one in page]
    return Listed(memories=memories, total=page.total, offset=told.offset, more=page.more)


def newest(memory: Mnemos, limit: int, offset: int = 0, **where: Any) -> Page[Memory]:
    """Memories against reading order."""
    total = memory.list(limit=1, **where).total
    start = max(0, total - offset - limit)
    count = total - offset - start
    found = memory.list(limit=count, offset=start, **where) if count > 0 else []
    return Page(reversed(found), total=total, offset=offset)


def get_memory(memory: Mnemos, caller: Caller, told: OneMemory) -> Whole:
    """Show one memory whole."""
    return Whole(memory=MemoryOut.of(found(memory, caller, told.id)))


def update_memory(memory: Mnemos, caller: Caller, told: UpdateMemory) -> Changed:
    """Change one memory."""
    id = caller.access.own(memory, told.id)
    changes = told.model_dump(exclude={"id", "text"}, exclude_none=True)
    return Changed(memory=MemoryOut.of(memory.update(id, text=told.text, **changes)))


def delete_memory(memory: Mnemos, caller: Caller, told: OneMemory) -> Deleted:
    """Delete one memory and what was derived only from it."""
    gone = memory.delete(caller.access.own(memory, told.id))
    return Deleted(ids=list(gone.ids), purge=gone.purge)


def get_profile(memory: Mnemos, caller: Caller, told: GetProfile) -> ProfileOut:
    """Who somebody is."""
    known = memory.profile(told.subject, **caller.scope(told.user_id, told.namespace))
    return ProfileOut(subject=known.subject, lines=[ProfileLineOut.of(line) for line in known.lines])


def get_timeline(memory: Mnemos, caller: Caller, told: GetTimeline) -> TimelineOut:
    """What happened, the latest moments, in order."""
    scope = caller.scope(told.user_id, told.namespace)
    known = memory.timeline(told.subject, since=told.since, until=told.until, **scope)
    shown = [MomentOut.of(moment) for moment in known.moments[-told.limit :]]
    return TimelineOut(subject=known.subject, moments=shown, total=len(known))


def search(memory: Mnemos, caller: Caller, told: Search) -> Results:
    """Rank memories by a question, as connectors ask it."""
    hits = [hit.memory for hit in memory.search(told.query, **caller.scope())]
    return Results(results=[Result(id=one.id, title=title_of(one), url=caller.link(one.id)) for one in hits])


def fetch(memory: Mnemos, caller: Caller, told: Fetch) -> Document:
    """One memory whole, as connectors read it."""
    one = found(memory, caller, told.id)
    known = {
        "kind": one.kind,
        "speaker": one.speaker,
        "happened_at": one.happened_at and one.happened_at.isoformat(),
        "session_id": one.session_id,
        "note": OPENING.removesuffix(":"),
    }
    own = {name: value if isinstance(value, str) else json.dumps(value) for name, value in one.metadata.items()}
    metadata = own | {name: str(value) for name, value in known.items() if value}
    return Document(id=one.id, title=title_of(one), text=one.text, url=caller.link(one.id), metadata=metadata)


def found(memory: Mnemos, caller: Caller, id: str) -> Memory:
    """The memory of an id, where the caller may know of it.

    Raises:
        NotFound: it does not exist, or not for this caller.
    """
    one = memory.get(caller.access.own(memory, id))
    if one is None:
        raise NotFound("id", id)
    return one


def _where(caller: Caller, told: Narrowed) -> dict[str, Any]:
    return {**told.where(), **caller.scope(told.user_id, told.namespace)}


def _hit(hit: Hit, focus: Focus) -> HitOut:
    whole = hit.memory.text
    cut = focus.cut(whole, SHOWN_WORDS, hit.passage) if len(whole) > LONGEST else whole
    shown = MemoryOut.of(hit.memory, cut).model_dump()
    return HitOut(**shown, score=round(hit.score, 4), also=list(hit.also), is_cut=cut is not whole)


def beginning(memory: Memory) -> str:
    """A memory's words as a list shows them."""
    text = memory.text
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
