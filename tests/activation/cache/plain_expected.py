"""Expected Attention by hand: a normal distribution over the queries, query by query."""

from __future__ import annotations

import math

import numpy as np
from plain import Head, Plain, Step, Vector


class PlainExpectedAttention(Plain):
    def __init__(self, future: int, sinks: int) -> None:
        self.future, self.sinks = future, sinks
        self.turns: dict[tuple[int, int], Vector] = {}

    def is_due(self, step: Step) -> bool:
        return step.is_prompt

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        return [self._head(head, group, step) for head, group in zip(heads, step.queries, strict=True)]

    def _head(self, head: Head, group: list[dict[int, Vector]], step: Step) -> dict[int, float]:
        late = [one for one in head.keys if one >= self.sinks]
        attention = dict.fromkeys(late, 0.0)
        turn = self._mean_turn(len(next(iter(head.keys.values()))), step)
        for queries in group:
            counted = [one for one in queries if one >= self.sinks] or list(queries)
            standing = [step.turn(queries[one], -one) for one in counted]
            mean = np.sum(standing, axis=0) / len(standing)
            spread = np.sum([np.outer(one - mean, one - mean) for one in standing], axis=0) / len(standing)
            mean, spread = turn @ mean, turn @ spread @ turn.T
            expected = {}
            for one in late:
                key = head.keys[one] * step.scaling
                expected[one] = math.exp(key @ mean + key @ spread @ key / 2)
            for one in late:
                attention[one] += expected[one] / sum(expected.values()) / len(group)
        scores = {one: attention[one] * math.sqrt(sum(head.values[one] ** 2)) for one in late}
        return scores | {one: math.inf for one in head.keys if one not in scores}

    def _mean_turn(self, size: int, step: Step) -> Vector:
        """The matrix that turns to the next places, on average."""
        if (step.seen, step.layer) in self.turns:
            return self.turns[step.seen, step.layer]
        total = np.zeros((size, size))
        for place in range(step.seen, step.seen + self.future):
            for one in range(size):
                total[:, one] += step.turn(np.eye(size)[one], place)
        return self.turns.setdefault((step.seen, step.layer), total / self.future)
