"""The forgetting curve as MemoryBank has it (Zhong et al., 2023): retention R = exp(−t / S).

t is the time since the last recall and S the strength, 1 at first and one more with each recall, which sets t to 0. The
paper drops a memory at random with chance 1 − R, or under a threshold; a budget keeps those of the highest R. That t
counts days is our reading.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from mnemos.forget.decay import days_without_use
from mnemos.records import Memory


@dataclass(frozen=True, slots=True)
class Ebbinghaus:
    """Keeps what was recalled lately and often."""

    name = "ebbinghaus"
    unit: float = 1.0
    """Days that count as one step of time."""

    def strength(self, memory: Memory, now: datetime) -> float:
        """Retention, 0 to 1."""
        return math.exp(-self._steps(memory, now))

    def worth(self, memory: Memory, now: datetime) -> float:
        """Its logarithm, which still tells apart what is all but gone."""
        return -self._steps(memory, now)

    def _steps(self, memory: Memory, now: datetime) -> float:
        return days_without_use(memory, now) / self.unit / (1.0 + memory.uses)
