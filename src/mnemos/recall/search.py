"""From a question and a request to hits: eligible memories, ranking, folding of facts into their sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.arguments import Request
from mnemos.embed.protocol import Embedder
from mnemos.passages import Index, Indexed
from mnemos.recall import across, currency
from mnemos.recall.cores import one_core
from mnemos.recall.engine import Ranking, rank
from mnemos.recall.live import Snapshots, View, build_view, sorted_rows
from mnemos.recall.query import Query, read_query
from mnemos.recall.snapshot import Snapshot
from mnemos.recall.tense import Tense, tense
from mnemos.records import LEAVES, LEVELS, Hit, Memory, Page
from mnemos.store.conditions import Selection
from mnemos.store.reading import UnitRow
from mnemos.store.sqlite import SqliteStore
from mnemos.times import to_micros

FOLDED = 4
"""How many ranked memories are looked at for each hit where some may fold into others."""


CLEARLY = 4.0
"""Logits by which a derived memory must be better than its source to be shown in its place."""


class Asked(NamedTuple):
    """A question, and when it is asked."""

    text: str
    now: datetime


class Searcher:
    """Searches one store."""

    def __init__(self, store: SqliteStore, index: Index, serving: Callable[[], Embedder]) -> None:
        self._store = store
        self._index = index
        self._serving = serving
        self._snapshots = Snapshots(store)

    def search(self, asked: Asked, request: Request, limit: int, offset: int) -> Page[Hit]:
        """The best memories for a question, best first, and how many there are in all."""
        needed = offset + limit
        with one_core():
            ranking = self._ranked(asked, request, needed)
        if ranking is None:
            return Page(offset=offset)
        chosen = self._fold(ranking, request)[offset:needed]
        hits = [hit for _, hit in self._hits(ranking, chosen, request)]
        return Page(hits, total=ranking.total, offset=offset)

    def gather(self, asked: Asked, request: Request, limit: int, least: float = 0.0) -> list[Hit]:
        """What a context is composed from: the best memories, in order of how much comes together at each.

        None where the best scores below `least`. Where no kinds are asked for and levels were derived, episodes and
        themes that answer lend their members weight, and a question about somebody in general brings a profile.
        """
        with one_core():
            ranking = self._ranked(asked, request, limit)
        found = [] if ranking is None else self._hits(ranking, self._fold(ranking, request)[:limit], request)
        if ranking is None or ranking.vectors is None or not found:
            return []
        reads = request.kinds == LEAVES and request.known_at is None and self._has_derived(request)
        whom = across.about_whom(asked.text) if reads else None
        first = across.fitting(self._levels(asked, request, ("profile",)) if whom else (), whom)
        if found[0][1].score < least and not first:
            return []
        coarse = self._levels(asked, request, across.COARSE) if reads else ()
        vectors = ranking.vectors[ranking.units[[place for place, _ in found]]]
        rest = across.across([hit for _, hit in found], vectors, coarse)
        return [replace(hit, score=max(hit.score, rest[0].score)) for hit in first] + rest

    def _levels(self, asked: Asked, request: Request, kinds: tuple[str, ...]) -> list[Hit]:
        return list(self.search(asked, replace(request, kinds=kinds), across.MANY, 0))

    def _has_derived(self, request: Request) -> bool:
        with self._store.db.read():
            return not self._view(select(self._store, request)).verbatim

    def judge(self, asked: Asked, request: Request) -> Ranking | None:
        """Every memory of the scope, best first, before what is current is raised; None where there is none."""
        with one_core():
            return self._ranked(asked, request, None)

    def _ranked(self, asked: Asked, request: Request, needed: int | None) -> Ranking | None:
        now = to_micros(asked.now)
        selection = select(self._store, request)
        if not selection.namespaces:
            return None
        with self._store.db.read():
            view, embedder = self._view(selection), self._serving()
            factors = self._store.factors(request.scope.namespace)
            if request.is_plain:
                unexpired = self._store.unexpired(view.lapsed(now), now) if view.lapsed(now) else ()
                eligible = view.eligible(request.kinds, now, unexpired)
            else:
                eligible = view.among(self._store.select(selection, now))
        if not eligible.any():
            return None
        query = read_query(asked.text, now=asked.now, snapshot=view.snapshot, embedder=embedder)
        if needed is None:
            return rank(view.snapshot, query, eligible=eligible, factors=factors)
        looked_at = needed if view.verbatim else needed * FOLDED
        ranking = rank(view.snapshot, query, eligible=eligible, limit=max(looked_at, currency.LOOK), factors=factors)
        return self._current(ranking, query, view.snapshot, request).first(looked_at)

    def _view(self, selection: Selection) -> View:
        if selection.known_at is None:
            return self._snapshots.view(selection.namespaces)
        return self._view_then(selection.namespaces, selection.known_at)

    def _view_then(self, namespaces: tuple[int, ...], known_at: int) -> View:
        """A view of the words as they were at a time in the past, made for this one search."""
        changed = dict(self._store.texts_at(namespaces, known_at))
        passages = dict(zip(changed, self._index(list(changed.values())), strict=True))
        rows: list[UnitRow] = []
        for row in sorted_rows(self._store.unit_rows(namespaces, 0), namespaces):
            if row.num not in passages:
                rows.append(row)
            elif row.part == 0:
                rows += [
                    row._replace(part=part, happened_at=changed[row.num].happened_at, **_columns(unit))
                    for part, unit in enumerate(passages[row.num])
                ]
        return build_view(rows, self._store.serving_embedder()[1])

    def _current(self, ranking: Ranking, query: Query, snapshot: Snapshot, request: Request) -> Ranking:
        """The ranking with what is current above what it replaced."""
        asked = tense(query.text)
        if asked is Tense.THEN:
            return ranking
        few = ranking.first(currency.LOOK)
        weights, met = currency.meeting(snapshot, query, few.units)
        nums = few.nums.tolist()
        replaced = self._store.superseded_among(nums) if min(nums) < 0 else []
        read = currency.to_read(asked, met)
        if not replaced and len(read) < 2:
            return ranking
        said = self._store.said([nums[place] for place in read], request.known_at)
        logits, units = few.logits.tolist(), few.units.tolist()
        best = [
            currency.Candidate(said.get(num), unit, logit, share)
            for num, unit, logit, share in zip(nums, units, logits, met, strict=True)
        ]
        pairs = [(nums.index(newer), nums.index(older)) for newer, older in replaced]
        return ranking.lifted(currency.lifts(currency.Question(query.text, asked, weights), best, pairs))

    def _fold(self, ranking: Ranking, request: Request) -> list[tuple[int, list[int]]]:
        """Places in the ranking to return, each with the memories folded into it: a derived memory and its sources
        never both appear. The source stays, where it ranks, unless what was derived from it is clearly better."""
        nums = ranking.nums.tolist()
        sources = self._store.sources_among(nums) if min(nums, default=0) < 0 else {}
        if not sources or set(request.kinds) & set(LEVELS):
            return [(place, []) for place in range(len(nums))]
        place_of = {num: place for place, num in enumerate(nums)}
        logits = _logits(ranking.scores)
        yields: dict[int, int] = {}
        for place, num in enumerate(nums):
            first = min((place_of[other] for other in sources.get(num, ())), default=place)
            if num < 0 and first > place and logits[place] - logits[first] <= CLEARLY:
                yields[num] = nums[first]
        kept: list[tuple[int, list[int]]] = []
        owner: dict[int, int] = {}
        for place, num in enumerate(nums):
            if num in yields:
                continue
            if num in owner:
                kept[owner[num]][1].append(num)
                continue
            for other in sources.get(num, ()):
                if other not in yields:
                    owner.setdefault(other, len(kept))
            kept.append((place, [other for other, into in yields.items() if into == num]))
        return kept

    def _hits(
        self, ranking: Ranking, chosen: Sequence[tuple[int, list[int]]], request: Request
    ) -> list[tuple[int, Hit]]:
        """Places in the ranking and what stands there."""
        wanted = [int(ranking.nums[place]) for place, _ in chosen] + [num for _, also in chosen for num in also]
        memories = self._store.fetch(wanted, request.known_at)
        hits = []
        for place, also in chosen:
            memory = memories.get(int(ranking.nums[place]))
            if memory is not None:
                others = tuple(memories[num].id for num in also if num in memories)
                hits.append((place, _hit(ranking, place, memory, others)))
        return hits


def _logits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(scores, 1e-9, 1 - 1e-9)
    return np.log(bounded / (1 - bounded))


def _columns(unit: Indexed) -> dict[str, Any]:
    return {name: value for name, value in unit._asdict().items() if name != "embedder"}


def _hit(ranking: Ranking, place: int, memory: Memory, also: tuple[str, ...]) -> Hit:
    why = {name: float(values[place]) for name, values in ranking.contributions.items()}
    start, end = map(int, ranking.spans[place])
    whole = start == 0 and end >= len(memory.text)
    return Hit(memory, float(ranking.scores[place]), why, also, None if whole else (start, end))


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
        filters=request.filters,
    )
