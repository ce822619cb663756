"""Arrivals for policies, and stores that only gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mnemos.gate.minhash import shingles, similarity
from mnemos.gate.policy import Arrival, Near
from mnemos.recall.words import split
from mnemos.records import Memory

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def memory(text: str, **given: Any) -> Memory:
    return Memory(
        id=given.pop("id", text), namespace=("user", "ana"), kind=given.pop("kind", "turn"), text=text, **given
    )


def arrival(new: Memory, *earlier: Memory, before: Sequence[Memory] = ()) -> Arrival:
    words = tuple(split(new.text))
    near = []
    for num, old in enumerate(earlier, 1):
        said = tuple(split(old.text))
        near.append(Near(num, old, said, similarity(shingles(words), shingles(said))))
    return Arrival(new, words, before, near)
