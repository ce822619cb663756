"""A `Session` of the OpenAI Agents SDK: the conversation is kept item by item, and what was said in it is remembered.

session = MnemosSession("monday", memory, user_id="ana")
await Runner.run(agent, "I am allergic to walnuts.", session=session)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, TypeVar, cast
from uuid import uuid4

from agents import TResponseInputItem
from agents.memory import SessionSettings

from mnemos.arguments import read_count
from mnemos.compat.openai_items import read_message, restored
from mnemos.errors import InvalidInput
from mnemos.namespaces import read_label, read_scope
from mnemos.origin import current_origin, writing_as
from mnemos.records import Memory
from mnemos.system import Mnemos

MARK = "openai_agents"
"""The metadata by which a session knows its memories, and puts its messages together again."""
PAGE = 1000
"""Memories that are read at once."""

T = TypeVar("T")


class MnemosSession:
    """One conversation. Its messages are turns that every recall finds; tool calls and the like are items beside them.

    Words stand in the store once: deleting or changing such a turn deletes or changes it in the session too.

    Args:
        session_id: which conversation; sessions of one scope share what is remembered, and nothing else.
        memory: where it is kept; closing it is up to the caller.
        user_id: whose memory, as everywhere in Mnemos; so `agent_id` and `namespace`.
        session_settings: how many items the agent is shown, where the call does not say.

    Raises:
        InvalidInput: a scope, session or item that cannot be accepted; names it and the mend.
    """

    session_settings: SessionSettings | None

    def __init__(
        self,
        session_id: str,
        memory: Mnemos,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        session_settings: SessionSettings | None = None,
    ) -> None:
        read_scope(user_id, agent_id, namespace)
        self.session_id = read_label(session_id, "session_id")
        self.memory = memory
        self.session_settings = session_settings or SessionSettings()
        self._scope: dict[str, Any] = {"user_id": user_id, "agent_id": agent_id, "namespace": namespace}

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The conversation, oldest first; only the last `limit` items where a limit is given or set."""
        return await self._in_thread(self._get, limit)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Go on with the conversation; all of the items are on disk when it returns, or none."""
        await self._in_thread(self._add, items)

    async def pop_item(self) -> TResponseInputItem | None:
        """Take back the last item, from memory too; None where there is none."""
        return await self._in_thread(self._pop)

    async def clear_session(self) -> None:
        """Delete the conversation, from memory too."""
        await self._in_thread(self._clear)

    def _get(self, limit: int | None) -> list[TResponseInputItem]:
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        return [_item(memory) for memory in self._kept(limit)]

    def _add(self, items: Sequence[Mapping[str, Any]]) -> None:
        entries = [self._entry(item, f"items[{place}]") for place, item in enumerate(items)]
        now = datetime.now(UTC)
        with writing_as("openai-agents", current_origin().writer), self.memory.transaction():
            for said, group in groupby(entries, key=lambda entry: "content" in entry):
                if said:
                    self.memory.add([*group], session_id=self.session_id, happened_at=now, **self._scope)
                else:
                    self.memory.put_many(group, **self._scope)

    def _pop(self) -> TResponseInputItem | None:
        with self.memory.transaction():
            last = self._kept(1)
            for memory in last:
                self.memory.delete(memory.id)
        return _item(last[0]) if last else None

    def _clear(self) -> None:
        with self.memory.transaction():
            for memory in self._kept(None):
                self.memory.delete(memory.id)

    def _entry(self, item: object, field: str) -> dict[str, Any]:
        """A message as `add` takes it, anything else as `put_many` does; no two of them are ever taken for one."""
        if not isinstance(item, Mapping):
            raise InvalidInput(field, f"is a {type(item).__name__}", "give items as mappings, as the SDK makes them")
        message, name = read_message(item), uuid4().hex
        if message is not None:
            metadata = {MARK: message.frame}
            return {"content": message.text, "role": item["role"], "metadata": metadata, "idempotency_key": name}
        rest = {"key": f"openai-agents/{name}", "value": item, "texts": [], "session_id": self.session_id}
        return {**rest, "metadata": {MARK: {}}}

    def _kept(self, limit: int | None) -> list[Memory]:
        """The memories of this session, oldest first; the last `limit` of them."""
        where = {**self._scope, "sessions": [self.session_id], "kinds": ["turn", "item"]}
        page = partial(self.memory.list, filters={MARK: {"exists": True}}, **where)
        total = page(limit=1).total
        wanted = total if limit is None else min(total, read_count(limit, "limit", 0))
        found: list[Memory] = []
        while len(found) < wanted and (more := page(limit=PAGE, offset=total - wanted + len(found))):
            found += more
        return found[:wanted]

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        call = partial(copy_context().run, work, *args)
        return await asyncio.get_running_loop().run_in_executor(self.memory.executor, call)


def _item(memory: Memory) -> TResponseInputItem:
    frame = (memory.metadata or {})[MARK]
    return cast(TResponseInputItem, restored(memory.text, frame) if memory.key is None else memory.value)
