"""Echoes: what recall itself put into a prompt is not learnt again as something new.

A context that comes back inside a message is known by its form (`mnemos.quoting`) and is in no index; a message that is
nothing else rests whole. So does one that says, in another's mouth, just what was recalled a short while ago: an agent
that reads out what it was shown.
"""

from __future__ import annotations

from datetime import timedelta

from mnemos.gate.policy import Arrival, Near, Verdict
from mnemos.gate.repeats import SHORTEST, core, length, signs
from mnemos.records import Memory

RECENT = timedelta(days=1)
"""Since when a memory must have been recalled for its words to count as an echo of it."""
_NOTED = timedelta(minutes=1)
"""Uses are noted with the next write, which may be that of the echo itself."""


class Echo:
    """Lets what recall has said leave the index."""

    name = "echo"

    def judge(self, arrival: Arrival) -> Verdict | None:
        """An echo of a context, or of a memory that was recalled lately."""
        if not arrival.memory.text:
            return Verdict("echo", detail={"form": "context"})
        for one in arrival.near:
            if _is_other(arrival.memory, one.memory) and _recalled(arrival.memory, one) and _same(arrival, one):
                return Verdict("echo", one.num, detail={"form": "words", "similarity": round(one.similarity, 3)})
        return None


def _is_other(new: Memory, old: Memory) -> bool:
    return (new.speaker, new.role) != (old.speaker, old.role)


def _recalled(new: Memory, earlier: Near) -> bool:
    used, heard = earlier.memory.last_used_at, new.created_at
    return used is not None and heard is not None and -_NOTED <= heard - used <= RECENT


def _same(arrival: Arrival, earlier: Near) -> bool:
    said = core(arrival.words)
    same = said == core(earlier.words) and signs(arrival.memory.text) == signs(earlier.memory.text)
    return same and length(said) >= SHORTEST
