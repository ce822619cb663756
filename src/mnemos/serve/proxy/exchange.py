"""One exchange as it is learnt: what the user said and what the model answered, each under a name of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mnemos.namespaces import namespace_key
from mnemos.serve.access import Access
from mnemos.serve.proxy.caller import Wishes
from mnemos.serve.proxy.chat import Chat
from mnemos.serve.proxy.conversations import Conversations, digest
from mnemos.store.spool import Entry, Head
from mnemos.system import Mnemos
from mnemos.times import to_micros

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a request said, and whose it is."""

    head: Head
    name: str
    """The same for the same request sent again."""
    question: tuple[Message, ...]
    """What the user said, as `add` takes it; nothing where it was no text."""

    def answer(self, text: str | None, at: datetime) -> tuple[Message, ...]:
        """What the model said; nothing where that is unknown."""
        if text is None:
            return ()
        key = digest(self.name, "assistant", text)
        return ({"role": "assistant", "content": text, "happened_at": at.isoformat(), "idempotency_key": key},)


def read_exchange(chat: Chat, wishes: Wishes, access: Access, at: datetime, known: Conversations) -> Exchange:
    """What is to be learnt of a request. Blocks on the ledger.

    Raises:
        StoreError: the ledger cannot be used.
    """
    place = digest(access.tenant, namespace_key(wishes.scope.namespace), wishes.scope.agent_id or "")
    if wishes.session_id is None:
        start = digest(place, "start", chat.begins_with())
        began = known.began(bytes.fromhex(start), to_micros(at), may_begin=chat.is_first)
        session = f"chat-{start[:12]}-{began // 1_000_000:x}"
    else:
        session = wishes.session_id
        start = digest(place, "session", session, chat.said())
        began = known.began(bytes.fromhex(start), to_micros(at), may_begin=chat.is_first)
    name = digest(place, session, str(began), chat.said())
    head = Head(wishes.scope.namespace, wishes.scope.agent_id, session, access.key_id, access.trust)
    question: tuple[Message, ...] = ()
    if chat.asked:
        said = {"role": "user", "content": chat.asked, "happened_at": at.isoformat()}
        named = {} if chat.name is None else {"name": chat.name}
        question = ({**said, **named, "idempotency_key": digest(name, "user")},)
    return Exchange(head, name, question)


def store(memory: Mnemos, entry: Entry) -> list[str]:
    """Add an exchange to a memory, once however often it is told; returns the ids that are new."""
    head = entry.head
    added = memory.add(entry.messages, namespace=head.namespace, agent_id=head.agent_id, session_id=head.session_id)
    return [one.id for one in added if one.is_new]
