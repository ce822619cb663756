"""Ada-KV's and PyramidKV's budgets by hand."""

from __future__ import annotations

import math

from plain import PlainSpread, ranked


class PlainAdaKV(PlainSpread):
    def __init__(self, floor: float) -> None:
        self.floor = floor

    def picked(self, scores: list[dict[int, float]], room: int) -> list[set[int]]:
        kept = [set(ranked(one)[: math.floor(room * self.floor)]) for one in scores]
        others = [
            (score, position, head)
            for head, one in enumerate(scores)
            for position, score in one.items()
            if position not in kept[head] and score > -math.inf
        ]
        left = room * len(scores) - sum(len(one) for one in kept)
        for _, position, head in sorted(others, reverse=True)[: max(0, left)]:
            kept[head].add(position)
        return kept


class PlainPyramidKV(PlainSpread):
    """By fractions of a token first; what rounding down leaves is given to the layer at which a whole one is full."""

    def __init__(self, slope: float, window: int, heads: PlainSpread) -> None:
        self.slope, self.window, self.heads = slope, window, heads

    def room(self, room: int, seen: int, layer: int, layers: int) -> int:
        if room <= self.window or room >= seen:
            return room
        shared = room - self.window
        highest = shared / self.slope
        if self.window == 0:
            highest = max(1.0, highest)
        lowest = 2 * shared - highest
        if lowest > seen - self.window:
            lowest = seen - self.window
            highest = 2 * shared - lowest
        parts = [self.window + lowest + (highest - lowest) * one / (layers - 1) for one in range(layers)]
        assert sum(parts) <= room * layers + 1e-6
        given = 0
        for one in range(layer + 1):
            mine = math.floor(sum(parts[: one + 1]) + 1e-6) - given
            given += mine
        return mine

    def picked(self, scores: list[dict[int, float]], room: int) -> list[set[int]]:
        return self.heads.picked(scores, room)
