"""SnapKV by hand."""

from __future__ import annotations

import math

from plain import Head, Plain, Step


class PlainSnapKV(Plain):
    def __init__(self, window: int, pool: int) -> None:
        self.window, self.pool = window, pool

    def begin(self, head: Head) -> None:
        head.noted["looks"] = {}

    def see(self, head: Head, at: int, weights: dict[int, float]) -> None:
        head.noted["looks"][at] = weights

    def is_due(self, step: Step) -> bool:
        return step.is_prompt

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        return [self._head(head, step) for head in heads]

    def _head(self, head: Head, step: Step) -> dict[int, float]:
        held = sorted(head.keys)
        room = min(step.room, len(held))
        latest = self.window if room > self.window else math.ceil(room / 2)
        before = [one for one in held if one < step.seen - latest]
        looks = head.noted["looks"]
        votes = {}
        for one in before:
            votes[one] = sum(looks[query].get(one, 0.0) for query in sorted(looks)[-self.window :])
        scores = {}
        for index, one in enumerate(before):
            reach = range(index - self.pool // 2, index + self.pool // 2 + 1)
            scores[one] = sum(votes[before[near]] for near in reach if 0 <= near < len(before)) / self.pool
        return scores | {one: math.inf for one in held if one not in scores}
