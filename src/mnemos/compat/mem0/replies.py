"""What mem0 answers with, made of what Mnemos holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mnemos.compat.mem0.values import EXPIRY
from mnemos.ids import derived_id
from mnemos.records import Change, Hit, Memory

Reply = dict[str, Any]

_OWNERS = {"user": "user_id", "agent": "agent_id", "run": "run_id"}


def added(memory: Memory, *, infer: bool) -> Reply:
    """One result of `add`; `NONE` where the same event was stored before."""
    reply: Reply = {"id": memory.id, "memory": memory.text, "event": "ADD" if memory.is_new else "NONE"}
    return reply if infer else {**reply, "actor_id": memory.speaker, "role": memory.role}


def shown(memory: Memory) -> Reply:
    """A memory as `get_all` lists it. It was created when it was said, where that is known."""
    said = memory.happened_at or memory.created_at
    changed = memory.updated_at if memory.version > 1 else said
    metadata = {name: value for name, value in memory.metadata.items() if name != EXPIRY}
    reply: Reply = {
        "id": memory.id,
        "memory": memory.text,
        "hash": hashlib.md5(memory.text.encode(), usedforsecurity=False).hexdigest(),
        "metadata": metadata or None,
        "created_at": _iso(said),
        "updated_at": _iso(changed),
    }
    owners = {_OWNERS[memory.namespace[0]]: memory.namespace[1]} if _is_owned(memory.namespace) else {}
    beside = {
        "agent_id": memory.agent_id,
        "run_id": memory.session_id,
        "actor_id": memory.speaker,
        "role": memory.role,
        EXPIRY: memory.metadata.get(EXPIRY),
    }
    return {**reply, **owners, **{name: value for name, value in beside.items() if value is not None}}


def got(memory: Memory) -> Reply:
    """A memory as `get` answers with it."""
    return {**shown(memory), "score": None}


def found(hit: Hit, *, explain: bool, threshold: float | None) -> Reply:
    """A memory as `search` finds it; explained, with what each signal contributed to the logit of its score."""
    reply = {**shown(hit.memory), "score": hit.score}
    if explain:
        reply["score_details"] = {"final_score": hit.score, "threshold": threshold, "signals": dict(hit.why)}
    return reply


def told(memory_id: str, changes: Sequence[Change]) -> list[Reply]:
    """The history of a memory, oldest first: how its words came, changed and went. What is deleted has no words."""
    said = [change for change in changes if change.op in _EVENTS]
    gone = any(change.op == "delete" for change in said)
    first: Mapping[str, Any] = said[0].metadata if said else {}
    rows: list[Reply] = []
    words: str | None = None
    for place, change in enumerate(said):
        before, words = words, (None if gone else change.text or words)
        rows.append(
            {
                "id": derived_id("mem0", "history", str(place), [memory_id]),
                "memory_id": memory_id,
                "old_memory": before,
                "new_memory": words,
                "event": _EVENTS[change.op],
                "created_at": _iso(said[0].at),
                "updated_at": _iso(change.at),
                "is_deleted": change.op == "delete",
                "actor_id": first.get("speaker"),
                "role": first.get("role"),
            }
        )
    return rows


_EVENTS = {"add": "ADD", "update": "UPDATE", "delete": "DELETE"}


def _is_owned(namespace: Sequence[str]) -> bool:
    return len(namespace) > 1 and namespace[0] in _OWNERS


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
