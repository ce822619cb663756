"""From a turn to its facts: every rule over every sentence that its speaker asserts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from mnemos.facts import (
    rules_changes,
    rules_events,
    rules_health,
    rules_home,
    rules_numbers,
    rules_people,
    rules_plans,
    rules_taste,
    rules_things,
    rules_work,
)
from mnemos.facts.framed import framed
from mnemos.facts.keys import keys
from mnemos.facts.reading import Reading
from mnemos.facts.rule import Rule
from mnemos.facts.scene import Scene, speaker_of
from mnemos.facts.sentences import sentences
from mnemos.facts.statement import Statement
from mnemos.facts.triggers import Triggers
from mnemos.records import Memory

MOST = 24
"""Facts read from one memory; a text that yields more is a list that nobody says of themselves."""
RULES: tuple[Rule, ...] = (
    *rules_home.RULES,
    *rules_work.RULES,
    *rules_people.RULES,
    *rules_things.RULES,
    *rules_taste.RULES,
    *rules_health.RULES,
    *rules_plans.RULES,
    *rules_numbers.RULES,
    *rules_events.RULES,
    *rules_changes.RULES,
)
_TRIGGERS = Triggers(RULES)
_owning = re.compile(r"\b(?:my|our) ", re.IGNORECASE)


def extract(memory: Memory, before: Sequence[Memory] = (), known: Mapping[str, str] | None = None) -> list[Statement]:
    """The facts that a memory states, in order; none from a machine's turn.

    `before`: the turns before it in its session, whose names it may go on using. `known`: by name, what other people
    are to its speaker, as facts tell: `Rita` is a `sister`.
    """
    whole = list(framed(memory))
    found: dict[tuple[int, int, bool], Statement] = {}
    for read in islice(_statements(memory, before, known or {}), MOST):
        statement = next((one for one in whole if _covers(one, read)), read)
        number = keys(statement.subject, statement.relation, statement.object)
        if all(statement.text != other.text for other in found.values()):
            found.setdefault((number.matter, number.object, statement.negated), statement)
    for one in whole:
        number = keys(one.subject, one.relation, one.object)
        found.setdefault((number.matter, number.object, one.negated), one)
    return list(found.values())


def _covers(whole: Statement, part: Statement) -> bool:
    """Whether a statement says all of what a rule read of it, and more."""
    return (
        whole.object.startswith(part.object)
        and whole.start <= part.start
        and keys(whole.subject, whole.relation, "").matter == keys(part.subject, part.relation, "").matter
    )


def _statements(memory: Memory, before: Sequence[Memory], known: Mapping[str, str]) -> Iterator[Statement]:
    speaker = speaker_of(memory)
    if speaker is not None and memory.kind in {"turn", "note", "document", "fact"}:
        scene = Scene(speaker, memory.happened_at, dict(known))
        for earlier in before:
            if earlier.speaker:
                scene.names.add(earlier.speaker)
            if speaker_of(earlier) == speaker and _owning.search(earlier.text):
                for sentence in sentences(earlier.text):
                    scene.meet(sentence.text)
        scene.people.clear()
        for sentence in sentences(memory.text):
            yield from Reading(scene, sentence).statements(_TRIGGERS)
            scene.last = sentence.text
