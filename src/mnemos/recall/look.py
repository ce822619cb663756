"""One question put to one scope: which memories may answer, how each scores, and which of them is current."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.arguments import Request
from mnemos.embed.protocol import Embedder
from mnemos.recall import currency
from mnemos.recall.engine import Ranking, Scored, score
from mnemos.recall.live import View
from mnemos.recall.query import Query, read_query
from mnemos.recall.tense import Tense, tense
from mnemos.store.conditions import Selection
from mnemos.store.sqlite import SqliteStore
from mnemos.times import to_micros

FOLDED = 4
"""How many ranked memories are looked at for each hit where some may fold into others."""


class Asked(NamedTuple):
    """A question, and when it is asked."""

    text: str
    now: datetime


def select(store: SqliteStore, request: Request) -> Selection:
    """The selection over numbered namespaces that a request means."""
    return Selection(
        namespaces=store.namespaces_of(request.scope),
        agent_id=request.scope.agent_id,
        kinds=request.kinds,
        sessions=request.sessions,
        since=request.since,
        until=request.until,
        as_of=request.as_of,
        known_at=request.known_at,
        min_trust=request.min_trust,
        filters=request.filters,
    )


class Look:
    """One question put to one scope: every memory is scored once, whatever kinds are then asked for."""

    def __init__(self, store: SqliteStore, view: View, asked: Asked, request: Request, embedder: Embedder) -> None:
        self.view = view
        self._store = store
        self._asked = asked
        self._request = request
        self._embedder = embedder

    def best(self, kinds: tuple[str, ...], needed: int) -> Ranking | None:
        """The best memories of some kinds, current ones above what they replaced; None where there is none.

        More than are needed where some may fold into others.
        """
        looked_at = needed if self.view.verbatim else needed * FOLDED
        ranking = self.likeliest(kinds, max(looked_at, currency.LOOK))
        return None if ranking is None else self._current(ranking).first(looked_at)

    def likeliest(self, kinds: tuple[str, ...], needed: int) -> Ranking | None:
        """Like `best`, for kinds of which none replaces another."""
        eligible = self._eligible(kinds)
        return self._scored.ranked(eligible, needed) if eligible.any() else None

    def all(self) -> Ranking | None:
        """Every memory that is asked for, best first, before what is current is raised; None where there is none."""
        eligible = self._eligible(self._request.kinds)
        return self._scored.ranked(eligible) if eligible.any() else None

    def _eligible(self, kinds: tuple[str, ...]) -> NDArray[np.bool_]:
        view, now = self.view, to_micros(self._asked.now)
        if not self._request.is_plain:
            return view.among(self._store.select(select(self._store, replace(self._request, kinds=kinds)), now))
        lapsed = view.lapsed(now)
        return view.eligible(kinds, now, self._store.unexpired(lapsed, now) if lapsed else ())

    @cached_property
    def _query(self) -> Query:
        return read_query(self._asked.text, now=self._asked.now, snapshot=self.view.snapshot, embedder=self._embedder)

    @cached_property
    def _scored(self) -> Scored:
        factors = self._store.factors(self._request.scope.namespace)
        return score(self.view.snapshot, self._query, factors=factors)

    def _current(self, ranking: Ranking) -> Ranking:
        """The ranking with what is current above what it replaced."""
        query = self._query
        asked = tense(query.text)
        if asked is Tense.THEN:
            return ranking
        few = ranking.first(currency.LOOK)
        weights, met = currency.meeting(self.view.snapshot, query, few.units)
        nums = few.nums.tolist()
        replaced = self._store.superseded_among(nums) if min(nums) < 0 else []
        read = currency.to_read(asked, met)
        if not replaced and len(read) < 2:
            return ranking
        said = self._store.said([nums[place] for place in read], self._request.known_at)
        logits, units = few.logits.tolist(), few.units.tolist()
        best = [
            currency.Candidate(said.get(num), unit, logit, share)
            for num, unit, logit, share in zip(nums, units, logits, met, strict=True)
        ]
        pairs = [(nums.index(newer), nums.index(older)) for newer, older in replaced]
        return ranking.lifted(currency.lifts(currency.Question(query.text, asked, weights), best, pairs))
