"""Joining the lines of two cubes, so that what stood in one order in either stands in that order still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from mnemos.cube.content import HISTORY, Content, Line
from mnemos.cube.versions import said

K = TypeVar("K")
T = TypeVar("T")


def merged(mine: Sequence[T], theirs: Sequence[T], at: Callable[[T], int]) -> list[T]:
    """Two lists as one, each in its own order; of what stands at the head of both, what is earlier comes first."""
    found: list[T] = []
    place = 0
    for one in mine:
        while place < len(theirs) and at(theirs[place]) < at(one):
            found.append(theirs[place])
            place += 1
        found.append(one)
    return [*found, *theirs[place:]]


def merged_entries(mine: Content, theirs: Content, won: Collection[str]) -> list[Line]:
    """The log of two cubes: mine, and at its time what theirs add.

    Args:
        mine: keeps its reading order.
        theirs: adds the memories that mine does not have, and the changes of those that it won.
        won: ids of the memories of which their version stands; of all others that both have, mine does.
    """
    deleted = _deleted(theirs).intersection(won)
    histories = {memory_id: set(map(said, theirs.histories[memory_id])) for memory_id in won}

    def stays(line: Line) -> bool:
        if line["id"] in deleted:
            return False
        return line["id"] not in won or line["op"] not in HISTORY or said(line) in histories[line["id"]]

    closed = _deleted(mine)
    own = [line for line in mine.entries if stays(line)]
    known = Counter((line["id"], said(line)) for line in own)
    added = []
    for line in theirs.entries:
        memory_id = line["id"]
        if memory_id in closed or (memory_id in mine.histories and memory_id not in won and line["op"] in HISTORY):
            continue
        if known[memory_id, said(line)]:
            known[memory_id, said(line)] -= 1
        else:
            added.append(line)
    return merged(own, added, lambda line: int(line["at"]))


def _deleted(content: Content) -> set[str]:
    return {line["id"] for line in content.entries if line["op"] == "delete"}


def union(
    mine: Mapping[K, Line], theirs: Mapping[K, Line], key: Callable[[Line], Any], there: Callable[[K], bool]
) -> dict[K, Line]:
    """The lines of two cubes about what is there; where both have one, that with the greater key, mine where equal."""
    found = {one: line for one, line in mine.items() if there(one)}
    for one, line in theirs.items():
        if there(one) and (one not in found or key(line) > key(found[one])):
            found[one] = line
    return found


def first_of(memory_id: str, places: Iterable[Mapping[str, Line]]) -> Line | None:
    """The line about a memory in the first place that has one."""
    return next((place[memory_id] for place in places if memory_id in place), None)
