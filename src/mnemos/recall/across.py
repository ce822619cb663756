"""Reading across levels: episodes and themes that answer bring their members, and likely memories bring what is alike.

Links run from a level to its members and between memories that say similar things. Activation spreads along them
(`recall.spreading`), and how much each level counts is decided for each question (`recall.router`). Order within a
session is no link here: search has compared every memory with its neighbours' words already, and a second time made
contexts worse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.router import route
from mnemos.recall.spreading import Link, alike, spread
from mnemos.records import Hit

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


def fitting(profiles: Sequence[Hit], whom: str | None) -> list[Hit]:
    """The one profile, if any, that is about whom a question is about."""
    if whom is None:
        return []
    return [hit for hit in profiles if whom == "me" or whom.casefold() in hit.memory.text.casefold()][:1]


def across(hits: Sequence[Hit], vectors: NDArray[np.float32], coarse: Sequence[Hit] = ()) -> list[Hit]:
    """The hits in order of how much comes together at each; `vectors` are theirs, of unit length.

    A score stays a probability of being relevant; it only rises.
    """
    if not hits:
        return []
    scores = np.array([hit.score for hit in hits])
    seeds = np.where(np.arange(len(hits)) < SEEDS, scores, 0.0)
    links = alike(vectors, nearest=NEAREST, least=LEAST, first=SEEDS)
    found = scores + spread(seeds, links, decay=ALIKE) - seeds
    found += _from_levels(hits, coarse)
    order = np.argsort(-found, kind="stable")
    return [replace(hits[place], score=min(1.0, float(found[place]))) for place in order]


def _from_levels(hits: Sequence[Hit], coarse: Sequence[Hit]) -> NDArray[np.float64]:
    """What the members of each level get from it, by place among the hits; themes give to their episodes first."""
    nodes = {hit.memory.id: place for place, hit in enumerate([*hits, *coarse])}
    grains = {"leaf": [hit.score for hit in hits]}
    for hit in coarse:
        grains.setdefault(hit.memory.kind, []).append(hit.score)
    weight = route({kind: scores[:MANY] for kind, scores in grains.items()})
    seeds = np.array([*np.zeros(len(hits)), *(hit.score * weight[hit.memory.kind] for hit in coarse)])
    links = [
        # members that are no candidates take their share too: a level of many members gives little to each
        Link(nodes[hit.memory.id], nodes.get(source, len(nodes)))
        for hit in coarse
        for source in hit.memory.sources
    ]
    return spread(np.append(seeds, 0.0), links, decay=MEMBERS, hops=2)[: len(hits)]
