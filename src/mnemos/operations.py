"""The default choice of policies: the stages through which every new memory goes, in order."""

from __future__ import annotations

from mnemos.entities.stage import EntityStage
from mnemos.facts.stage import FactStage
from mnemos.gate.stage import GateStage
from mnemos.gate.weighing import SalienceStage
from mnemos.levels.stage import LevelStage
from mnemos.llm.remember import AskedFacts
from mnemos.stages import Stage
from mnemos.update.conflict import resolve


def default_stages() -> tuple[Stage, ...]:
    """Gate, entities, facts, levels."""
    return (GateStage(), SalienceStage(), EntityStage(), AskedFacts(), FactStage(resolve), LevelStage())
