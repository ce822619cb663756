"""Reading across levels: episodes and themes that answer bring their members, and likely memories bring what is alike.

Links run from a level to its members and between memories that say similar things. Activation spreads along them
(`recall.spreading`), and how much each level counts is decided for each question (`recall.router`). Order within a
session is no link here: search has compared every memory with its neighbours' words already, and a second time made
contexts worse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.router import route
from mnemos.recall.spreading import Links, alike, spread

COARSE = ("episode", "theme")
"""The levels that lend their members weight."""
MANY = 20
"""Levels that are read for one question."""
SEEDS = 20
"""How many of the best memories pass activation on to what is alike."""
NEAREST, LEAST = 20, 0.35
"""A memory's links: to so many others, of at least this cosine."""
ALIKE, MEMBERS = 0.15, 0.5
"""The part of their activation that memories pass on to what is alike, and levels to their members."""


_general = re.compile(
    r"\W*(?i:who (?:is|am|was)|tell me (?:\w+ )?about|describe|what do you know about|what (?:kind|sort) of person"
    r" (?:is|am))\s((?i:me|i)\b|[A-Z]\w+(?: [A-Z]\w+)?)\W*$"
)


def about_whom(query: str) -> str | None:
    """Whom a question is about in general, so that a profile answers it: a name, or "me"; None for other questions."""
    found = _general.match(query)
    return None if found is None else "me" if found[1].lower() in {"me", "i"} else found[1]


class Level(NamedTuple):
    """An episode or a theme that answers: its number, kind and score, and the numbers of its members."""

    num: int
    kind: str
    score: float
    members: Sequence[int]


def across(
    nums: Sequence[int], scores: Sequence[float], vectors: NDArray[np.float32], levels: Sequence[Level] = ()
) -> list[tuple[int, float]]:
    """Places of memories in order of how much comes together at each, with their scores; `vectors` are theirs, of unit
    length.

    A score stays a probability of being relevant; it only rises.
    """
    held = np.array(scores)
    seeds = np.where(np.arange(len(held)) < SEEDS, held, 0.0)
    links = alike(vectors, nearest=NEAREST, least=LEAST, first=SEEDS)
    found = held + spread(seeds, links, decay=ALIKE) - seeds
    found += _from_levels(nums, scores, levels)
    order = np.argsort(-found, kind="stable")
    return list(zip(order.tolist(), np.minimum(1.0, found[order]).tolist(), strict=True))


def _from_levels(nums: Sequence[int], scores: Sequence[float], levels: Sequence[Level]) -> NDArray[np.float64]:
    """What the members of each level get from it, by place; themes give to their episodes first."""
    nodes = {num: place for place, num in enumerate([*nums, *(level.num for level in levels)])}
    grains: dict[str, list[float]] = {"leaf": list(scores)}
    for level in levels:
        grains.setdefault(level.kind, []).append(level.score)
    weight = route({kind: found[:MANY] for kind, found in grains.items()})
    seeds = np.array([*np.zeros(len(nums)), *(level.score * weight[level.kind] for level in levels), 0.0])
    # members that are no candidates take their share too: a level of many members gives little to each
    pairs = [(nodes[level.num], nodes.get(member, len(nodes))) for level in levels for member in level.members]
    return spread(seeds, Links.of(pairs), decay=MEMBERS, hops=2)[: len(nums)]
