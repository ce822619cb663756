"""Profiles kept up to date: derived anew, once a batch, for everybody about whom there are new facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mnemos.facts.keys import subject_key
from mnemos.levels import groups, profile
from mnemos.levels.profile import Known
from mnemos.records import Memory
from mnemos.stages import Batch
from mnemos.store import levels, progress
from mnemos.store.deriving import Derivation
from mnemos.store.rows import Stored
from mnemos.times import to_micros

NAME = "profiles"
"""Under which the number of the last fact read is kept."""
FACTS = 200
"""The latest facts about somebody that are read."""
LEAST = 2
"""Facts of a personal sort from which on somebody has a profile."""


class Profiler:
    """Derives the profile of each person."""

    def renew(self, batch: Batch) -> None:
        """Derive the profiles of all about whom facts were stored since the last time."""
        before = -progress.watermark(batch.connection, NAME)
        found, lowest = levels.new_subjects(batch.connection, before)
        for namespace, subject in found:
            self._renew(batch, namespace, subject)
        if lowest != before:
            progress.advance(batch.connection, NAME, -lowest)

    def _renew(self, batch: Batch, namespace: int, subject: int) -> None:
        facts = _facts(batch, namespace, subject)
        text, shown = _told(facts)
        known = levels.open_levels(batch.connection, namespace, levels.PROFILE, subject)
        if text is None:
            batch.erase(known)
            return
        num = batch.derive(
            Derivation(
                namespace=facts[0].namespace,
                kind="profile",
                text=text,
                recipe="profile",
                topic=str(subject),
                sources=tuple(shown),
                happened_at=_last(facts),
                named=True,
            )
        )
        levels.note(batch.connection, num, namespace, levels.PROFILE, subject, is_open=True)

    def again(self, batch: Batch, stored: Stored, sources: Sequence[Stored]) -> str | None:
        """The words of a profile from the facts that there are now, which become its sources."""
        if not sources:
            return None
        subject = subject_key(_subject(sources[0].memory))
        text, shown = _told(_facts(batch, batch.namespace(stored.num), subject))
        if text is not None:
            nums = [found for one in shown if (found := levels.num_of(batch.connection, one)) is not None]
            levels.replace_sources(batch.connection, stored.num, nums)
        return text


def _facts(batch: Batch, namespace: int, subject: int) -> list[Memory]:
    nums = levels.facts_about(batch.connection, namespace, subject, FACTS)
    return [stored.memory for stored in map(batch.fetch, nums) if stored is not None]


def _told(facts: Sequence[Memory]) -> tuple[str | None, list[str]]:
    """What a profile says, and the ids of the facts that it shows."""
    known = [Known.of(fact) for fact in facts]
    if sum(profile.group_of(fact) in groups.PERSONAL for fact in known) < LEAST:
        return None, []
    lines = profile.entries(known, _reference(facts))
    return profile.told(_subject(facts[-1]), lines), [one for line in lines for one in line.memory_ids]


def _reference(facts: Sequence[Memory]) -> datetime | None:
    """The latest time that anything was said: what a plan lies ahead of."""
    return max((fact.happened_at for fact in facts if fact.happened_at is not None), default=None)


def _last(facts: Sequence[Memory]) -> int | None:
    latest = _reference(facts)
    return None if latest is None else to_micros(latest)


def _subject(fact: Memory) -> str:
    return str(fact.metadata.get("subject") or "")
