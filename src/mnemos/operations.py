"""The default choice of policies: the stages through which every new memory goes, in order."""

from __future__ import annotations

from mnemos.facts.stage import FactStage
from mnemos.levels.stage import LevelStage
from mnemos.llm.remember import AskedFacts
from mnemos.stages import Stage
from mnemos.update.conflict import resolve


def default_stages() -> tuple[Stage, ...]:
    """Gate, entities, facts, levels."""
    return (FactStage(resolve), LevelStage(), AskedFacts())
