"""Themes: what episodes keep coming back to, told by a few words and by dated sentences of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnemos.levels.central import pick
from mnemos.levels.episodes import ASSISTANTS
from mnemos.levels.keywords import keywords
from mnemos.levels.vectors import rarity, topics
from mnemos.records import Memory

WORDS = 5
SENTENCES = 5
"""How many words and sentences tell a theme."""
_LOOKED_AT = 120
_NAME = 24
"""Characters of a name; what is longer before a colon is none."""
_ENOUGH = 25
"""Characters below which a line says too little to stand for a theme."""


@dataclass(frozen=True, slots=True)
class Label:
    """A theme in a few words, with its span."""

    words: tuple[str, ...]
    first: str
    last: str
    """Days, as ISO dates; empty where unknown."""

    def __str__(self) -> str:
        span = self.first if self.first == self.last else f"{self.first} to {self.last}"
        said = ", ".join(self.words)
        return f"{said} ({span})" if said and span else said or span


def label(episodes: Sequence[Memory]) -> Label:
    """What some episodes have in common, in their own words."""
    days = sorted(episode.happened_at.date().isoformat() for episode in episodes if episode.happened_at)
    names = {line.partition(": ")[0] for episode in episodes for line in episode.text.splitlines() if ": " in line}
    voices = {name for name in names if len(name) <= _NAME}
    words = keywords([_own(episode.text) for episode in episodes], rarity, WORDS, voices)
    return Label(tuple(words), days[0] if days else "", days[-1] if days else "")


def told(episodes: Sequence[Memory]) -> str | None:
    """What a theme says: its label, and the sentences of its episodes that are most central to it, dated."""
    lines: list[str] = []
    for episode in episodes:
        day = f"{episode.happened_at.date().isoformat()} " if episode.happened_at else ""
        lines += [day + line for line in episode.text.splitlines() if line.strip()]
    lines = lines[-_LOOKED_AT:]
    if not lines:
        return None
    worth = np.array([_worth(line) for line in lines], np.float32)
    chosen = sorted(pick(topics(lines), worth, SENTENCES)) or [0]
    head = str(label(episodes))
    return "\n".join([*([head] if head else []), *(lines[place] for place in chosen)])


def _worth(line: str) -> float:
    """How well a line can stand for a theme: what an assistant said less well, and what is too short."""
    spoken = line.partition(": ")[0].rpartition(" ")[2]
    return (0.5 if spoken in ASSISTANTS else 1.0) * (1.0 if len(line) >= _ENOUGH else 0.3)


def _own(text: str) -> str:
    """What people say in an episode, without their names; what assistants say only where nobody else speaks."""
    lines = [line.partition(": ") for line in text.splitlines()]
    own = [said or whole for whole, _, said in lines if whole not in ASSISTANTS]
    return "\n".join(own or [said for _, _, said in lines])


__all__ = ("SENTENCES", "WORDS", "Label", "label", "told")
