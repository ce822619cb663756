"""From lines of an export to the memories that they add up to, and what marks a memory as a model reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from mnemos.events import compact_json
from mnemos.records import Memory
from mnemos.store import log
from mnemos.store.artifacts import READ, STATED
from mnemos.times import from_micros, to_micros

Line = Mapping[str, Any]


def memory_of_history(history: Sequence[Line]) -> Memory | None:
    """The memory that its entries in the log add up to, oldest first; None where it was deleted."""
    entries = [_entry(place, line) for place, line in enumerate(history)]
    row = log.fold(entries)
    if row is None:
        return None
    said = history[row["said"]]
    names = ("id", "kind", "speaker", "role", "session_id", "agent_id", "trust", "version", "key", "channel", "writer")
    times = ("happened_at", "valid_at", "invalid_at", "created_at", "updated_at")
    told: dict[str, Any] = {name: row[name] for name in names} | {name: from_micros(row[name]) for name in times}
    return Memory(
        text=said["text"] or "",
        namespace=tuple(said["namespace"]),
        **told,
        metadata=json.loads(row["metadata"]) if row["metadata"] else {},
        value=json.loads(row["value"]) if row["value"] else None,
        is_new=False,
    )


def _entry(place: int, line: Line) -> log.Entry:
    body = None if line["body"] is None else compact_json(line["body"])
    told = (line["op"], line["kind"], line["at"], line["happened_at"], line["text"], body)
    return log.Entry(place, line["id"], 0, *told, None, line["channel"], line["writer"])


def memory_of_derived(line: Line) -> Memory:
    """The memory of a derived one's line."""
    names = ("id", "kind", "text", "recipe", "trust", "version", "speaker", "session_id", "agent_id")
    told: dict[str, Any] = {name: line[name] for name in (*names, "channel", "writer")}
    times = ("happened_at", "valid_at", "invalid_at", "created_at", "updated_at", "expired_at")
    told |= {name: from_micros(line[name]) for name in times}
    return Memory(
        namespace=tuple(line["namespace"]),
        **told,
        metadata=line["metadata"] or {},
        sources=tuple(line["sources"]),
        is_new=False,
    )


def with_judgement(memory: Memory, uses: Line | None, judged: Line | None) -> Memory:
    """A memory with how it was used, and what was judged of it."""
    if uses is not None:
        last = from_micros(uses["last_used_at"])
        memory = replace(memory, strength=uses["strength"], uses=uses["uses"], last_used_at=last)
    if judged is not None:
        pinned, salience = bool(judged["pinned"]), judged["salience"]
        memory = replace(memory, resting=judged["resting"], pinned=pinned, salience=salience)
    return memory


def mark_of(memory: Memory) -> str:
    """A hash of what a model reads of a memory: an artifact that was made of it is good for no other words."""
    stated = STATED if memory.kind == "fact" else ()
    read = [getattr(memory, name) for name in READ] + [memory.metadata.get(name) for name in stated]
    plain = [to_micros(one) if isinstance(one, datetime) else one for one in read]
    return hashlib.sha256(compact_json([memory.id, *plain]).encode()).hexdigest()
