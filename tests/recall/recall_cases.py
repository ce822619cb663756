"""A small conversation, and how it becomes a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from mnemos.embed.static import StaticEmbedder
from mnemos.recall.analyze import Source, analyze
from mnemos.recall.snapshot import Row, Snapshot

START = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


class Said(NamedTuple):
    """One memory of a test."""

    text: str
    speaker: str | None = None
    session: str | None = "s1"
    role: str | None = "user"
    kind: str = "turn"
    minutes: int | None = None


def rows_of(said: Sequence[Said], first: int = 0) -> list[Row]:
    """The rows that a store would keep."""
    embedder = StaticEmbedder.bundled()
    times = [_time(one, first + at) for at, one in enumerate(said)]
    units = analyze([Source(one.text, one.speaker, time) for one, time in zip(said, times, strict=True)], embedder)
    rows = []
    for at, (one, time, parts) in enumerate(zip(said, times, units, strict=True)):
        vectors = embedder.embed([one.text[unit.start : unit.end] for unit in parts]).astype(np.float16)
        for part, unit in enumerate(parts):
            held = (unit.start, unit.end, unit.tokens, unit.terms, vectors[part].tobytes())
            number = first + at
            rows.append(Row(number, part, number, one.kind, one.session, one.speaker, one.role, time, *held))
    return rows


def _time(one: Said, at: int) -> int:
    minutes = at if one.minutes is None else one.minutes
    return int((START + timedelta(minutes=minutes)).timestamp() * 1_000_000)


CHAT = (
    Said("Hey Rita, how was your weekend?", "Ana"),
    Said("Great! I went hiking in Sintra with my brother Paulo.", "Rita"),
    Said("Lovely. I finally moved into the flat in Lisbon.", "Ana"),
    Said("What is the rent there?", "Rita"),
    Said("900 euros a month, can you believe it?", "Ana"),
    Said("I have been vegan since January, so cook me some lentils.", "Rita", "s2"),
    Said("My dog Bolota ate my shoes.", "Ana", "s2"),
    Said("Poor you. Buy her a rubber bone.", "Rita", "s2"),
)


def made(said: Sequence[Said]) -> Snapshot:
    """A snapshot of these memories."""
    return Snapshot.build(rows_of(said), StaticEmbedder.bundled().dim)
