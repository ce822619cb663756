"""What happened, in order: dated facts and plans, and of each episode the sentence that tells an event best."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from mnemos.levels.answers import Moment
from mnemos.levels.episodes import ASSISTANTS
from mnemos.levels.groups import DONE, told_late
from mnemos.levels.profile import Known, group_of
from mnemos.levels.sentences import content, sentences, shortened
from mnemos.levels.telling import EVENT, FIRST, telling
from mnemos.records import Memory

ROOM = 140
"""Characters of a line."""
CONCERNS = 1.0
"""What a sentence that names somebody has to be worth to stand in their timeline; see `telling`."""
_MOVED = re.compile(r"\b(?:moved|switched|changed|retired)\b")
SAME = 0.6
"""Share of a fact's words by which a line of the same day says the same."""


def of_fact(memory: Memory) -> Moment | None:
    """A fact's place in time: when it took place or began; else, for what one tells of at once, when it was said.

    None for what merely holds, and where nothing is known of its time.
    """
    at = memory.valid_at
    if at is None and (group_of(Known.of(memory)) == DONE or _MOVED.search(memory.text)):
        at = None if told_late(memory.text) else memory.happened_at
    return None if at is None else Moment(at, memory.text, "fact", (memory.id,), None, memory.invalid_at)


def of_episode(memory: Memory, about: str | None = None) -> Moment | None:
    """The event that an episode tells, in a sentence of its own; None where it tells of none.

    With `about`, only what this person says, or what names them.
    """
    if memory.happened_at is None:
        return None
    best, worth = ("", ""), 0.0
    for place, line in enumerate(memory.text.splitlines()):
        speaker, _, said = line.partition(": ")
        if speaker in ASSISTANTS:
            continue
        for sentence in sentences(said or line):
            if about is not None and not names(about, sentence) and not (said and names(about, speaker)):
                continue
            value = telling(sentence) + FIRST * (place == 0 and (said or line).startswith(sentence))
            if value > worth:
                best, worth = (speaker if said else "", sentence), value
    if worth < (EVENT if about is None else CONCERNS):
        return None
    return Moment(memory.happened_at, shortened(best[1], ROOM), "episode", (memory.id,), best[0] or None)


def names(person: str, text: str) -> bool:
    """Whether a text names somebody."""
    return re.search(rf"(?<!\w){re.escape(person)}(?!\w)", text, re.IGNORECASE) is not None


def in_order(moments: Iterable[Moment]) -> list[Moment]:
    """Moments by time; what a fact and an episode of one day both tell is told once, as the fact."""
    ordered: list[Moment] = []
    for moment in sorted(moments, key=lambda one: (one.at.date(), one.kind != "fact", one.at, one.memory_ids)):
        words = set(content(moment.text))
        for place, other in enumerate(ordered):
            if other.at.date() == moment.at.date() and _says(set(content(other.text)), words):
                ordered[place] = replace(other, memory_ids=(*other.memory_ids, *moment.memory_ids))
                break
        else:
            ordered.append(moment)
    return ordered


def is_told(line: Moment, facts: Iterable[Moment]) -> bool:
    """Whether one of the facts that were read in an episode says, of a day before it, what a line of it says.

    The fact knows the day better. What lies ahead of the episode is told of both days.
    """
    words = set(content(line.text))
    return any(fact.at <= line.at and _says(set(content(fact.text)), words) for fact in facts)


def _says(words: set[str], others: set[str]) -> bool:
    """Whether most of what one line says stands in another."""
    named = {word for word in words if not word.isdigit() and word not in _MONTHS}
    return len(named & others) >= max(1, SAME * len(named - {"user"}))


_MONTHS = frozenset(
    "january february march april may june july august september october november december since".split()
)
