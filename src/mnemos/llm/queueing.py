"""What waits for a language model: turns that it has not read, levels that it has not written.

Both are found from marks of how far was read, so that a model configured later catches up with what came before it.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b

from mnemos.records import Memory
from mnemos.store import asking, jobs, progress
from mnemos.store.decisions import was_undone
from mnemos.store.deriving import WRITTEN
from mnemos.store.rows import Stored, fetch_num

READ = "llm-extract"
"""Under which the mark of how far the log has been queued is kept."""
LEVELS_READ = "llm-write"
"""Under which the mark of how far changes of levels have been queued is kept."""
ENTRIES = 256
TURNS = 20
"""Turns in one job."""
WRITE = "write"
"""The decision to let a model's words stand for a level."""


def is_read(connection: sqlite3.Connection, derived: str) -> bool:
    """Whether nothing is new since the last time."""
    turns = progress.watermark(connection, READ) >= progress.watermark(connection, derived)
    return turns and progress.watermark(connection, LEVELS_READ) == asking.tick_of(connection)


def queue_turns(connection: sqlite3.Connection, derived: str, now: int, not_before: int) -> bool:
    """Queue questions about the next memories that derivation has read; False where none is left."""
    mark = progress.watermark(connection, READ)
    found = progress.unread(connection, mark, ENTRIES) if mark < progress.watermark(connection, derived) else None
    if found is None:
        return False
    sessions: dict[tuple[tuple[str, ...], str | None], list[Stored]] = defaultdict(list)
    for stored in found.memories:
        if stored.memory.resting is None and stored.memory.text.strip():
            sessions[stored.memory.namespace, stored.memory.session_id].append(stored)
    for turns in sessions.values():
        _queue(connection, turns, now, not_before)
    progress.advance(connection, READ, found.last)
    return True


def _queue(connection: sqlite3.Connection, turns: Sequence[Stored], now: int, not_before: int) -> None:
    """Queue turns of one session; the first of them join those that wait."""
    nums = [stored.num for stored in turns]
    begun = asking.waiting_beside(connection, turns[0], TURNS)
    if begun is not None:
        nums = [*begun, *(num for num in nums if num not in begun)]
    for start in range(0, len(nums), TURNS):
        part = nums[start : start + TURNS]
        jobs.enqueue_many(connection, jobs.LLM_EXTRACT, part, now, not_before if len(part) < TURNS else 0)


def queue_levels(connection: sqlite3.Connection, now: int, not_before: int) -> None:
    """Queue the writing of every level whose words have changed and are not a model's own."""
    mark, end = progress.watermark(connection, LEVELS_READ), asking.tick_of(connection)
    if mark == end:
        return
    for num in asking.changed_levels(connection, mark):
        stored = fetch_num(connection, num)
        if stored is not None and not is_written(stored.memory) and not was_undone(connection, num, WRITE):
            jobs.enqueue(connection, jobs.LLM_WRITE, num, now, not_before)
    progress.advance(connection, LEVELS_READ, end)


def is_written(memory: Memory) -> bool:
    """Whether a level's words are those that a model wrote."""
    note = memory.metadata.get(WRITTEN)
    return isinstance(note, dict) and note.get("text") == digest(memory.text)


def digest(text: str) -> str:
    """By which words are known again."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
