"""A derived memory and its sources never both appear: one of them stands for the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

CLEARLY = 4.0
"""Logits by which a derived memory must be better than its source to be shown in its place."""


class Kept(NamedTuple):
    """A place in a ranking that is returned, and the numbers of the memories that it stands for too."""

    place: int
    also: Sequence[int] = ()


def fold(nums: Sequence[int], logits: Sequence[float], sources: Mapping[int, Collection[int]]) -> Iterator[Kept]:
    """The places to return, in order. The source stays, where it ranks, unless what was derived from it is clearly
    better.

    `sources` gives the sources of each derived memory.
    """
    near = _near(nums, sources)
    yields: set[int] = set()
    given: dict[int, list[int]] = defaultdict(list)
    for place in sorted(near):
        first = min(near[place])
        if nums[place] < 0 and first > place and logits[place] - logits[first] <= CLEARLY:
            yields.add(place)
            given[first].append(nums[place])
    owner: dict[int, int] = {}
    for place in sorted(near):
        if place in owner:
            given[owner[place]].append(nums[place])
        elif place not in yields:
            for other in near[place]:
                if other not in yields:
                    owner.setdefault(other, place)
    gone = yields | owner.keys()
    return (Kept(place, given.get(place, ())) for place in range(len(nums)) if place not in gone)


def _near(nums: Sequence[int], sources: Mapping[int, Collection[int]]) -> dict[int, list[int]]:
    """For each place of a derived memory those of its sources, and for these the places of what was derived."""
    place_of = {num: place for place, num in enumerate(nums)}
    near: dict[int, list[int]] = defaultdict(list)
    for num, found in sources.items():
        for other in found:
            if other in place_of:
                near[place_of[num]].append(place_of[other])
                near[place_of[other]].append(place_of[num])
    return near
