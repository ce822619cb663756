"""Ranking: every signal of every memory, summed, best first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mnemos.recall import fusion, taught
from mnemos.recall.query import Query
from mnemos.recall.signals import measure
from mnemos.recall.snapshot import Snapshot


@dataclass(frozen=True)
class Ranking:
    """Memories, best first."""

    nums: NDArray[np.int64]
    scores: NDArray[np.float64]
    """Calibrated probabilities."""
    part: NDArray[np.int32]
    """The number of each memory's best passage."""
    spans: NDArray[np.int64]
    """Where that passage begins and ends in the memory's text."""
    total: int
    """How many memories were eligible."""
    units: NDArray[np.int64]
    terms: fusion.Terms
    raised: NDArray[np.float64] | None = None
    """By how many logits each was raised because it is current, where any was."""
    vectors: NDArray[np.float32] | None = None
    """One of unit length for every unit, as `terms` has values."""

    def why(self, place: int) -> dict[str, float]:
        """What each signal contributed to one hit, in logits; the values add up to the logit of its score."""
        return {name: float(values[place]) for name, values in self.contributions.items()}

    @cached_property
    def contributions(self) -> dict[str, NDArray[np.float64]]:
        """The same for all hits, by signal."""
        found = {name: values[self.units].astype(np.float64) for name, values in self.terms.items()}
        return found if self.raised is None else {**found, "currency": self.raised}

    @cached_property
    def logits(self) -> NDArray[np.float64]:
        """What each score is the probability of."""
        summed: NDArray[np.float64] = np.sum(list(self.contributions.values()), axis=0)
        return summed

    def lifted(self, raised: NDArray[np.float64]) -> Ranking:
        """With the first few raised by so many logits, and put in order again."""
        if not raised.any():
            return self
        whole = np.zeros(len(self.nums))
        whole[: len(raised)] = raised
        logits = self.logits + whole
        order = np.argsort(-logits, kind="stable")
        return replace(self.taken(order), scores=fusion.probability(logits[order]), raised=whole[order])

    def first(self, count: int) -> Ranking:
        """Only the best few."""
        return self if count >= len(self.nums) else self.taken(np.arange(count))

    def taken(self, places: NDArray[np.int64]) -> Ranking:
        """Only these places, in this order."""
        raised = None if self.raised is None else self.raised[places]
        nums, scores, part = self.nums[places], self.scores[places], self.part[places]
        spans, units = self.spans[places], self.units[places]
        return replace(self, nums=nums, scores=scores, part=part, spans=spans, units=units, raised=raised)


def threshold() -> float:
    """A best score below this says that nothing is known about the matter."""
    return fusion.bundled().threshold


def rank(
    snapshot: Snapshot,
    query: Query,
    *,
    eligible: NDArray[np.bool_] | None = None,
    limit: int | None = None,
    weights: fusion.Weights | None = None,
    factors: Mapping[str, float] | None = None,
) -> Ranking:
    """The best `limit` of the eligible memories; the others still lend context to their neighbours.

    `factors` is what use has taught about the signals (`recall.taught`).
    """
    weights = weights or fusion.bundled()
    none = np.empty(0, np.int64)
    if not len(snapshot):
        return Ranking(none, np.empty(0), none.astype(np.int32), none.reshape(0, 2), 0, none, {})
    terms = taught.applied(fusion.weigh(measure(snapshot, query), snapshot.machine, weights), factors or {})
    order = fusion.total(terms)
    best = best_units(snapshot, order)
    places = _top(order[best], eligible, limit)
    units = best[places]
    columns = snapshot.columns
    return Ranking(
        nums=snapshot.memories[places],
        scores=fusion.probability(order[units]),
        part=columns.part[units],
        spans=np.stack([columns.start[units], columns.end[units]], axis=1),
        total=len(snapshot) if eligible is None else int(np.count_nonzero(eligible)),
        units=units,
        terms=terms,
        vectors=snapshot.vectors,
    )


def best_units(snapshot: Snapshot, order: NDArray[np.float32]) -> NDArray[np.int64]:
    """The unit of each memory that scores best, the first of equals."""
    if snapshot.simple:
        return snapshot.firsts
    best = np.maximum.reduceat(order, snapshot.firsts)
    counts = np.diff(snapshot.firsts, append=len(order))
    hits = np.flatnonzero(order == np.repeat(best, counts))
    owners = np.searchsorted(snapshot.firsts, hits, side="right") - 1
    return hits[np.unique(owners, return_index=True)[1]]


def _top(order: NDArray[np.float32], eligible: NDArray[np.bool_] | None, limit: int | None) -> NDArray[np.int64]:
    """The places of the best, best first; of equals the earlier in reading order first."""
    places = np.arange(len(order)) if eligible is None else np.flatnonzero(eligible)
    values = order[places]
    if limit is not None and 0 < limit < len(places):
        least = np.partition(values, len(values) - limit)[len(values) - limit]
        kept = values >= least
        places, values = places[kept], values[kept]
    places = places[np.argsort(-values, kind="stable")]
    return places if limit is None else places[:limit]
