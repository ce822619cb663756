"""Who a turn speaks of: its speaker's name for "I", names for "my sister", the one person meant by "she"."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from mnemos.facts.vocabulary import FRIENDS, KIN, KINSHIP, MEN, NOT_NAMES, ONE_ONLY, PERSON, WOMEN
from mnemos.records import Memory

MACHINES = frozenset("assistant ai bot chatbot chatgpt gpt claude gemini copilot llama model system tool agent".split())
"""Names under which nobody speaks of themselves."""
_USERS = frozenset({"user", "human", "me", "you"})
THE_USER = "the user"

_introduced = re.compile(rf"\b(?i:(?P<whose>my|our) (?P<kin>{KINSHIP}))(?:,? (?:called |named )?)(?P<name>{PERSON})")
_aside = re.compile(
    rf"(?P<name>(?-i:[A-ZÀ-Þ][\w-]+))(?:,? (?:my|our)| \((?:my |our )?) ?(?P<kin>{KINSHIP})\b(?!'s)", re.IGNORECASE
)
_kinship = re.compile(rf"\b(?:my|our) (?P<kin>{KINSHIP})\b(?!'s)|\b(?P<short>mum|mom|dad)\b(?!'s)", re.IGNORECASE)
_owned = re.compile(rf"(?:(?:my|our) (?P<kin>{KINSHIP})(?: (?P<name>.+))?|(?P<short>mum|mom|dad))$", re.IGNORECASE)


@dataclass
class Scene:
    """One turn while it is read."""

    speaker: str
    happened_at: datetime | None
    known: dict[str, str] = field(default_factory=dict)
    """By name, whose what a person is, as far as this turn has said: `Rita` is a `sister`."""
    met: set[str] = field(default_factory=set)
    """Who was introduced in this session."""
    last: str = ""
    """The sentence before."""
    people: list[str] = field(default_factory=list)
    """Persons spoken of so far, the latest last."""
    names: set[str] = field(default_factory=set)
    """Who else speaks in this session."""

    def meet(self, sentence: str) -> list[tuple[str, str]]:
        """Note who is introduced in a sentence; returns (name, kinship) pairs."""
        met: list[tuple[str, str]] = []
        for person in self.known:
            if person in sentence and re.search(rf"\b{re.escape(person)}\b", sentence):
                self._mention(person)
        for found in [*_introduced.finditer(sentence), *_aside.finditer(sentence)]:
            name, kin = clean_name(found["name"]), plain_kin(found["kin"])
            if name and name != self.speaker and kin:
                met.append((name, kin))
                self.known[name] = kin
                self.met.add(name)
                self._mention(name)
        for found in _kinship.finditer(sentence):
            relative = plain_kin(found["kin"] or found["short"])
            if relative and relative not in self.known.values():
                self._mention(f"{self.speaker}'s {relative}")
        return met

    def who(self, said: str, *, certain: bool) -> str | None:
        """The subject that words mean: a name, `Ana's sister`, or None where it is not certain.

        `certain`: whether what is said of it can be said of persons only, so that any name will do.
        """
        low = said.lower()
        if low in {"i", "we", "im", "i'm"}:
            return self.speaker
        if low in {"he", "she"}:
            return self._meant(low)
        if owned := _owned.match(said):
            if owned["name"]:
                return clean_name(owned["name"])
            kin = plain_kin(owned["kin"] or owned["short"])
            named = [
                name for name, other in self.known.items() if other == kin and (kin in ONE_ONLY or name in self.met)
            ]
            return named[0] if len(named) == 1 else f"{self.speaker}'s {kin}"
        name = clean_name(said)
        if name is None or not (certain or name in self.known or name in self.names or name in self.people):
            return None
        self._mention(name)
        return name

    def _mention(self, person: str) -> None:
        if person not in self.people:
            self.people.append(person)

    def _meant(self, pronoun: str) -> str | None:
        """The one person a pronoun can mean; None where there are several, or none."""
        against = WOMEN if pronoun == "he" else MEN
        fitting = [person for person in self.people if self._kin(person) not in against]
        return fitting[0] if len(fitting) == 1 else None

    def _kin(self, person: str) -> str:
        return self.known.get(person) or person.rpartition(" ")[2]


def speaker_of(memory: Memory) -> str | None:
    """The name under which a turn's speaker is remembered; None where a machine speaks, or nobody knows who."""
    name = (memory.speaker or "").strip()
    low = name.casefold()
    if memory.role in {"system", "tool"} or (low and (low in MACHINES or low.split()[0] in MACHINES)):
        return None
    if name and low not in _USERS:
        return name
    if memory.role == "user" or low in _USERS or (memory.role is None and memory.kind in {"turn", "note"}):
        return THE_USER
    return None


def clean_name(name: str) -> str | None:
    """A person's name without what only stands beside it; None where it is no name."""
    words = name.strip(" ,.").split()
    while words and words[-1] in NOT_NAMES:
        words.pop()
    while words and words[0] in NOT_NAMES:
        words.pop(0)
    cleaned = re.sub(r"['’]s$", "", " ".join(words))
    if len(cleaned) < 2 or cleaned.isupper() or re.search(r"['’](?:ve|re|ll|d|m|t)\b|(?:ing|ly)$", cleaned):
        return None
    return cleaned


def plain_kin(kin: str) -> str:
    """A kinship without its adjectives: `older sister` is `sister`; `best friend` stays."""
    low = " ".join(kin.lower().split())
    words = low.split()
    return low if not words or low in FRIENDS or words[-1] not in KIN else words[-1]


def kin_of(relation: str) -> str | None:
    """The kinship that a relation names: `sister is` gives `sister`; None for any other relation."""
    kin, _, verb = relation.rpartition(" ")
    return plain_kin(kin) if verb == "is" and plain_kin(kin) in KIN | set(FRIENDS) else None
