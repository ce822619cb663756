"""From a question and a request to hits: eligible memories, ranking, folding of facts into their sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemos.arguments import Request
from mnemos.embed.protocol import Embedder
from mnemos.passages import Index, Indexed
from mnemos.recall import across
from mnemos.recall.cores import one_core
from mnemos.recall.engine import Ranking
from mnemos.recall.enough import enough
from mnemos.recall.folding import Kept, fold
from mnemos.recall.live import Snapshots, View, build_view, sorted_rows
from mnemos.recall.look import Asked, Look, select
from mnemos.records import LEAVES, LEVELS, Hit, Page
from mnemos.store.candidates import Candidate
from mnemos.store.conditions import Selection
from mnemos.store.reading import UnitRow
from mnemos.store.sqlite import SqliteStore


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
        with one_core(), self._store.db.read():
            look = self._look(asked, request)
            ranking = None if look is None else look.best(request.kinds, needed)
            if ranking is None:
                return Page(offset=offset)
            kept = list(islice(self._kept(ranking, request.kinds), offset, needed))
            hits = self._hits(ranking, kept, request.known_at)
        return Page(hits, total=ranking.total, offset=offset)

    def gather(self, asked: Asked, request: Request, limit: int, least: float = 0.0) -> list[Candidate]:
        """What a context is composed from: the best memories, in order of how much comes together at each.

        Nothing where the best scores below `least`. Where no kinds are asked for and levels were derived, episodes and
        themes that answer lend their members weight, and a question about somebody in general brings a profile.
        """
        with one_core(), self._store.db.read():
            look = self._look(asked, request)
            ranking = None if look is None else look.best(request.kinds, limit)
            if look is None or ranking is None:
                return []
            kept = [place for place, _ in islice(self._kept(ranking, request.kinds), limit)]
            found, units = self._candidates(ranking.taken(np.array(kept, np.int64)), request.known_at)
            reads = request.kinds == LEAVES and request.known_at is None and not look.view.verbatim
            first = self._profile(look, across.about_whom(asked.text)) if reads else []
            if not found:
                return []
            known = found[0].score >= enough(asked.text, found[0].text, len(look.view.snapshot.memories), least)
            if not known and not first:
                return []
            levels = self._levels(look) if reads else []
            nums, scores = [one.num for one in found], [one.score for one in found]
            order = across.across(nums, scores, look.view.snapshot.vectors[units], levels)
        rest = [found[place]._replace(score=score) for place, score in order]
        return [one._replace(score=max(one.score, rest[0].score)) for one in first] + rest

    def keep_up(self) -> None:
        """Read what was written since, where somebody searched last, so that the next search there need not."""
        with self._store.db.read():
            self._snapshots.keep_up()

    def judge(self, asked: Asked, request: Request) -> Ranking | None:
        """Every memory of the scope, best first, before what is current is raised; None where there is none."""
        with one_core(), self._store.db.read():
            look = self._look(asked, request)
            return None if look is None else look.all()

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

    def _look(self, asked: Asked, request: Request) -> Look | None:
        selection = select(self._store, request)
        if not selection.namespaces:
            return None
        return Look(self._store, self._view(selection), asked, request, self._serving())

    def _profile(self, look: Look, whom: str | None) -> list[Candidate]:
        """The one profile, if any, that is about whom a question is about."""
        ranking = look.best(("profile",), across.MANY) if whom else None
        if whom is None or ranking is None:
            return []
        profiles, _ = self._candidates(ranking.first(across.MANY))
        return [one for one in profiles if whom == "me" or whom.casefold() in one.text.casefold()][:1]

    def _levels(self, look: Look) -> list[across.Level]:
        """The episodes and themes that answer."""
        ranking = look.likeliest(across.COARSE, across.MANY)
        if ranking is None:
            return []
        nums, members = ranking.nums.tolist(), self._store.members(ranking.nums.tolist())
        kinds = look.view.kinds_at(ranking.units)
        scores = ranking.scores.tolist()
        return [across.Level(*one, members.get(one[0], ())) for one in zip(nums, kinds, scores, strict=True)]

    def _kept(self, ranking: Ranking, kinds: tuple[str, ...]) -> Iterator[Kept]:
        """Places in the ranking to return, each with the memories folded into it; levels do not fold."""
        nums = ranking.nums.tolist()
        derived = [] if set(kinds) & set(LEVELS) else [num for num in nums if num < 0]
        sources = self._store.members(derived) if derived else {}
        return fold(nums, _logits(ranking.scores).tolist(), sources)

    def _candidates(self, ranking: Ranking, known_at: int | None = None) -> tuple[list[Candidate], list[int]]:
        """What a ranking holds, as far as it was there then, and the unit that each was found by."""
        nums = ranking.nums.tolist()
        there = self._store.candidates(nums, known_at)
        found, units = [], []
        rows = zip(nums, ranking.scores.tolist(), ranking.spans.tolist(), ranking.units.tolist(), strict=True)
        for num, score, span, unit in rows:
            if (one := there.get(num)) is not None:
                found.append(one._replace(score=score, passage=_passage(span, one.text)))
                units.append(unit)
        return found, units

    def _hits(self, ranking: Ranking, kept: Sequence[Kept], known_at: int | None) -> list[Hit]:
        shown = ranking.taken(np.array([place for place, _ in kept], np.int64))
        nums = shown.nums.tolist()
        memories = self._store.fetch([*nums, *(num for _, also in kept for num in also)], known_at)
        rows = zip(nums, shown.scores.tolist(), shown.spans.tolist(), shown.reasons(), kept, strict=True)
        hits = []
        for num, score, span, why, (_, also) in rows:
            if (memory := memories.get(num)) is not None:
                others = tuple(memories[one].id for one in also if one in memories)
                hits.append(Hit(memory, score, why, others, _passage(span, memory.text)))
        return hits


def _passage(span: list[int], text: str) -> tuple[int, int] | None:
    """Where in a long text the best passage stands; None where that is the whole of it."""
    start, end = span
    return None if start == 0 and end >= len(text) else (start, end)


def _logits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(scores, 1e-9, 1 - 1e-9)
    return np.log(bounded / (1 - bounded))


def _columns(unit: Indexed) -> dict[str, Any]:
    return {name: value for name, value in unit._asdict().items() if name != "embedder"}
