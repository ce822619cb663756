"""Layered decay as in TradingGPT (Li et al., 2023), with the constants that its authors give for FinMem.

A memory lies in a short, middle or long layer, each with a recency exp(−days / Q) and an importance that falls by a
factor α a day. Being used moves it to a slower layer; falling under a floor moves it to a faster one. The papers add
relevance to a question, which forgetting does not have, and let a model give the importance: here it is the salience.
How many uses promote, and the floor, are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from mnemos.forget.decay import days_without_use
from mnemos.records import Memory

RECENCY_DAYS = (14.0, 90.0, 365.0)
"""Q of the short, the middle and the long layer."""
DAILY_FACTORS = (0.9, 0.967, 0.988)
"""α of each."""
UNKNOWN = 0.5
"""The importance of what has no salience yet."""


@dataclass(frozen=True, slots=True)
class Layered:
    """Keeps what is recent or important in its layer.

    Attributes:
        promotions: uses that move a memory to the middle layer, and to the long one.
        floor: a strength under which it falls to a faster layer.
    """

    name = "layered"
    promotions: tuple[int, int] = (1, 3)
    floor: float = 0.05

    def layer(self, memory: Memory, now: datetime) -> int:
        """0 short, 1 middle, 2 long."""
        layer = sum(memory.uses >= needed for needed in self.promotions)
        while layer and self._in_layer(layer, memory, now) < self.floor:
            layer -= 1
        return layer

    def strength(self, memory: Memory, now: datetime) -> float:
        """Recency and importance in its layer, 0 to 1."""
        return self._in_layer(self.layer(memory, now), memory, now)

    def worth(self, memory: Memory, now: datetime) -> float:
        """The logarithm of the strength, which still tells apart what is all but gone."""
        return self._logarithm(self.layer(memory, now), memory, now)

    def _in_layer(self, layer: int, memory: Memory, now: datetime) -> float:
        return math.exp(self._logarithm(layer, memory, now))

    def _logarithm(self, layer: int, memory: Memory, now: datetime) -> float:
        days = days_without_use(memory, now)
        importance = UNKNOWN if memory.salience is None else max(memory.salience, 1e-9)
        recent = -days / RECENCY_DAYS[layer]
        important = math.log(importance) + days * math.log(DAILY_FACTORS[layer])
        top = max(recent, important)
        return top + math.log((math.exp(recent - top) + math.exp(important - top)) / 2)
