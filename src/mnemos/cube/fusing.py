"""Two cubes in one: the union of their memories by id, each in its later version, and what was made of those versions.

Nothing derived is carried over to words that it was not derived from: a fact, a block or an adapter stays only where
every memory that it was made of says in the fused cube what it said in its own. The rest is derived, or made, anew.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mnemos.arguments import read_path
from mnemos.cube.content import Content, Line, in_order
from mnemos.cube.folding import mark_of, memory_of_derived
from mnemos.cube.memcube import MemCube
from mnemos.cube.merging import first_of, merged, merged_entries, union
from mnemos.cube.pieces import Piece
from mnemos.cube.versions import Conflict, begins_alike, later
from mnemos.cube.writing import Tensors, Written, write
from mnemos.errors import InvalidInput
from mnemos.times import to_micros

REDERIVE = "what it was derived from has another version, or is gone: maintain derives it anew"
REMAKE = "what it was made of has another version, or is gone: maintain makes it anew"


@dataclass(frozen=True, slots=True)
class Fused(Written):
    """A cube that was fused of two; `left` names what was derived, or made, of versions that did not stand."""

    conflicts: tuple[Conflict, ...] = ()
    """The memories of which the two had different versions, and whose stands: `a`'s or `b`'s."""


def fuse(a: str | os.PathLike[str], b: str | os.PathLike[str], out: str | os.PathLike[str]) -> Fused:
    """Write one cube of two; it needs neither a store nor torch.

    Of a memory that is in both, the version that goes on from the other stands. Where both were changed, that with the
    later change does, and a deletion stands in any case. `conflicts` says whose it was.

    Args:
        a: a cube.
        b: another.
        out: where to; it may be one of the two.

    Raises:
        CubeRefused: one of them is no cube, of a later release, or damaged.
        InvalidInput: there is no such file, or one id is of two different memories.
    """
    target = read_path(out)
    with MemCube(a) as mine, MemCube(b) as theirs:
        fusion = _Fusion(mine.content, theirs.content)
        content = fusion.content()
        pieces = fusion.pieces(content, mine.pieces, theirs.pieces)
        headers = {**theirs.headers, **mine.headers}
        tensors: dict[str, Tensors] = {**dict.fromkeys(theirs.headers, theirs), **dict.fromkeys(mine.headers, mine)}
        models = {header.fingerprint: header.model for header in headers.values()}
        made = write(target, content, pieces, tensors, models, fusion.left)
    return Fused(made.path, made.bytes, made.manifest, made.left, tuple(fusion.conflicts))


class _Fusion:
    """What two cubes say, and what was decided about it."""

    def __init__(self, mine: Content, theirs: Content) -> None:
        self._mine, self._theirs = mine, theirs
        self.conflicts: list[Conflict] = []
        self.left: dict[str, str] = {}

    def content(self) -> Content:
        """What the fused cube says in words."""
        mine, theirs = self._mine, self._theirs
        won = self._settled()
        logged = Content(entries=merged_entries(mine, theirs, won))
        made = replace(logged, derived=self._derived(logged))
        there = made.there
        ours, others = (mine.judged, theirs.judged), (theirs.judged, mine.judged)
        judged = {one: first_of(one, others if one in won else ours) for one in there}
        decisions = union(mine.decisions, theirs.decisions, _last_change, lambda one: True)
        new = [line for decision_id, line in decisions.items() if decision_id not in mine.decisions]
        old = [decisions[decision_id] for decision_id in mine.decisions]
        return replace(
            made,
            uses=union(mine.uses, theirs.uses, _use, there.__contains__),
            judged={one: line for one, line in judged.items() if line is not None},
            decisions={
                line["id"]: line
                for line in merged(old, new, lambda line: int(line["at"]))
                if line["memory"] in there and (line["other"] is None or line["other"] in there)
            },
            feedback=union(mine.feedback, theirs.feedback, lambda line: line["count"], lambda one: True),
            forms=union(mine.forms, theirs.forms, lambda line: -line["at"], lambda one: one[0] in there),
        )

    def _settled(self) -> set[str]:
        """The ids of observed memories of which their version stands."""
        won: set[str] = set()
        for one, other in ((self._mine, self._theirs), (self._theirs, self._mine)):
            for memory_id in one.derived.keys() & other.histories.keys():
                if other.histories[memory_id][0]["op"] != "delete":
                    raise _clash(memory_id)
        for memory_id, history in self._mine.histories.items():
            known = self._theirs.histories.get(memory_id, [])
            if not begins_alike(history, known):
                raise _clash(memory_id)
            is_theirs, how = later(history, known) if known else (False, "same")
            if is_theirs:
                won.add(memory_id)
            if how != "same":
                self.conflicts.append(Conflict(memory_id, "b" if is_theirs else "a", how))
        return won

    def _derived(self, logged: Content) -> dict[str, Line]:
        """What was derived of versions that stand, each in its later version that was."""
        deleted = {line["id"] for line in logged.entries if line["op"] == "delete"}
        marks = {memory_id: mark_of(memory) for memory_id, memory in logged.memories.items()}
        known = [(own, _marks(own)) for own in (self._mine, self._theirs)]
        new = [line for memory_id, line in self._theirs.derived.items() if memory_id not in self._mine.derived]
        every = merged(list(self._mine.derived.values()), new, lambda line: int(line["created_at"]))
        kept: dict[str, Line] = {}
        for first in in_order({line["id"]: line for line in every}):
            memory_id = first["id"]
            versions = [
                (place, own.derived[memory_id], then)
                for place, (own, then) in enumerate(known)
                if memory_id in own.derived and memory_id not in deleted
            ]
            versions.sort(key=lambda one: (*_version(one[1]), -one[0]), reverse=True)
            found = next((one for one in versions if _holds(one[1]["sources"], one[2], marks)), None)
            if found is None:
                if memory_id not in deleted:
                    self.left[memory_id] = REDERIVE
                continue
            kept[memory_id] = found[1]
            marks[memory_id] = mark_of(memory_of_derived(found[1]))
            if len(versions) > 1 and versions[0][1] != versions[1][1]:
                self.conflicts.append(Conflict(memory_id, "ab"[found[0]], "later"))
        return {line["id"]: line for line in in_order(kept)}

    def pieces(self, content: Content, mine: list[Piece], theirs: list[Piece]) -> list[Piece]:
        """The artifacts that were made of what stands."""
        marks = _marks(content)
        known = {_same(piece) for piece in mine}
        taken = {piece.artifact.id for piece in mine}
        new = [piece for piece in theirs if _same(piece) not in known]
        found = []
        for piece in merged(mine, new, lambda piece: to_micros(piece.artifact.created_at)):
            made = piece.artifact
            if not all(marks.get(one) == mark for one, mark in zip(made.sources, piece.marks, strict=True)):
                self.left[made.id] = REMAKE
            elif _same(piece) not in known and made.id in taken:
                self.left[made.id] = "its id is that of another artifact"
            else:
                found.append(piece)
        return found


def _clash(memory_id: str) -> InvalidInput:
    return InvalidInput("b", f"holds another memory under the id {memory_id}", "fuse what comes from one store")


def _marks(content: Content) -> dict[str, str]:
    return {memory_id: mark_of(memory) for memory_id, memory in content.memories.items()}


def _holds(sources: list[str], then: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether all that something was derived from says what it said."""
    return all(now.get(source) is not None and now[source] == then.get(source) for source in sources)


def _version(line: Line) -> tuple[int, int]:
    return (line["version"], line["updated_at"])


def _use(line: Line) -> tuple[int, int]:
    return (line["uses"], line["last_used_at"] or 0)


def _last_change(line: Line) -> int:
    return -1 if line["undone_at"] is None else int(line["undone_at"])


def _same(piece: Piece) -> tuple[object, ...]:
    made = piece.artifact
    return (made.form, made.recipe, made.fingerprint, made.hash, made.sources, piece.marks)
