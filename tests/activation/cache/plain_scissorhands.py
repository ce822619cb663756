"""Scissorhands by hand."""

from __future__ import annotations

import math

from plain import Head, Plain, Step, ranked


class PlainScissorhands(Plain):
    def __init__(self, history: int, recent: int, drop: float) -> None:
        self.history, self.recent, self.drop = history, recent, drop

    def see(self, head: Head, at: int, weights: dict[int, float]) -> None:
        looks = head.noted.setdefault("looks", {})
        looks[at] = weights
        if len(looks) > self.history:
            del looks[min(looks)]

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        found = []
        for head in heads:
            scores = {}
            for one in head.keys:
                below = sum(weights.get(one, 1.0) < 1 / len(weights) for weights in head.noted["looks"].values())
                scores[one] = math.inf if one >= step.seen - self.recent else -below
            room = min(step.room, len(head.keys))
            at_once = 0 if step.is_prompt else math.floor(room * self.drop)
            left = set(ranked(scores)[: room - at_once])
            found.append({one: score if one in left else -math.inf for one, score in scores.items()})
        return found
