"""Memories through a server: added, read, changed, deleted, and what became of them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from mnemos.arguments import Where
from mnemos.client.calls import Call, Plan, asked, given, part, read, write
from mnemos.client.decoding import listed, named, record
from mnemos.client.verbs import Slices, Verb, Walk
from mnemos.errors import NotFound
from mnemos.records import Change, Deletion, Link, Memory, Page
from mnemos.system import UNSET
from mnemos.times import TimeLike, Zone


class MemoryVerbs:
    """What a client does with single memories."""

    @Verb
    def add(
        self,
        messages: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        session_id: str | None = None,
        kind: str | None = None,
        happened_at: TimeLike | None = None,
        name: str | None = None,
        role: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        timezone: Zone | None = None,
    ) -> Call[builtins.list[Memory]]:
        """Remember a string, a message or a list of messages; on the server's disk when it returns.

        Takes and returns what `Mnemos.add` does. All are stored, or none.
        """
        body = given(
            messages=messages,
            user_id=user_id,
            agent_id=agent_id,
            namespace=namespace,
            session_id=session_id,
            kind=kind,
            happened_at=happened_at,
            name=name,
            role=role,
            metadata=metadata,
            idempotency_key=idempotency_key,
            timezone=timezone,
        )
        return write("POST", "/v1/memories", listed(Memory, "memories"), body=body)

    @Verb
    def get(self, id: str) -> Plan[Memory | None]:
        """The memory of an id; None where this key knows of none."""
        try:
            found = yield read("GET", f"/v1/memories/{part(id)}", record(Memory), about=id)
        except NotFound:
            return None
        return found  # type: ignore[no-any-return]  # what the call decodes

    @Verb
    def list(self, *, limit: int = 100, after: str | None = None, **where: Unpack[Where]) -> Call[Page[Memory]]:
        """Memories in reading order, without a question; takes the keywords of `search`.

        `after` goes on where a page ended, as its `end` says: what is added or deleted meanwhile moves nothing.
        """
        return _list(limit, after, where)

    @Walk
    def every(self, *, at_once: int = 500, **where: Unpack[Where]) -> Slices[Memory]:
        """Every memory in reading order, `at_once` of them a request; takes the keywords of `search`."""
        return lambda after: _list(at_once, after, where)

    @Verb
    def update(
        self,
        id: str,
        *,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = UNSET,
        happened_at: TimeLike | None = UNSET,
        valid_at: TimeLike | None = UNSET,
        invalid_at: TimeLike | None = UNSET,
        trust: float = UNSET,
    ) -> Call[Memory]:
        """Change a memory's words or attributes; what it said before stays in its history.

        Raises:
            NotFound: the id is unknown to this key.
        """
        changes = {
            "text": UNSET if text is None else text,
            "metadata": metadata,
            "happened_at": happened_at,
            "valid_at": valid_at,
            "invalid_at": invalid_at,
            "trust": trust,
        }
        body = {field: value for field, value in changes.items() if value is not UNSET}
        return write("PATCH", f"/v1/memories/{part(id)}", record(Memory), body=body, about=id)

    @Verb
    def delete(self, id: str) -> Call[Deletion]:
        """Delete a memory, its history, and what was derived only from it; returns the ids that went.

        Raises:
            NotFound: the id is unknown to this key.
        """
        return write("DELETE", f"/v1/memories/{part(id)}", record(Deletion), about=id)

    @Verb
    def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> Call[Deletion]:
        """Delete every memory of a scope, which must be named. Needs a key with the scope `admin`."""
        scope = given(user_id=user_id, agent_id=agent_id, namespace=namespace, descendants=descendants)
        return write("DELETE", "/v1/memories", record(Deletion), query=scope)

    @Verb
    def history(self, id: str) -> Call[builtins.list[Change]]:
        """Every change of a memory, oldest first; after a deletion, without words."""
        return read("GET", f"/v1/memories/{part(id)}/history", listed(Change, "changes"), about=id)

    @Verb
    def links(self, id: str) -> Call[builtins.list[Link]]:
        """The typed edges that begin or end at a memory, and at another that this key may see."""
        return read("GET", f"/v1/memories/{part(id)}/links", listed(Link, "links"), about=id)


def _list(limit: int, after: str | None, where: Mapping[str, Any]) -> Call[Page[Memory]]:
    return read("GET", "/v1/memories", _page, query=asked(limit=limit, cursor=after, **where))


def _page(data: object) -> Page[Memory]:
    memories = listed(Memory, "memories")(data)
    total, more = named(data, "total"), named(data, "more")
    return Page(memories, total=total, offset=total - more - len(memories), end=named(data, "next_cursor"))
