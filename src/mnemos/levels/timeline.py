"""What happened, in order: dated facts and plans, and of each episode the sentence that tells an event best."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mnemos.levels.answers import Moment
from mnemos.levels.episodes import ASSISTANTS
from mnemos.levels.sentences import sentences, shortened
from mnemos.levels.telling import EVENT, FIRST, telling
from mnemos.records import Memory

ROOM = 140
"""Characters of a line."""


def of_fact(memory: Memory) -> Moment | None:
    """A fact's place in time: since when it holds, or when it took place; None where that was never said."""
    if memory.valid_at is None:
        return None
    return Moment(memory.valid_at, memory.text, "fact", (memory.id,), None, memory.invalid_at)


def of_episode(memory: Memory) -> Moment | None:
    """The event that an episode tells, in a sentence of its own; None where it tells of none."""
    if memory.happened_at is None:
        return None
    best, worth = ("", ""), 0.0
    for place, line in enumerate(memory.text.splitlines()):
        speaker, _, said = line.partition(": ")
        if speaker in ASSISTANTS:
            continue
        for sentence in sentences(said or line):
            value = telling(sentence) + FIRST * (place == 0 and (said or line).startswith(sentence))
            if value > worth:
                best, worth = (speaker if said else "", sentence), value
    if worth < EVENT:
        return None
    return Moment(memory.happened_at, shortened(best[1], ROOM), "episode", (memory.id,), best[0] or None)


def concerns(episode: Memory, subject: str) -> bool:
    """Whether somebody speaks in an episode, or is named in it."""
    return re.search(rf"(?<!\w){re.escape(subject)}(?!\w)", episode.text, re.IGNORECASE) is not None


def in_order(moments: Iterable[Moment]) -> list[Moment]:
    """Moments by time, each said once; facts come before episodes of the same day."""
    seen: set[tuple[object, str]] = set()
    ordered = []
    for moment in sorted(moments, key=lambda one: (one.at.date(), one.kind != "fact", one.at, one.memory_ids)):
        said = (moment.at.date(), moment.text.casefold())
        if said not in seen:
            seen.add(said)
            ordered.append(moment)
    return ordered
