"""What is stable about somebody, in order: facts that hold now, dated and with their sources, and what they speak of.

A fact that has been superseded is never shown as current; the last ones are, as what held until a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mnemos.levels.answers import ProfileLine
from mnemos.records import Memory

Time = datetime | None

GROUPS: tuple[tuple[str, str], ...] = (
    (
        "home",
        r"\b(?:lives?|living|moved|moves|address|home|resid\w+|born|grew up|comes? from|is from|hometown|stays?)\b",
    ),
    (
        "work",
        r"\b(?:works?|job|employ\w+|earns?|salary|boss|stud(?:y|ies|ied)|degree|graduat\w+|profession|occupation|hired|"
        r"retired|teaches|colleague|company|career|school|university)\b",
    ),
    (
        "people",
        r"\b(?:mother|mum|mom|father|dad|parents?|brothers?|sisters?|sons?|daughters?|child(?:ren)?|wife|husband|partner|"
        r"boyfriend|girlfriend|fianc\w+|married|engaged|divorced|dating|aunt\w*|uncle|cousins?|nieces?|nephews?|"
        r"grand\w+|friends?|flatmate|roommate|neighbou?r|spouse|in-law|twin|famil\w+|named)\b",
    ),
    ("pets", r"\b(?:pets?|dogs?|cats?|pupp\w+|kittens?|greyhound|horses?|rabbits?|hamsters?|parrots?)\b"),
    (
        "health",
        r"\b(?:allerg\w+|health|diagnos\w+|intoleran\w+|vegan|vegetarian|pescatarian|diet|medic\w+|asthma\w*|an[a]?emi\w+|"
        r"injur\w+|surgery|operation|blood|takes|suffers?|doctor|does not eat|doesn't eat|eats)\b",
    ),
    (
        "likes",
        r"\b(?:likes?|loves?|enjoys?|prefers?|favou?rite|hates?|dislikes?|can(?:'t|not) stand|interested|hobb\w+|"
        r"fan of|afraid|fears?|into|keen|wants? (?:the|an?) )\b",
    ),
    (
        "plans",
        r"\b(?:plans?|planning|will|going to|intends?|hopes?|wants to|booked|appointment|upcoming|looking forward)\b",
    ),
    ("has", r"\b(?:has|have|owns?|bought|drives?|got|number|phone|e-?mail|plays?|rides?|car|keeps?)\b"),
)
"""Groups of a profile in order, each with the words of a relation (or object) by which a fact belongs to it."""
REST = "also"
PERSONAL = frozenset({"home", "work", "people", "pets", "health", "likes", "plans"})
"""Groups by which somebody is known to be a person."""
ROOM = {"home": 3, "work": 4, "people": 10, "pets": 3, "health": 6, "likes": 8, "plans": 5, "has": 6, REST: 6}
"""Facts of a group that are shown, of those that hold now."""
FORMER = 2
"""Facts of a group that are shown of those that no longer hold."""

_GROUPS = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in GROUPS]


@dataclass(frozen=True, slots=True)
class Known:
    """A fact about somebody."""

    id: str
    text: str
    relation: str
    object: str
    since: Time = None
    until: Time = None
    said_at: Time = None
    strength: float = 1.0

    @classmethod
    def of(cls, memory: Memory) -> Known:
        """The fact that a memory holds."""
        relation, said = (str(memory.metadata.get(name) or "") for name in ("relation", "object"))
        return cls(
            id=memory.id,
            text=memory.text,
            relation=relation,
            object=said,
            since=memory.valid_at,
            until=memory.invalid_at,
            said_at=memory.happened_at,
            strength=memory.strength,
        )

    @property
    def statement(self) -> str:
        """What it says of its subject, without naming it."""
        return f"{self.relation} {self.object}".strip() if self.relation else self.text

    @property
    def day(self) -> Time:
        """Since when it is known to hold."""
        return self.since or self.said_at


def group_of(fact: Known) -> str:
    """Where in a profile a fact belongs."""
    for words in (fact.relation, fact.object) if fact.relation else (fact.text,):
        for name, pattern in _GROUPS:
            if pattern.search(words):
                return name
        if fact.relation and fact.relation not in _VAGUE:
            break
    return REST


_VAGUE = frozenset({"is", "has", "is a", "is an", "has a", "has an", "was", "had", "got", "is the", "has the"})


def entries(facts: Iterable[Known], now: datetime | None) -> list[ProfileLine]:
    """The lines of a profile, group by group: what holds, latest first, and then what held until lately.

    With `now`, a plan whose day has passed is left out, and so is what begins later unless it is a plan.
    """
    grouped: dict[str, list[Known]] = {}
    for fact in facts:
        grouped.setdefault(group_of(fact), []).append(fact)
    lines: list[ProfileLine] = []
    for name in (*(name for name, _ in GROUPS), REST):
        found = grouped.get(name, [])
        current = [fact for fact in found if _holds(fact, name, now)]
        former = [fact for fact in found if fact.until is not None and (now is None or fact.until <= now)]
        lines += [_entry(name, fact) for fact in _first(current, ROOM[name])]
        lines += [_entry(name, fact) for fact in _first(former, FORMER)]
    return lines


def _holds(fact: Known, name: str, now: datetime | None) -> bool:
    if fact.until is not None and (now is None or fact.until <= now):
        return False
    if now is None or fact.since is None:
        return True
    return fact.since.date() >= now.date() if name == "plans" else fact.since <= now


def _first(facts: Sequence[Known], room: int) -> list[Known]:
    """The facts that fit, latest first: those said most often are chosen, and of these the latest."""
    kept = sorted(facts, key=lambda fact: (-min(fact.strength, 5.0), -_stamp(fact.day), fact.id))[:room]
    return sorted(kept, key=lambda fact: (-_stamp(fact.day), fact.id))


def _stamp(moment: Time) -> float:
    return 0.0 if moment is None else moment.timestamp()


def _entry(group: str, fact: Known) -> ProfileLine:
    return ProfileLine(group, fact.statement, fact.since or fact.said_at, fact.until, (fact.id,))


def told(subject: str, lines: Sequence[ProfileLine]) -> str | None:
    """A profile as text, a line a group; None where nothing is known."""
    if not lines:
        return None
    rows = [subject]
    for name in dict.fromkeys(line.group for line in lines):
        rows.append(f"{name}: " + "; ".join(str(line) for line in lines if line.group == name))
    return "\n".join(rows)
