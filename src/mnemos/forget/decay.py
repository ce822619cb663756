"""What a decay is: how strong a memory still is at some time, told from its dates and uses alone."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from mnemos.records import Memory

DAY = 86_400.0


class Decay(Protocol):
    """How strength falls with time and grows with use. Time is always given, never asked of a clock."""

    def strength(self, memory: Memory, now: datetime) -> float:
        """How strong a memory is: not negative, and less the longer it goes without use."""
        ...


def days_without_use(memory: Memory, now: datetime) -> float:
    """Days since a memory was last used, or since it was said where it never was; 0 where that is yet to come."""
    since = [time for time in (memory.happened_at or memory.created_at, memory.last_used_at) if time is not None]
    return max(0.0, (now - max(since)).total_seconds() / DAY) if since else 0.0
