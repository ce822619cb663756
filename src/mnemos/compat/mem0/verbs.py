"""mem0's verbs over a store, for whoever may reach what of it: the facade and the server's routes share them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from mnemos.arguments import read_count
from mnemos.compat.mem0 import replies
from mnemos.compat.mem0.errors import MemoryNotFoundError, ValidationError
from mnemos.compat.mem0.filters import Branch, read_branches
from mnemos.compat.mem0.replies import Reply
from mnemos.compat.mem0.scopes import IDS, Ids, Place, Reach, home, places
from mnemos.compat.mem0.values import (
    EXPIRY,
    PROCEDURAL,
    is_expired,
    read_expiry,
    read_messages,
    read_metadata,
    read_moment,
    read_procedural,
    read_threshold,
)
from mnemos.errors import InvalidInput, NotFound
from mnemos.records import Hit, Memory
from mnemos.system import UNSET, Mnemos

KINDS = ("turn", "note", "document")
"""What mem0's callers see: what was said, under the ids that `add` returned. Facts derived from it help to find it."""
SCANNED = 10_000
"""The most memories that are read to tell whose there are."""


def add(
    memory: Mnemos,
    reach: Reach,
    messages: object,
    ids: Ids,
    *,
    metadata: object = None,
    infer: bool = True,
    memory_type: object = None,
    expiration_date: object = None,
    timestamp: object = None,
    idempotency_key: str | None = None,
) -> Reply:
    """Remember messages of these ids, one result for each, in order."""
    scope = home(ids, reach)
    entries = read_metadata(metadata)
    if read_procedural(memory_type):
        entries["memory_type"] = PROCEDURAL
    if (last := read_expiry(expiration_date)) is not None:
        entries[EXPIRY] = last
    stored = memory.add(
        read_messages(messages),
        **scope,
        metadata=entries or None,
        happened_at=datetime.now(UTC) if timestamp is None else read_moment(timestamp, "timestamp"),
        idempotency_key=idempotency_key,
    )
    return {"results": [replies.added(one, infer=infer) for one in stored]}


def search(
    memory: Mnemos,
    reach: Reach,
    query: object,
    ids: Ids,
    *,
    filters: object = None,
    top_k: int = 20,
    threshold: object = None,
    explain: bool = False,
    show_expired: bool = False,
    reference_date: object = None,
) -> Reply:
    """The memories that answer a question, best first; of several places the best of all."""
    if not isinstance(query, str) or not query.strip():
        raise InvalidInput("query", "is not text, or is blank", "ask something, or use get_all")
    least, most = read_threshold(threshold), read_count(top_k, "top_k", 0)
    now = None if reference_date is None else read_moment(reference_date, "reference_date")
    best: dict[str, Hit] = {}
    for branch in read_branches(filters, ids):
        for place in places(branch.ids, reach):
            where = {**_where(place, branch), "now": now}
            for hit in _hits(memory, query, where, most, show_expired=show_expired):
                best.setdefault(hit.memory.id, hit)
    hits = sorted(best.values(), key=lambda hit: -hit.score)
    kept = [hit for hit in hits if least is None or hit.score >= least][:most]
    return {"results": [replies.found(hit, explain=explain, threshold=least) for hit in kept]}


def get(memory: Mnemos, reach: Reach, memory_id: str) -> Reply | None:
    """A memory by its id, or None."""
    held = _held(memory, reach, memory_id)
    return None if held is None else replies.got(held)


def get_all(
    memory: Mnemos, reach: Reach, ids: Ids, *, filters: object = None, top_k: int = 20, show_expired: bool = False
) -> Reply:
    """The memories of these ids, in reading order."""
    branches = read_branches(filters, ids)
    return listed(memory, reach, branches, top_k=top_k, show_expired=show_expired)


def listed(
    memory: Mnemos, reach: Reach, branches: list[Branch], *, top_k: int = 20, show_expired: bool = False
) -> Reply:
    """The memories of these alternatives; a branch without ids means all that is within reach."""
    most = read_count(top_k, "top_k", 0)
    shown: dict[str, Reply] = {}
    hidden = () if show_expired else ({"NOT": {f"metadata.{EXPIRY}": {"lt": _today()}}},)
    for branch in branches if most else ():
        for place in places(branch.ids, reach):
            where = _where(place, Branch(branch.ids, (*branch.conditions, *hidden)))
            shown |= {one.id: replies.shown(one) for one in memory.list(limit=most, **where)}
    return {"results": list(shown.values())[:most]}


def update(
    memory: Mnemos,
    reach: Reach,
    memory_id: str,
    *,
    text: str | None = None,
    metadata: object = None,
    expiration_date: object = UNSET,
) -> Reply:
    """Change a memory's words, or entries of its metadata; those that are not named stay."""
    if text is None and metadata is None and expiration_date is UNSET:
        raise InvalidInput("text", "is missing, and so are metadata and expiration_date", "say what to change")
    held = _held(memory, reach, memory_id)
    if held is None:
        raise MemoryNotFoundError(str(memory_id))
    changes: dict[str, Any] = {} if text is None else {"text": text}
    if metadata is not None or expiration_date is not UNSET:
        entries = {**held.metadata, **read_metadata(metadata)}
        if expiration_date is not UNSET:
            entries[EXPIRY] = read_expiry(expiration_date)
        changes["metadata"] = {name: value for name, value in entries.items() if (name, value) != (EXPIRY, None)}
    with _known(memory_id):
        memory.update(held.id, **changes)
    return {"message": "Memory updated successfully!"}


def delete(memory: Mnemos, reach: Reach, memory_id: str) -> Reply:
    """Delete a memory, its words everywhere, and what was derived only from it."""
    with _known(memory_id):
        memory.delete(reach.own(memory, memory_id, "memory_id"))
    return {"message": "Memory deleted successfully!"}


def delete_all(memory: Mnemos, reach: Reach, ids: Ids) -> Reply:
    """Delete every memory of these ids.

    Raises:
        ValidationError: no id is named.
    """
    if not ids:
        raise ValidationError(
            "At least one filter is required to delete all memories.",
            "VALIDATION_001",
            field="user_id",
            suggestion="If you want to delete all memories, use the `reset()` method.",
        )
    for place in places(ids, reach):
        _clear(memory, place)
    return {"message": "Memories deleted successfully!"}


def reset(memory: Mnemos, reach: Reach) -> None:
    """Delete everything that mem0's callers could see, and nothing of others."""
    for place in places({}, reach):
        _clear(memory, place)


def history(memory: Mnemos, reach: Reach, memory_id: str) -> list[Reply]:
    """How a memory came, changed and went; empty for an id that is unknown."""
    try:
        own = reach.own(memory, memory_id, "memory_id")
        return replies.told(own, memory.history(own))
    except NotFound:
        return []


def entities(memory: Mnemos, reach: Reach) -> list[Reply]:
    """Every user, agent and run that has memories, with how many, of the first that are within reach."""
    met: dict[tuple[str, str], list[Reply]] = {}
    for one in listed(memory, reach, [Branch({})], top_k=SCANNED, show_expired=True)["results"]:
        for name in IDS:
            if name in one:
                met.setdefault((name.removesuffix("_id"), one[name]), []).append(one)
    return [
        {
            "id": id,
            "type": sort,
            "total_memories": len(theirs),
            "created_at": min(one["created_at"] for one in theirs),
            "updated_at": max(one["updated_at"] for one in theirs),
        }
        for (sort, id), theirs in sorted(met.items())
    ]


def _where(place: Place, branch: Branch) -> dict[str, Any]:
    conditions: list[Mapping[str, Any]] = list(branch.conditions)
    return {**place, "kinds": KINDS, **({"filters": {"AND": conditions}} if conditions else {})}


def _hits(memory: Mnemos, query: str, where: dict[str, Any], most: int, *, show_expired: bool) -> list[Hit]:
    """The best that are still shown. Looked at one by one: a filter would read the metadata of every memory."""
    hits: list[Hit] = []
    today, offset = _today(), 0
    while len(hits) < most:
        page = memory.search(query, limit=most, offset=offset, **where)
        hits += [hit for hit in page if show_expired or not is_expired(hit.memory.metadata, today)]
        offset += most
        if not page.more:
            break
    return hits[:most]


def _clear(memory: Mnemos, place: Place) -> None:
    """Delete what is in one place: the whole of it at once, or the sessions that it names."""
    scope = dict(place)
    if scope.pop("sessions", None) is None:
        memory.delete_all(**scope)
        return
    with memory.transaction():
        while ids := [one.id for one in memory.list(limit=1000, **place)]:
            for one in ids:
                # what was derived from another on this page has gone with it
                with suppress(NotFound):
                    memory.delete(one)


def _held(memory: Mnemos, reach: Reach, memory_id: str) -> Memory | None:
    try:
        return memory.get(reach.own(memory, memory_id, "memory_id"))
    except NotFound:
        return None


@contextmanager
def _known(memory_id: object) -> Iterator[None]:
    """Inside, an id that is unknown is mem0's error."""
    try:
        yield
    except NotFound:
        raise MemoryNotFoundError(str(memory_id)) from None


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
