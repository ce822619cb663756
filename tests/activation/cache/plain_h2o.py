"""H2O by hand."""

from __future__ import annotations

import math

from plain import Head, Plain, Step


class PlainH2O(Plain):
    def __init__(self, heavy: float) -> None:
        self.heavy = heavy

    def see(self, head: Head, at: int, weights: dict[int, float]) -> None:
        for one, weight in weights.items():
            head.noted[one] = head.noted.get(one, 0.0) + weight

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        found = []
        for head in heads:
            room = min(step.room, len(head.keys))
            latest = room - math.floor(room * self.heavy)
            found.append({one: math.inf if one >= step.seen - latest else head.noted[one] for one in head.keys})
        return found
