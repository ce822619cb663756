"""Files of tensors whose header is signed: safetensors, of which nothing is executed.

The header is one entry under the name of the file's kind, after the beginning of its own hash: several entries would be
written in any order, and one content be two files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mnemos.activation.blocks import BlockDamaged

DIGITS = 16
Tensors = dict[str, Tensor]
Header = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sealed:
    """Files of one kind."""

    noun: str
    """What one holds, in a word."""
    kind: str
    """What a file says that it is; its number changes with the layout."""
    mend: str
    """What to do about a damaged one."""

    def write(self, tensors: Mapping[str, Tensor], header: Header, path: Path) -> None:
        """Write a file; what is in the header has to be JSON."""
        save_file(dict(tensors), path, {self.kind: _signed(json.dumps(header, sort_keys=True))})

    def opened(self, path: Path) -> tuple[Header, Tensors]:
        """A file's header, and its tensors as views of the mapped file.

        Raises:
            BlockDamaged: the file is missing, cut off, of another kind, or its header is not the one written.
        """
        try:
            with safe_open(path, framework="pt") as file:
                said: dict[str, str] = file.metadata() or {}
                names: list[str] = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise self.damaged(path, f"cannot be read: {error}") from error
        if self.kind not in said:
            there = ", ".join(said) or "tensors of no kind"
            raise self.damaged(path, f"holds no {self.noun} of this release ({self.kind}), but {there}")
        with self.whole(path):
            told = said[self.kind][DIGITS:]
            if said[self.kind] != _signed(told):
                raise ValueError("its header is not the one written")
            header: Header = json.loads(told)
        return header, tensors

    @contextmanager
    def whole(self, path: Path) -> Iterator[None]:
        """What is missing or strange in a file's parts is told as damage.

        Raises:
            BlockDamaged: instead of what came of it.
        """
        try:
            yield
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise self.damaged(path, f"is not put together as a {self.noun}: {error}") from error

    def damaged(self, path: Path, problem: str) -> BlockDamaged:
        """What to raise about a file."""
        return BlockDamaged(f"{path.name} {problem}; {self.mend}")


def _signed(header: str) -> str:
    """A header after the beginning of its hash."""
    return hashlib.sha256(header.encode()).hexdigest()[:DIGITS] + header
