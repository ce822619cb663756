"""What lies between the rows of an SQLite file: space that no row uses, where copies of deleted words can linger.

SQLite overwrites a deleted cell (`secure_delete`), but when it splits or merges pages it leaves what was there in the
gap between a page's cell pointers and its cells. This reads the file page by page, as its format is documented, and
gives every byte of such gaps, of free blocks and of free pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mnemos.store.rawfile import RawFile

_HEADER = 100
"""Bytes of the file's own header, on the first page."""
_LEAF_HEADER, _INTERIOR_HEADER = 8, 12
_INDEX_LEAF, _TABLE_LEAF, _INDEX_INTERIOR, _TABLE_INTERIOR = 10, 13, 2, 5
_LARGEST_POINTER = 4096
"""No cell of our pages begins later; two bytes of text, or of most token ids, are a larger number."""
_BTREE = frozenset((_INDEX_LEAF, _TABLE_LEAF, _INDEX_INTERIOR, _TABLE_INTERIOR))
_AT_ONCE = 256
"""Pages read at once."""


class Slack(NamedTuple):
    """Bytes that belong to no row, and whether they lie in a page that holds rows of a table, or in a free page."""

    data: bytes
    in_table: bool


def slack(file: RawFile) -> Iterator[Slack]:
    """All unused space of a file whose write-ahead log is empty."""
    if file.size < _HEADER:
        return
    size = _number(file.read(16, 2), 0)
    pages = _Pages(file, 65536 if size == 1 else size)
    free = dict(pages.free())
    schema = set(pages.tree(1))
    for number, page in pages:
        if number in free:
            yield Slack(page[free[number] :], True)
        elif page[_head(number)] in _BTREE:
            gaps = _gaps(page, _head(number))
            yield from (Slack(gap.data, gap.in_table and number not in schema) for gap in gaps)


def is_dirty(file: RawFile) -> bool:
    """Whether anything is left in the unused space of the file's tables."""
    return any(part.in_table and part.data.strip(b"\x00") and _beyond_pointers(part.data) for part in slack(file))


def _beyond_pointers(gap: bytes) -> bool:
    """Whether a gap holds more than old cell pointers, which a deletion leaves at its beginning."""
    place = 0
    while 0 < _number(gap, place) <= _LARGEST_POINTER and place < len(gap):
        place += 2
    return bool(gap[place:].strip(b"\x00"))


class _Pages:
    def __init__(self, file: RawFile, size: int) -> None:
        self.file = file
        self.size = size
        self.count = file.size // size

    def page(self, number: int) -> bytes:
        return self.file.read((number - 1) * self.size, self.size)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for first in range(0, self.count, _AT_ONCE):
            data = self.file.read(first * self.size, _AT_ONCE * self.size)
            for start in range(0, len(data) - self.size + 1, self.size):
                yield first + start // self.size + 1, data[start : start + self.size]

    def free(self) -> Iterator[tuple[int, int]]:
        """Each free page, and where its unused bytes begin: after the list in a trunk page, at 0 elsewhere."""
        trunk = _pages_number(self.page(1), 32)
        seen: set[int] = set()
        while trunk and trunk not in seen and trunk <= self.count:
            seen.add(trunk)
            page = self.page(trunk)
            count = min(_pages_number(page, 4), self.size // 4 - 2)
            yield trunk, 8 + 4 * count
            for place in range(8, 8 + 4 * count, 4):
                yield _pages_number(page, place), 0
            trunk = _pages_number(page, 0)

    def tree(self, number: int) -> Iterator[int]:
        """The pages of the table whose root this is; the table of page 1 holds the schema, and no words."""
        yield number
        page, head = self.page(number), _head(number)
        if page[head] != _TABLE_INTERIOR:
            return
        yield from self.tree(_pages_number(page, head + 8))
        first = head + _INTERIOR_HEADER
        for place in range(first, first + 2 * _number(page, head + 3), 2):
            yield from self.tree(_pages_number(page, _number(page, place)))


def _head(number: int) -> int:
    return _HEADER if number == 1 else 0


def _number(page: bytes, place: int) -> int:
    return int.from_bytes(page[place : place + 2], "big")


def _pages_number(page: bytes, place: int) -> int:
    return int.from_bytes(page[place : place + 4], "big")


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
