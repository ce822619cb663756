"""A memory's page: its words and attributes, why it is kept, its history, and what it comes from and has become."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from mnemos.records import Change, Memory, Namespace
from mnemos.serve.console.differ import Piece, compare
from mnemos.serve.console.route import pages
from mnemos.serve.console.view import Reading, View
from mnemos.system import Mnemos
from mnemos.times import from_micros
from mnemos.update.undo import can_undo
from mnemos.verbs.gating import Kept

router = pages()
AROUND = 2
"""Turns of the same session that are shown on either side."""
COMPARED = 40
"""Changes of its words, the latest, that are shown word by word."""
LISTED = 60
"""Memories listed as sources or as derived; the others are counted."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history."""

    change: Change
    pieces: tuple[Piece, ...]
    """What changed in the words; empty where they did not."""
    details: tuple[tuple[str, str], ...]
    other: str | None
    can_undo: bool
    back: int | None = None
    """The version whose words can be put back in place of these."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows; of a memory that is gone, its history alone."""

    id: str
    namespace: Namespace
    memory: Memory | None
    events: tuple[Event, ...]
    kept: Kept | None = None
    session: tuple[Memory, ...] = ()
    sources: tuple[Memory, ...] = ()
    derived: tuple[Memory, ...] = ()
    links: tuple[tuple[str, Memory, bool], ...] = ()
    """Relation, the other memory, and whether the link begins here."""

    @property
    def goes_too(self) -> int:
        """How many memories would be deleted with this one: those with no other source."""
        return sum(one.sources == (self.id,) for one in self.derived)


@router.get("/ui/memory/{id}")
async def memory(view: Reading, id: str) -> Response:
    """The page of a memory; of one that is deleted, what became of it."""
    shown = await view.call(lambda store: _read(store, view, id))
    found = shown.memory
    attributes = () if found is None else _attributes(found)
    value = None if found is None or found.value is None else value_of(found)
    return view.at(shown.namespace).page("memory.html", shown=shown, attributes=attributes, value=value)


def _read(store: Mnemos, view: View, id: str) -> Shown:
    view.access.own(store, id)
    namespace = store.owner(id)
    assert namespace is not None
    found = store.get(id)
    events = tuple(_events(store.history(id)))
    if found is None:
        return Shown(id, namespace, None, events)
    own = view.access.allows
    links = []
    for link in store.links(id):
        other = store.get(link.target if link.source == id else link.source)
        if other is not None and own(other.namespace):
            links.append((link.relation, other, link.source == id))
    sources = tuple(one for source in found.sources[:LISTED] if (one := store.get(source)) is not None)
    derived = tuple(one for one in store.derived(id) if own(one.namespace))
    kept = store.why_kept(id)
    return Shown(id, namespace, found, events, kept, _session(store, found), sources, derived, tuple(links))


def _session(store: Mnemos, found: Memory) -> tuple[Memory, ...]:
    """The turns just before and after, in the same conversation."""
    if found.session_id is None or found.kind != "turn":
        return ()
    turns = store.list(namespace=found.namespace, sessions=[found.session_id], kinds=["turn"], limit=2000)
    place = next((place for place, turn in enumerate(turns) if turn.id == found.id), None)
    return () if place is None else tuple(turns[max(0, place - AROUND) : place + AROUND + 1])


def _events(changes: list[Change]) -> list[Event]:
    events: list[Event] = []
    before: str | None = None
    back: int | None = None
    updates = sum(change.op == "update" for change in changes)
    for change in changes:
        pieces: tuple[Piece, ...] = ()
        earlier = back
        updates -= change.op == "update"
        if change.op == "update" and change.text is not None and before is not None and change.text != before:
            pieces = tuple(compare(before, change.text)) if updates < COMPARED else (Piece("new", change.text),)
        if change.text is not None:
            before, back = change.text, change.version
        details = dict(change.metadata) if change.op != "add" else {}
        other = details.pop("other", None)
        undoable = change.decision is not None and not change.undone and can_undo(change.op)
        events.append(
            Event(
                change, pieces, _details(details), str(other) if other else None, undoable, earlier if pieces else None
            )
        )
    return events


def _details(details: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name.replace("_", " "), _value(name, value)) for name, value in details.items() if value is not None)


def _value(name: str, value: Any) -> str:
    if name in _MICROS and isinstance(value, int):
        moment = from_micros(value)
        return "" if moment is None else moment.strftime("%Y-%m-%d")
    if isinstance(value, float):
        return f"{value:.2f}"
    return _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_MICROS = frozenset(("until", "was_until", "at", "was", "happened_at", "valid_at", "invalid_at"))
"""Details that are times."""


def _attributes(memory: Memory) -> tuple[tuple[str, str], ...]:
    """What else is told of a memory, as text; what is unknown is left out."""
    told: dict[str, Any] = {
        "session": memory.session_id,
        "agent": memory.agent_id,
        "key": memory.key,
        "recipe": memory.recipe,
        "writer": memory.writer,
        **{f"metadata · {name}": value for name, value in memory.metadata.items()},
    }
    return tuple((name, _text(value)) for name, value in told.items() if value is not None)


def value_of(memory: Memory) -> str:
    """The value of an item, as JSON that can be read."""
    return json.dumps(memory.value, ensure_ascii=False, indent=2)
