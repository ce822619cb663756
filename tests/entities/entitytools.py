"""A store in which only the gate's keeping and the entities stage run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mnemos import Mnemos
from mnemos.entities.stage import EntityStage


def opened(path: Path, **settings: Any) -> Mnemos:
    return Mnemos(path, stages=(EntityStage(),), **settings)


def names(memory: Mnemos, **scope: Any) -> dict[str, tuple[str, ...]]:
    """Each entity with its other names."""
    memory.maintain()
    return {node.name: node.aliases for node in memory.entities(**scope)}


def said(name: str, text: str, session: str = "1") -> dict[str, Any]:
    return {"content": text, "name": name, "session_id": session}
