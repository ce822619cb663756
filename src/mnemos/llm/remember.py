"""A decision about a statement, carried out: through the same records as rules write, each step to be undone by id."""

from __future__ import annotations

from collections.abc import Sequence

from mnemos.llm.decide import Decided, Known
from mnemos.llm.extract import Sourced
from mnemos.stages import Batch
from mnemos.store.rows import Stored


def known_near(batch: Batch, turns: Sequence[Stored], new: Sourced) -> list[Known]:
    """The standing facts nearest to a statement."""
    return []


def remember(batch: Batch, decided: Decided, model: str) -> None:
    """Write what was decided."""
