"""What lies between the rows of an SQLite file: space that no row uses, where copies of deleted words can linger.

SQLite overwrites a deleted cell (`secure_delete`), but when it splits or merges pages it leaves what was there in the
gap between a page's cell pointers and its cells. This reads the file page by page, as its format is documented, and
gives every byte of such gaps, of free blocks and of free pages.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = 100
"""Bytes of the file's own header, on the first page."""
_LEAF_HEADER, _INTERIOR_HEADER = 8, 12
_INDEX_LEAF, _TABLE_LEAF, _INDEX_INTERIOR, _TABLE_INTERIOR = 10, 13, 2, 5
_LARGEST_POINTER = 4096
"""No cell of our pages begins later; two bytes of text, or of most token ids, are a larger number."""
_BTREE = frozenset((_INDEX_LEAF, _TABLE_LEAF, _INDEX_INTERIOR, _TABLE_INTERIOR))


class Slack(NamedTuple):
    """Bytes that belong to no row, and whether they lie in a page that holds rows of a table, or in a free page."""

    data: bytes
    in_table: bool


def slack(path: Path) -> Iterator[Slack]:
    """All unused space of a file whose write-ahead log is empty."""
    if not path.is_file() or path.stat().st_size < _HEADER:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        size = int.from_bytes(view[16:18], "big")
        size = 65536 if size == 1 else size
        free = dict(_free_pages(view, size))
        schema = set(_tree(view, size, 1))
        for number in range(1, len(view) // size + 1):
            start = (number - 1) * size
            page = view[start : start + size]
            if number in free:
                yield Slack(page[free[number] :], True)
            elif page[_HEADER if number == 1 else 0] in _BTREE:
                gaps = _gaps(page, _HEADER if number == 1 else 0)
                yield from (Slack(gap.data, gap.in_table and number not in schema) for gap in gaps)


def _free_pages(view: mmap.mmap, size: int) -> Iterator[tuple[int, int]]:
    """Each free page, and where its unused bytes begin: after the list in a trunk page, at 0 elsewhere."""
    trunk = int.from_bytes(view[32:36], "big")
    seen: set[int] = set()
    while trunk and trunk not in seen and trunk * size <= len(view):
        seen.add(trunk)
        start = (trunk - 1) * size
        count = min(int.from_bytes(view[start + 4 : start + 8], "big"), size // 4 - 2)
        yield trunk, 8 + 4 * count
        for place in range(start + 8, start + 8 + 4 * count, 4):
            yield int.from_bytes(view[place : place + 4], "big"), 0
        trunk = int.from_bytes(view[start : start + 4], "big")


def _tree(view: mmap.mmap, size: int, number: int) -> Iterator[int]:
    """The pages of the table whose root this is; the table of page 1 holds the schema, and no words."""
    yield number
    start = (number - 1) * size
    head = start + (_HEADER if number == 1 else 0)
    if view[head] != _TABLE_INTERIOR:
        return
    yield from _tree(view, size, int.from_bytes(view[head + 8 : head + 12], "big"))
    for place in range(head + _INTERIOR_HEADER, head + _INTERIOR_HEADER + 2 * _number(view, head + 3), 2):
        cell = start + _number(view, place)
        yield from _tree(view, size, int.from_bytes(view[cell : cell + 4], "big"))


def _number(page: bytes | mmap.mmap, place: int) -> int:
    return int.from_bytes(page[place : place + 2], "big")


def _gaps(page: bytes, head: int) -> Iterator[Slack]:
    kind = page[head]
    in_table = kind == _TABLE_LEAF
    cells = _number(page, head + 3)
    content = _number(page, head + 5) or 65536
    pointers = head + (_LEAF_HEADER if kind in (_INDEX_LEAF, _TABLE_LEAF) else _INTERIOR_HEADER)
    yield Slack(page[pointers + 2 * cells : content], in_table)
    block = _number(page, head + 1)
    while block and block + 4 <= len(page):
        yield Slack(page[block + 4 : block + _number(page, block + 2)], in_table)
        following = _number(page, block)
        if following <= block:
            return
        block = following


def is_dirty(path: Path) -> bool:
    """Whether anything is left in the unused space of the file's tables."""
    return any(part.in_table and part.data.strip(b"\x00") and _beyond_pointers(part.data) for part in slack(path))


def _beyond_pointers(gap: bytes) -> bool:
    """Whether a gap holds more than old cell pointers, which a deletion leaves at its beginning."""
    place = 0
    while 0 < _number(gap, place) <= _LARGEST_POINTER and place < len(gap):
        place += 2
    return bool(gap[place:].strip(b"\x00"))
