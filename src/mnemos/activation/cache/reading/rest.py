"""Where old keys and values rest: in memory, or in a file that is read through the memory map of the system."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnemos.errors import InvalidInput

ALIGNED = 64
"""Tensors begin at multiples of so many bytes of the file."""


class Rest:
    """A place for tensors that are seldom read.

    A file is private to the cache that uses it. It only grows while that cache lives, and is removed with it, or when
    the process ends.

    Args:
        folder: where a temporary file is made; None: tensors rest in memory, off any accelerator.

    Raises:
        InvalidInput: the folder is none, or nothing can be written there.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = folder
        self._file: _File | None = None if folder is None else _File(folder)

    def put(self, tensor: Tensor) -> Resting:
        """Lay a tensor to rest."""
        kept = tensor.detach().cpu().contiguous()
        return _InMemory(kept.clone()) if self._file is None or not kept.numel() else self._file.put(kept)

    @property
    def on_disk(self) -> int:
        """Bytes of the file."""
        return 0 if self._file is None else self._file.size

    @property
    def path(self) -> Path | None:
        """The file."""
        return None if self._file is None else self._file.path

    def __repr__(self) -> str:
        """The same for all places of a kind."""
        return f"Rest({'memory' if self._file is None else 'disk'})"


class Resting:
    """A tensor at rest."""

    def read(self) -> Tensor:
        """The tensor, on the CPU; to be read and not to be changed."""
        raise NotImplementedError

    @property
    def tensors(self) -> list[Tensor]:
        """What it takes of the memory."""
        return []


class _InMemory(Resting):
    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def read(self) -> Tensor:
        return self._tensor

    @property
    def tensors(self) -> list[Tensor]:
        return [self._tensor]


class _InFile(Resting):
    def __init__(self, mapped: Callable[[int], mmap.mmap], start: int, like: Tensor) -> None:
        self._mapped, self._start, self._shape, self._dtype = mapped, start, tuple(like.shape), like.dtype
        self._count = like.numel()

    def read(self) -> Tensor:
        end = self._start + self._count * self._dtype.itemsize
        flat = torch.frombuffer(self._mapped(end), dtype=self._dtype, count=self._count, offset=self._start)
        return flat.view(self._shape)


class _File:
    """A file that tensors are written behind each other in."""

    def __init__(self, folder: str | Path) -> None:
        try:
            number, name = tempfile.mkstemp(prefix="mnemos-cache-", suffix=".bin", dir=folder)
        except OSError as error:
            problem = f"no file can be made in {str(folder)!r}: {error.strerror}"
            raise InvalidInput("folder", problem, "name a folder that exists and can be written to") from error
        self.path, self.size = Path(name), 0
        self._number = number
        self._map: mmap.mmap | None = None
        self._remove: Any = weakref.finalize(self, _removed, number, self.path)

    def put(self, tensor: Tensor) -> Resting:
        start = -(-self.size // ALIGNED) * ALIGNED
        data = memoryview(tensor.view(-1).view(torch.uint8).numpy().data)
        done = 0
        while done < len(data):
            done += os.pwrite(self._number, data[done:], start + done)
        self.size = start + len(data)
        return _InFile(self._mapped, start, tensor)

    def _mapped(self, end: int) -> mmap.mmap:
        if self._map is None or len(self._map) < end:
            # a private map can be written to, which tensors want; what is written never reaches the file
            self._map = mmap.mmap(self._number, self.size, access=mmap.ACCESS_COPY)
        return self._map


def _removed(number: int, path: Path) -> None:
    os.close(number)
    with suppress(FileNotFoundError):
        path.unlink()
