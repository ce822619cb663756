"""Two versions of one memory: which is later, and whether one goes on from the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mnemos.events import compact_json
from mnemos.store.log import Entry

Line = Mapping[str, Any]
How = Literal["same", "later", "changed on both sides", "deleted"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A memory that two versions tell differently."""

    id: str
    won: str
    """Whose version stands: `a` or `b` where two cubes were fused, `cube` or `store` where one was imported."""
    how: How
    """`later`: it goes on from the other; `changed on both sides`: its last change is the later one; `deleted`."""


def said(line: Line) -> tuple[Any, ...]:
    """What tells a log entry from others of its memory: all but where it comes from, and how far it is trusted."""
    body = {name: value for name, value in (line["body"] or {}).items() if name != "trust"}
    return (line["op"], line["kind"], line["at"], line["happened_at"], line["text"], compact_json(body))


def begins_alike(mine: Sequence[Line], theirs: Sequence[Line]) -> bool:
    """Whether two histories are of one memory: it was added at the same moment. Deletion leaves that to be seen."""
    first = [next((line for line in history if line["op"] == "add"), None) for history in (mine, theirs)]
    if first[0] is None or first[1] is None:
        return True
    return all(first[0][name] == first[1][name] for name in ("kind", "at", "namespace"))


def later(mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[bool, How]:
    """Whether another version of a memory stands, rather than mine, and why.

    A deletion stands whatever came after it. Else the version that goes on from the other; where both were changed,
    the one whose last change of its own is the later one; mine where they are equally late.
    """
    gone = [any(line["op"] == "delete" for line in history) for history in (mine, theirs)]
    if any(gone):
        return (gone[1] and not gone[0]), "same" if all(gone) else "deleted"
    own, other = Counter(map(said, mine)), Counter(map(said, theirs))
    if own == other:
        return False, "same"
    new = [max((line["at"] for line in history if not known[said(line)]), default=None)
           for history, known in ((mine, other), (theirs, own))]  # fmt: skip
    if new[0] is None or new[1] is None:
        return _longer(mine, theirs, new), "later"
    return new[1] > new[0], "changed on both sides"


def _longer(mine: Sequence[Line], theirs: Sequence[Line], new: Sequence[int | None]) -> bool:
    """Whether theirs goes on from mine; equal entries of one history may be more than in the other."""
    return len(theirs) > len(mine) if new == [None, None] else new[0] is None


def line_of(entry: Entry, namespace: list[str], body: Mapping[str, Any] | None) -> dict[str, Any]:
    """A log entry of a store as the line of an export, as far as versions go."""
    names = ("op", "kind", "at", "happened_at", "text")
    return {**{name: getattr(entry, name) for name in names}, "body": body, "namespace": namespace}
