"""LazyEviction by hand."""

from __future__ import annotations

import math
from itertools import pairwise

from plain import Head, Plain, Step


class PlainLazyEviction(Plain):
    """Keeps all steps at which a token was looked at, and finds the longest pause when it is asked."""

    def __init__(self, window: int, threshold: float) -> None:
        self.window, self.threshold = window, threshold

    def begin(self, head: Head) -> None:
        head.noted["new"] = []

    def see(self, head: Head, at: int, weights: dict[int, float]) -> None:
        head.noted["new"].append((at, weights))

    def end(self, head: Head) -> None:
        for at, weights in head.noted["new"][-self.window :]:
            for one, weight in weights.items():
                if weight > self.threshold:
                    head.noted.setdefault(one, []).append(at)

    def is_due(self, step: Step) -> bool:
        return step.is_prompt or step.seen % self.window == 0

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        return [self._head(head, step) for head in heads]

    def _head(self, head: Head, step: Step) -> dict[int, float]:
        room = min(step.room, len(head.keys))
        latest = self.window if room > self.window else math.ceil(room / 2)
        scores = {}
        for one in head.keys:
            looks = [one, *head.noted.get(one, [])]
            pause = max([1, *(later - sooner for sooner, later in pairwise(looks))])
            idle = step.seen - 1 - looks[-1]
            likely = 2 / (1 + math.exp(idle / pause))
            steady = 2 / (1 + math.exp(1 / pause))
            scores[one] = math.inf if one >= step.seen - latest else likely * steady
        return scores
