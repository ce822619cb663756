"""What changed between two cubes: memories that came, went or say something else, and forms that differ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from mnemos.cube.memcube import MemCube
from mnemos.records import Memory
from mnemos.rendering import render

_ASIDE = {"is_new", "form", "strength", "uses", "last_used_at", "updated_at", "salience"}
"""What reading, and judging again, changes of a memory that stays as it is."""
COMPARED = tuple(one.name for one in fields(Memory) if one.name not in _ASIDE)


@dataclass(frozen=True, slots=True)
class Changed:
    """A memory that is not what it was."""

    id: str
    fields: tuple[str, ...]
    """What differs, `text` first where its words do."""
    before: Memory
    after: Memory


@dataclass(frozen=True, slots=True)
class FormChanged:
    """A form of some memories that only one of two cubes has, or that was made anew."""

    how: Literal["added", "gone", "changed"]
    form: str
    recipe: str
    model: str
    """What the model is called."""
    fingerprint: str
    sources: tuple[str, ...]
    """Ids of the memories."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one cube differs from another; false where it does not. `str()` tells it in words."""

    added: tuple[Memory, ...] = ()
    gone: tuple[Memory, ...] = ()
    changed: tuple[Changed, ...] = ()
    forms: tuple[FormChanged, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.gone or self.changed or self.forms)

    def __str__(self) -> str:
        return "\n".join(_told(self))


def compare(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> Comparison:
    """What came, went and changed from one cube to another, in words and in forms; without a store, without torch.

    Args:
        a: the cube before.
        b: the cube after.

    Raises:
        CubeRefused: one of them is no cube, of a later release, or damaged.
        InvalidInput: there is no such file.
    """
    with MemCube(a) as mine, MemCube(b) as theirs:
        before, after = mine.content.memories, theirs.content.memories
        both = ((memory_id, old, after[memory_id]) for memory_id, old in before.items() if memory_id in after)
        changed = ((memory_id, _differing(old, new), old, new) for memory_id, old, new in both)
        return Comparison(
            added=tuple(memory for memory_id, memory in after.items() if memory_id not in before),
            gone=tuple(memory for memory_id, memory in before.items() if memory_id not in after),
            changed=tuple(Changed(memory_id, names, old, new) for memory_id, names, old, new in changed if names),
            forms=tuple(_forms(mine, theirs)),
        )


def _differing(before: Memory, after: Memory) -> tuple[str, ...]:
    names = [name for name in COMPARED if getattr(before, name) != getattr(after, name)]
    return tuple(sorted(names, key=lambda name: name != "text"))


def _forms(mine: MemCube, theirs: MemCube) -> Iterator[FormChanged]:
    before, after = _made(mine), _made(theirs)
    names = {one.fingerprint: one.model for cube in (mine, theirs) for one in cube.headers.values()}
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old != new:
            form, recipe, fingerprint, sources = key
            how: Literal["added", "gone", "changed"] = "added" if old is None else "gone" if new is None else "changed"
            yield FormChanged(how, form, recipe, names[fingerprint], fingerprint, sources)


def _made(cube: MemCube) -> dict[tuple[str, str, str, tuple[str, ...]], set[tuple[str, str]]]:
    """By form, recipe, model and sources: the files that there are, and their states."""
    found: dict[tuple[str, str, str, tuple[str, ...]], set[tuple[str, str]]] = {}
    for piece in cube.pieces:
        made = piece.artifact
        found.setdefault((made.form, made.recipe, made.fingerprint, made.sources), set()).add((made.hash, made.state))
    return found


def _told(found: Comparison) -> Iterator[str]:
    counts = f"{len(found.added):,} added, {len(found.gone):,} gone, {len(found.changed):,} changed"
    yield f"{counts}; {len(found.forms):,} forms differ" if found else "nothing differs"
    yield from (f"+ {memory.id}  {_line(memory)}" for memory in found.added)
    yield from (f"- {memory.id}  {_line(memory)}" for memory in found.gone)
    for one in found.changed:
        yield f"~ {one.id}  {', '.join(one.fields)}"
        yield f"    before: {_line(one.before)}"
        yield f"    after:  {_line(one.after)}"
    for form in found.forms:
        of = form.sources[0] if len(form.sources) == 1 else f"{len(form.sources):,} memories"
        yield f"{form.how}: {form.form} ({form.recipe}) of {of}, for {form.model} {form.fingerprint[:12]}"


def _line(memory: Memory) -> str:
    return render(memory).rstrip("\n")
