"""The default decay: a power law of the time since the last use, as need for a memory is known to fall.

Anderson and Schooler, "Reflections of the Environment in Memory" (1991): the odds of needing something fall as a power
of the time since it was last needed, and rise with how often it was. The form below, 1 / (1 + time / half-life), is the
simplest such law that is finite at once; unlike an exponential it falls fast at first and hardly at all later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mnemos.forget.decay import days_without_use
from mnemos.records import Memory


@dataclass(frozen=True, slots=True)
class Fading:
    """Strength halves in the first half-life after a use, and takes ever longer to halve again.

    Attributes:
        half_life: days after which a memory that was not used is half as strong.
        use_bonus: how much stronger each use makes it, as a share of its first strength. Repeats count as uses.
    """

    half_life: float = 365.0
    use_bonus: float = 0.5

    def strength(self, memory: Memory, now: datetime) -> float:
        """1 for what was just said and never used."""
        used = 1 + self.use_bonus * (memory.uses + max(0.0, memory.strength - 1))
        return used / (1 + days_without_use(memory, now) / self.half_life)
