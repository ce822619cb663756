"""Two small containers that grow at the end and are shared between snapshots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FLOOR = 64


class Buffer:
    """Rows of float32 with room to grow; views of a prefix stay valid when rows are appended."""

    def __init__(self, dim: int) -> None:
        self._room = np.empty((0, dim), np.float32)
        self._used = 0

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> Buffer:
        """A buffer that holds these rows."""
        buffer = cls(rows.shape[1])
        buffer._room, buffer._used = rows, len(rows)
        return buffer

    def view(self) -> NDArray[np.float32]:
        """The rows in use."""
        return self._room[: self._used]

    def append(self, first: int, rows: Sequence[bytes]) -> Buffer:
        """A buffer of its first `first` rows and these (float16, or empty for zeros)."""
        dim = self._room.shape[1]
        total = first + len(rows)
        target = self
        if first != self._used or total > len(self._room):
            target = Buffer(dim)
            size = total + max(_FLOOR, total // 2 if first else total // 8)
            target._room = np.empty((size, dim), np.float32)
            target._room[:first] = self._room[:first]
        blank = bytes(2 * dim)
        target._used = total
        for at in range(0, len(rows), 4096):
            part = [row or blank for row in rows[at : at + 4096]]
            flat = np.frombuffer(b"".join(part), np.float16)
            target._room[first + at : first + at + len(part)] = flat.reshape(len(part), dim)
        return target


class Names:
    """Numbers for names, in the order they are met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def number(self, name: str) -> int:
        """The number of a name, a new one where it is new."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self._names)
            self._names.append(name)
        return found

    def name(self, number: int) -> str:
        """The name that has this number; empty where none has."""
        return self._names[number] if 0 <= number < len(self._names) else ""

    def all(self) -> list[str]:
        """The names, by number."""
        return list(self._names)
