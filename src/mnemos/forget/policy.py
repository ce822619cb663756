"""What a policy of forgetting is, and the default: what is likely to be asked for stays, weakened by decay."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from mnemos.forget.decay import Decay
from mnemos.forget.ebbinghaus import Ebbinghaus
from mnemos.forget.fading import Fading
from mnemos.forget.layered import Layered
from mnemos.records import Memory


@runtime_checkable
class Policy(Decay, Protocol):
    """Orders memories by what is worth keeping."""

    @property
    def name(self) -> str:
        """What histories call it."""
        ...

    def worth(self, memory: Memory, now: datetime) -> float:
        """The lower, the sooner it goes; the strength in an order that a budget can follow."""
        ...


@dataclass(frozen=True, slots=True)
class Salient:
    """The log-odds of being asked for, and a little of how strong the memory still is.

    Attributes:
        decay: how strength falls.
        say: how much the logarithm of the strength counts beside the log-odds; 0 leaves time and use out of it.
    """

    name = "salience"
    decay: Decay = field(default_factory=Fading)
    say: float = 0.25

    def strength(self, memory: Memory, now: datetime) -> float:
        """That of its decay."""
        return self.decay.strength(memory, now)

    def worth(self, memory: Memory, now: datetime) -> float:
        """In logits."""
        chance = min(max(0.5 if memory.salience is None else memory.salience, 1e-9), 1 - 1e-9)
        strength = max(self.strength(memory, now), 1e-300)
        return math.log(chance / (1 - chance)) + self.say * math.log(strength)


POLICIES: dict[str, Policy] = {policy.name: policy for policy in (Salient(), Ebbinghaus(), Layered())}
"""Those that can be named."""
DEFAULT = "salience"
