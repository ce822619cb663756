"""mem0 dumps: what `get_all()` returns, as JSON: `{"results": […]}` or the bare list.

mem0 keeps statements, not the turns that they came from; they are imported as notes. They are dated by when mem0 last
wrote their words, for that is when they were said as far as anybody knows; both of its times stay in the metadata, and
so does the last day on which mem0 shows a statement, where `mnemos.compat.mem0` looks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from mnemos.io.chatgpt import MARKS
from mnemos.io.json_stream import read_elements
from mnemos.io.reading import (
    Item,
    Message,
    Options,
    Ordinals,
    Skipped,
    first_key,
    from_epoch,
    from_iso,
    mapping_of,
    text_of,
)
from mnemos.io.source import Bundle

NAME = "mem0"
TITLE = "mem0 dump (the JSON of get_all())"

_LISTS = frozenset({"results", "memories"})
_KEPT = ("user_id", "agent_id", "app_id", "actor_id", "created_at", "updated_at", "categories")
_NAMED = ("user_id", "agent_id", "run_id")
_SAID = {"actor_id": "name", "role": "role"}
_LAST_DAY = "expiration_date"


def find(bundle: Bundle, *, asked: bool = False) -> list[str]:
    """The files of this format."""
    names = [name for name in bundle.files if bundle.single or name.lower().endswith(".json")]
    return sorted(name for name in names if _is_dump(bundle.head(name)))


def _is_dump(head: str) -> bool:
    return head.lstrip()[:1] in ("[", "{") and first_key(head, MARKS) == "memory"


def read(bundle: Bundle, names: list[str], options: Options) -> Iterator[Item]:
    """The statements, each with `scope`: whose they were in mem0, for an import that is told no scope."""
    for name in names:
        ids = Ordinals(NAME)
        with bundle.text(name) as text:
            for number, value in read_elements(text, name, _LISTS):
                yield _read_memory(value, ids, f"{name}, element {number}")


def _read_memory(value: Any, ids: Ordinals, where: str) -> Item:
    memory = mapping_of(value)
    text = text_of(memory.get("memory"))
    if not memory or "memory" not in memory:
        return Skipped("element that is not a memory", where)
    number = text_of(memory.get("id"))
    kept = {key: memory[key] for key in _KEPT if memory.get(key) is not None}
    named = {key: said for key in _NAMED if (said := text_of(memory.get(key))).strip()}
    session = named.pop("run_id", None)
    shown_until = {_LAST_DAY: memory[_LAST_DAY]} if memory.get(_LAST_DAY) is not None else {}
    note: Message = {
        "content": text,
        "kind": "note",
        "source_id": f"{NAME}:{number}" if number else ids.source_id(text_of(memory.get("user_id")), text),
        "metadata": {**mapping_of(memory.get("metadata")), **shown_until, "mem0": kept},
        "scope": named if named or session is None else {"namespace": ("run", session)},
        **({} if session is None else {"session_id": session}),
        **{field: said for key, field in _SAID.items() if (said := text_of(memory.get(key))).strip()},
    }
    if moment := _written(memory):
        note["happened_at"] = moment
    return note


def _written(memory: Mapping[str, Any]) -> datetime | None:
    """When mem0 last wrote the words."""
    for field in ("updated_at", "created_at"):
        value = memory.get(field)
        moment = from_iso(value) or (None if isinstance(value, bool) else _epoch(value))
        if moment is not None:
            return moment.astimezone(UTC)
    return None


def _epoch(value: object) -> datetime | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        return None
    return from_epoch(number / 1000 if number > 1e11 else number)
