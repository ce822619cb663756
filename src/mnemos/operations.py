"""The default choice of policies: the stages through which every new memory goes, in order."""

from __future__ import annotations

from mnemos.stages import Stage


def default_stages() -> tuple[Stage, ...]:
    """Gate, entities, facts, levels."""
    return ()
