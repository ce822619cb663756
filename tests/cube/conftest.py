"""A second store to import into, and a cube of Ana's to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clock import Clock
from cubetools import keep

from mnemos import Memory, Mnemos

TEXTS = ("My sister Rita is vegan.", "The dog is called Rex.", "Rex lives in Paris.")


@pytest.fixture
def other(tmp_path: Path, clock: Clock) -> Iterator[Mnemos]:
    with Mnemos(tmp_path / "other.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def turns(memory: Mnemos) -> list[Memory]:
    """Three turns of Ana's, a block of each, and an adapter of the first two."""
    made = [
        memory.add(text, user_id="ana", name="Ana", happened_at=f"2026-03-0{day}T09:00:00Z")[0]
        for day, text in enumerate(TEXTS, 1)
    ]
    for turn in made:
        keep(memory, [turn], turn.text.encode())
    keep(memory, made[:2], b"weights", form="parametric")
    return made


@pytest.fixture
def cube(memory: Mnemos, turns: list[Memory], tmp_path: Path) -> Path:
    """Those, as a cube."""
    memory.export_cube(tmp_path / "ana.cube", user_id="ana")
    return tmp_path / "ana.cube"
