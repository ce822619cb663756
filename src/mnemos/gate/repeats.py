"""Near duplicates: what was said before in the same words makes that stronger, and rests.

Precise rather than complete: two texts are the same only if they differ in nothing but words that carry no meaning, so
that a changed number, name, day or "not" is never taken for a repeat. Said again in another conversation, or on another
day, it may well tell of another event: then it stays, and only makes stronger what it repeats. Nothing rests for the
sake of what is trusted less, and nothing grows stronger by what is.
"""

from __future__ import annotations

import re
from datetime import timedelta

from mnemos.gate.policy import Arrival, Near, Verdict
from mnemos.records import Memory

SHORTEST = 5
"""Words that carry meaning in the shortest repeat: shorter ones get theirs from what they answer."""
DAY = timedelta(hours=20)
MOMENT = timedelta(seconds=30)
"""Apart in different sessions, and still one message: two exports of one chat."""
AGAIN = 2
"""Memories of the session back to which a shorter text counts as sent twice."""

TRIVIAL = frozenset(
    "a an the and so just really very please oh ah um uh well hey hi hello ok okay too also then".split()
)
_DENSE = re.compile("[\u2e80-\u9fff\uac00-\ud7ff\u0e00-\u0eff]")
_SIGNS = re.compile(r"[^\w\s.,;:!'\"()…–—’‘“”*_`-]|-(?=\d)")


class NearRepeat:
    """Lets a repeat strengthen what it repeats, and leave the index for its sake."""

    name = "repeat"

    def judge(self, arrival: Arrival) -> Verdict | None:
        """A repeat of the newest memory that says the same."""
        found = [one for one in arrival.near if says_the_same(arrival, one)]
        if not found:
            return None
        other = max(found, key=lambda one: one.num)
        detail = {"similarity": round(other.similarity, 3)}
        return Verdict(
            "repeat",
            other.num,
            rests=_adds_nothing(arrival.memory, other.memory),
            strengthens=arrival.memory.trust >= other.memory.trust,
            detail=detail,
        )


def core(words: tuple[str, ...]) -> list[str]:
    """The words that carry meaning, in order."""
    return [word for word in words if word not in TRIVIAL]


def signs(text: str) -> list[str]:
    """What a text holds beside words and plain punctuation, in order: currencies, emoji, C++ and C#, minus five."""
    return _SIGNS.findall(text)


def length(words: list[str]) -> float:
    """How many words carry meaning; a character of a script without spaces counts as half of one, a pair as none."""
    return sum(1 if word.isascii() or not _DENSE.match(word) else (len(word) == 1) / 2 for word in words)


def says_the_same(arrival: Arrival, earlier: Near) -> bool:
    """Whether a new memory says nothing but what an earlier one of the same person says."""
    new, old = arrival.memory, earlier.memory
    if (new.kind, new.speaker, new.role, new.agent_id) != (old.kind, old.speaker, old.role, old.agent_id):
        return False
    if old.trust < new.trust:
        return False
    said = core(arrival.words)
    if said != core(earlier.words) or signs(new.text) != signs(old.text):
        return False
    return length(said) >= SHORTEST or (bool(said) and any(old.id == one.id for one in arrival.before[:AGAIN]))


def _adds_nothing(new: Memory, old: Memory) -> bool:
    """Whether it is the same as told, and not the same once more."""
    if new.happened_at is None or old.happened_at is None:
        return new.session_id == old.session_id
    return abs(new.happened_at - old.happened_at) <= (DAY if new.session_id == old.session_id else MOMENT)
