"""Reading levels: whose profile is asked for, and what belongs into a timeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from mnemos.facts.keys import keys, plain, subject_key
from mnemos.facts.scene import THE_USER
from mnemos.levels import groups, profile, themes, timeline
from mnemos.levels.answers import Moment, Profile, ProfileLine, Timeline
from mnemos.levels.profile import Known
from mnemos.records import Memory

THEMES = 4
"""Themes that a profile shows."""
RECURRING = 3
"""Episodes from which on a theme recurs."""
_WORDS = 3
"""Words that a recurring theme is told by at least."""
_BONDS = frozenset({"people", "pets", "work"})
"""Groups of facts that say who their object is."""


def subject_of(fact: Memory) -> str:
    """Whom a fact is about, in its own words."""
    return str(fact.metadata.get("subject") or "")


def main_subject(facts: Sequence[Memory]) -> str | None:
    """Whose memory it is, as far as facts show: the user, else who is most spoken of; None without facts."""
    counts = Counter(plain(subject_of(fact)) for fact in facts if subject_of(fact))
    if not counts:
        return None
    user = plain(THE_USER)
    best = user if counts[user] else counts.most_common(1)[0][0]
    return next(subject_of(fact) for fact in reversed(facts) if plain(subject_of(fact)) == best)


def named(subject: str, facts: Sequence[Memory]) -> str:
    """A person as facts name them: `tomasz` is `Tomasz`, and `mum` whoever facts call somebody's mother."""
    key = subject_key(subject)
    names = Counter(subject_of(fact) for fact in facts)
    for name in names:
        if subject_key(name) == key:
            return name
    asked = set(plain(subject).split())
    within = [name for name in names if asked and asked <= set(plain(name).split())]
    return max(within, key=lambda name: (names[name], -len(name))) if within else subject


def profile_of(
    subject: str, facts: Iterable[Memory], found: Sequence[tuple[Memory, Sequence[Memory]]], at: datetime
) -> Profile:
    """The profile of somebody at a time, from facts (of all) and themes with their episodes, oldest first."""
    key, as_object = subject_key(subject), keys(subject, "", subject).object
    about = [fact for fact in facts if _was_so(fact, at)]
    own = [Known.of(fact) for fact in about if subject_key(subject_of(fact)) == key]
    lines = profile.entries(own, at)
    lines += _seen([fact for fact in about if subject_key(subject_of(fact)) != key], as_object, at)
    lines.sort(key=lambda line: groups.ORDER.index(line.group))
    return Profile(subject, (*lines, *_recurring(found)))


def _was_so(fact: Memory, at: datetime) -> bool:
    """Whether it had been said by then, or has been said since to have begun by then."""
    said, since = fact.happened_at, fact.valid_at
    return said is None or said <= at or (since is not None and since <= at)


def _seen(facts: Sequence[Memory], as_object: int, at: datetime) -> list[ProfileLine]:
    """Who somebody is to others, from facts about those."""
    lines = []
    for key in dict.fromkeys(subject_key(subject_of(fact)) for fact in facts):
        known = [Known.of(fact) for fact in facts if subject_key(subject_of(fact)) == key]
        for fact in profile.settled(known):
            if fact.relation and fact.object and keys(fact.object, "", fact.object).object == as_object:
                until = fact.until if fact.until is not None and fact.until <= at else None
                if profile.group_of(fact) in _BONDS:
                    lines.append(ProfileLine("people", fact.text.rstrip("."), fact.day, until, (fact.id,)))
    return lines


def _recurring(found: Sequence[tuple[Memory, Sequence[Memory]]]) -> list[ProfileLine]:
    """The themes that come up most, in a few words each."""
    lines: list[ProfileLine] = []
    for theme, episodes in sorted(found, key=lambda one: (-len(one[1]), _first(one[1]))):
        label = themes.label(episodes)
        if len(episodes) >= RECURRING and len(label.words) >= _WORDS and len(lines) < THEMES:
            lines.append(ProfileLine("themes", ", ".join(label.words), theme.happened_at, None, (theme.id,)))
    return lines


def _first(episodes: Sequence[Memory]) -> float:
    return min((one.happened_at.timestamp() for one in episodes if one.happened_at), default=0.0)


def timeline_of(
    subject: str | None,
    facts: Iterable[Memory],
    episodes: Iterable[Memory],
    since: datetime | None,
    until: datetime | None,
) -> Timeline:
    """What happened between two times, to somebody or to all."""
    key = None if subject is None else subject_key(subject)
    moments: list[Moment] = []
    told: dict[str, list[Moment]] = {}
    for fact in facts:
        if (key is None or subject_key(subject_of(fact)) == key) and (found := timeline.of_fact(fact)):
            moments.append(found)
            for source in fact.sources:
                told.setdefault(source, []).append(found)
    about = "user" if key == subject_key(THE_USER) else subject
    for episode in episodes:
        read_there = [moment for source in episode.sources for moment in told.get(source, ())]
        if (found := timeline.of_episode(episode, about)) and not timeline.is_told(found, read_there):
            moments.append(found)
    within = [one for one in moments if (since is None or one.at >= since) and (until is None or one.at < until)]
    return Timeline(subject, tuple(timeline.in_order(within)))
