"""Ids: time-ordered UUIDv7 for what is logged, name-based UUIDv8 for what is derived (RFC 9562)."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable
from uuid import UUID

from mnemos.errors import InvalidInput

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A UUIDv7; ids made by one process sort in the order they were made."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 bits below them, so that ids of one millisecond still sort
        tick = max((time.time_ns() << 12) // 1_000_000, _last + 1)
        _last = tick
    number = (tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62
    number |= int.from_bytes(os.urandom(8), "big") >> 2
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived_id(recipe: str, kind: str, key: str, sources: Iterable[str]) -> str:
    """A UUIDv8 that is the same whenever the same recipe derives the same thing from the same sources."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (recipe, kind, key, *sorted(sources)):
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    number = int.from_bytes(digest.digest(), "big")
    number = number & ~(0xF << 76) | 0x8 << 76
    number = number & ~(0b11 << 62) | 0b10 << 62
    return str(UUID(int=number))


def read_id(value: object, field: str = "id") -> str:
    """An id as a user gave it, in canonical form."""
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        raise InvalidInput(field, f"is a {type(value).__name__}", "give the id as text, as add and search return it")
    if not value.isascii():
        raise InvalidInput(field, f"{value[:40]!r} is not an id", "give the id as add and search return it")
    return value.strip().lower()
