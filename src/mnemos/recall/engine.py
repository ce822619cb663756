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

    def reasons(self) -> list[dict[str, float]]:
        """What each signal contributed to each hit, in logits; the values add up to the logit of its score."""
        names = list(self.contributions)
        rows = np.stack(list(self.contributions.values()), axis=1).tolist() if names else []
        return [dict(zip(names, row, strict=True)) for row in rows]

    @cached_property
    def contributions(self) -> dict[str, NDArray[np.float64]]:
        """What each signal contributed, by signal, one value per hit."""
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


@dataclass(frozen=True)
class Scored:
    """Every memory of a snapshot, scored for one question: rankings of any of them are drawn from it."""

    snapshot: Snapshot
    terms: fusion.Terms
    order: NDArray[np.float32]
    """The logit of each unit."""
    best: NDArray[np.int64]
    """The best unit of each memory."""

    def ranked(self, eligible: NDArray[np.bool_] | None = None, limit: int | None = None) -> Ranking:
        """The best `limit` of the eligible memories."""
        snapshot, columns = self.snapshot, self.snapshot.columns
        places = _top(self.order[self.best], eligible, limit)
        units = self.best[places]
        return Ranking(
            nums=snapshot.memories[places],
            scores=fusion.probability(self.order[units]),
            part=columns.part[units],
            spans=np.stack([columns.start[units], columns.end[units]], axis=1),
            total=len(snapshot) if eligible is None else int(np.count_nonzero(eligible)),
            units=units,
            terms=self.terms,
        )


def score(
    snapshot: Snapshot,
    query: Query,
    *,
    weights: fusion.Weights | None = None,
    factors: Mapping[str, float] | None = None,
) -> Scored:
    """Score every memory of a snapshot that holds some; `factors` is what use has taught about the signals
    (`recall.taught`)."""
    signals = fusion.weigh(measure(snapshot, query), snapshot.machine, weights or fusion.bundled())
    terms = taught.applied(signals, factors or {})
    order = fusion.total(terms)
    return Scored(snapshot, terms, order, best_units(snapshot, order))


def rank(
    snapshot: Snapshot,
    query: Query,
    *,
    eligible: NDArray[np.bool_] | None = None,
    limit: int | None = None,
    weights: fusion.Weights | None = None,
    factors: Mapping[str, float] | None = None,
) -> Ranking:
    """The best `limit` of the eligible memories; the others still lend context to their neighbours."""
    none = np.empty(0, np.int64)
    if not len(snapshot):
        return Ranking(none, np.empty(0), none.astype(np.int32), none.reshape(0, 2), 0, none, {})
    return score(snapshot, query, weights=weights, factors=factors).ranked(eligible, limit)


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
