"""Subtask pruning by hand."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from plain import Head, Plain, Step


class PlainSubtaskPruning(Plain):
    prunes = True

    def __init__(self, opens: Collection[int], closes: Collection[int], pending: int) -> None:
        self.opens, self.closes, self.pending = opens, closes, pending

    def scores(self, heads: list[Head], step: Step) -> list[dict[int, float]]:
        found = []
        for head in heads:
            gone = self.gone(head.tokens, has_lost_its_beginning=step.window is not None)
            found.append({one: -math.inf if one in gone else float(one) for one in head.keys})
        return found

    def gone(self, tokens: Mapping[int, int], has_lost_its_beginning: bool = False) -> set[int]:
        """Positions of the lists that go, of tokens by position."""
        open_lists: list[int] = []
        closed: list[tuple[int, int]] = []
        for position, token in tokens.items():
            if token in self.opens:
                open_lists.append(position)
            elif token in self.closes and open_lists:
                closed.append((open_lists.pop(), position))
            elif token in self.closes and has_lost_its_beginning:
                closed.append((min(tokens), position))
        going = closed[: max(0, len(closed) - self.pending)]
        return {one for start, end in going for one in range(start, end + 1)}
