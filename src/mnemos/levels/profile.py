"""What is stable about somebody, in order: facts that hold now, dated and with their sources, and what they speak of.

A fact that has been superseded is never shown as current; the last ones are, as what held until a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mnemos.levels import groups
from mnemos.levels.answers import ProfileLine
from mnemos.levels.groups import DONE, ORDER, REST
from mnemos.origin import is_outranked
from mnemos.records import Memory

Time = datetime | None

ROOM = {"home": 3, "work": 4, "people": 10, "pets": 3, "health": 6, "likes": 8, "plans": 5, "has": 6, DONE: 4, REST: 6}
"""Facts of a group that are shown, of those that hold now."""
OPEN_PLAN = timedelta(days=180)
"""For how long a plan without a day is shown."""
FORMER = 2
"""Facts of a group that are shown of those that no longer hold."""

_DATED = re.compile(
    r",? (?:since|on|in|from|at|until) (?:(?:the )?\d{1,2}(?:st|nd|rd|th)? )?(?:[A-Z][a-z]+ )?(?:\d{1,2},? )?\d{4}$"
)
"""What a fact's text says of its time, which the line says again."""
_NOW = re.compile(r" (?:from now on|now|these days|any ?more|currently|at the moment)$")
_AHEAD = re.compile(r"^is (moving|leaving|starting|getting|going|flying)\b")


@dataclass(frozen=True, slots=True)
class Known:
    """A fact about somebody."""

    id: str
    text: str
    relation: str
    object: str
    subject: str = ""
    since: Time = None
    until: Time = None
    said_at: Time = None
    strength: float = 1.0
    trust: float = 1.0

    @classmethod
    def of(cls, memory: Memory) -> Known:
        """The fact that a memory holds."""
        relation, said, subject = (str(memory.metadata.get(name) or "") for name in ("relation", "object", "subject"))
        return cls(
            id=memory.id,
            text=memory.text,
            relation=relation,
            object=said,
            subject=subject,
            since=memory.valid_at,
            until=memory.invalid_at,
            said_at=memory.happened_at,
            strength=memory.strength,
            trust=memory.trust,
        )

    @property
    def statement(self) -> str:
        """What it says of its subject, without naming it."""
        own = re.match(rf"{re.escape(self.subject)}(?:['’]s)? ", self.text, re.IGNORECASE) if self.subject else None
        if own is None and self.relation:
            return f"{self.relation} {self.object}".strip()
        said = _NOW.sub("", (self.text[own.end() :] if own else self.text).rstrip("."))
        return _DATED.sub("", said) if self.since else said

    @property
    def day(self) -> Time:
        """Since when it is known to hold."""
        return self.since or self.said_at


def group_of(fact: Known) -> str:
    """Where in a profile a fact belongs."""
    return groups.group_of(fact.relation, fact.object, fact.text)


def settled(facts: Sequence[Known]) -> list[Known]:
    """Facts, ended where what they rest on has changed: a salary or a boss with the job, a flatmate with the home."""
    jobs = [(fact.day, fact.trust) for fact in facts if groups.is_job(fact.relation) and fact.day]
    homes = [(fact.day, fact.trust) for fact in facts if groups.is_home(fact.relation) and fact.day]
    found = []
    for fact in facts:
        moves = homes if groups.rests_on_home(fact.relation) else jobs if groups.rests_on_job(fact.relation) else []
        told = [move for move, trust in moves if not is_outranked(trust, fact.trust)]
        later = [move for move in told if fact.day is not None and move > fact.day]
        found.append(replace(fact, until=min(later)) if later and fact.until is None else fact)
    return found


def entries(facts: Iterable[Known], now: datetime | None) -> list[ProfileLine]:
    """The lines of a profile, group by group: what holds, latest first, and then what held until lately.

    With `now`, a plan whose day has passed is left out, and so is what begins later unless it is a plan.
    """
    grouped: dict[str, list[Known]] = {}
    for fact in settled(list(facts)):
        grouped.setdefault(group_of(fact), []).append(fact)
    lines: list[ProfileLine] = []
    for name in ORDER:
        found = grouped.get(name, [])
        current = [fact for fact in found if _holds(fact, name, now)]
        if name == DONE:
            current = _last_of_each(current)
        former = [fact for fact in found if fact.until is not None and (now is None or fact.until <= now)]
        lines += [_entry(name, fact, now) for fact in _first(current, ROOM[name])]
        lines += [_entry(name, fact, now) for fact in _first(former, FORMER)]
    return lines


def _last_of_each(facts: Sequence[Known]) -> list[Known]:
    """Of what was done several times, or failed and then passed, the last time."""
    last = {fact.object.casefold() or fact.id: fact for fact in sorted(facts, key=lambda fact: _stamp(fact.day))}
    return list(last.values())


def _holds(fact: Known, name: str, now: datetime | None) -> bool:
    if fact.until is not None and (now is None or fact.until <= now):
        return False
    if now is None:
        return True
    if fact.since is None:
        return name != "plans" or fact.said_at is None or now - fact.said_at < OPEN_PLAN
    return fact.since.date() >= now.date() if name == "plans" else fact.since <= now


def _first(facts: Sequence[Known], room: int) -> list[Known]:
    """The facts that fit, latest first: those said most often are chosen, and of these the latest."""
    kept = sorted(facts, key=lambda fact: (-min(fact.strength, 5.0), -_stamp(fact.day), fact.id))[:room]
    return sorted(kept, key=lambda fact: (-_stamp(fact.day), fact.id))


def _stamp(moment: Time) -> float:
    return 0.0 if moment is None else moment.timestamp()


def _entry(group: str, fact: Known, now: datetime | None) -> ProfileLine:
    """A fact as a line; what was ahead when it was said, and lies behind now, reads so."""
    said = fact.statement
    if now is not None and fact.since is not None and fact.since <= now:
        said = _AHEAD.sub(r"was \1", said)
    until = fact.until if fact.until is not None and (now is None or fact.until <= now) else None
    since = fact.since or (None if group == DONE and groups.told_late(fact.text) else fact.said_at)
    return ProfileLine(group, said, since, until, (fact.id,))


def told(subject: str, lines: Sequence[ProfileLine]) -> str | None:
    """A profile as text, a line a group; None where nothing is known."""
    if not lines:
        return None
    rows = [subject]
    for name in dict.fromkeys(line.group for line in lines):
        rows.append(f"{name}: " + "; ".join(str(line) for line in lines if line.group == name))
    return "\n".join(rows)
