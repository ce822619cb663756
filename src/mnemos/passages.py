"""What passes between the store, which keeps passages, and recall, which makes and reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Source(NamedTuple):
    """A text to index, with what stands in its header."""

    text: str
    speaker: str | None
    happened_at: int | None
    """Microseconds since 1970 UTC."""


class Indexed(NamedTuple):
    """One passage of a text, ready to be stored."""

    start: int
    end: int
    tokens: bytes
    """uint16 word-piece ids."""
    terms: bytes
    """uint32 hashes of stems, repeats kept."""
    vector: bytes
    """float16 of unit length; empty where none is known yet."""
    embedder: str = ""
    """The name of the embedder that made the vector."""


Index = Callable[[Sequence[Source]], list[list[Indexed]]]
"""From texts to their passages, in order."""
