"""Episodes that have ended, gathered into the themes of their namespace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mnemos.levels import cluster, themes
from mnemos.levels.cluster import Matrix, Theme
from mnemos.levels.vectors import topics
from mnemos.records import Memory
from mnemos.stages import Batch
from mnemos.store import levels
from mnemos.store.deriving import Derivation
from mnemos.times import to_micros


@dataclass(eq=False)
class _Open:
    """An open theme, or a loose episode, while others are gathered; `num` is None for what is not stored as a theme."""

    num: int | None
    members: list[int]
    vectors: Matrix
    last: int
    changed: bool = False

    def add(self, nums: Sequence[int], vectors: Matrix, last: int) -> None:
        """Take episodes in, after those that it has."""
        self.members += nums
        self.vectors = np.concatenate([self.vectors, vectors])[-cluster.LATEST :]
        self.last, self.changed = max(self.last, last), True


class Gatherer:
    """The open themes of one namespace, in one batch."""

    def __init__(self, batch: Batch, namespace: int) -> None:
        self._batch = batch
        self._namespace = namespace
        stored = levels.open_levels(batch.connection, namespace, levels.THEME)
        loose = levels.open_levels(batch.connection, namespace, levels.EPISODE, levels.LOOSE)
        self._open = [self._read(num) for num in stored] + [self._loose(num) for num in loose]

    def gather(self, episodes: Iterable[int]) -> None:
        """Give each episode a theme, in reading order, and write the themes that have changed."""
        for num in sorted(episodes, key=lambda num: levels.last_place(self._batch.connection, num)):
            episode = self._batch.fetch(num)
            if episode is not None and levels.level_of(self._batch.connection, num, levels.THEME) is None:
                self._place(num, topics([episode.memory.text]))
        self._write()

    def _read(self, num: int) -> _Open:
        members = levels.members(self._batch.connection, num)
        texts = [episode.text for episode in self._memories(members[-cluster.LATEST :])]
        return _Open(num, members, topics(texts), levels.last_place(self._batch.connection, num))

    def _loose(self, num: int) -> _Open:
        texts = [episode.text for episode in self._memories([num])]
        return _Open(None, [num], topics(texts), levels.last_place(self._batch.connection, num))

    def _place(self, num: int, vector: Matrix) -> None:
        last = levels.last_place(self._batch.connection, num)
        found = cluster.nearest(vector[0], self._themes())
        if found is None:
            self._open.append(_Open(None, [num], vector, last, changed=True))
        else:
            self._open[found].add([num], vector, last)
            if len(self._open[found].members) >= cluster.FULL:
                self._close(found)
        while (crowd := cluster.crowded(self._themes())) is not None:
            self._make_room(*crowd)

    def _themes(self) -> list[Theme]:
        return [
            Theme(place, cluster.centre(theme.vectors), len(theme.members), theme.last)
            for place, theme in enumerate(self._open)
        ]

    def _make_room(self, first: int, second: int | None) -> None:
        if second is None:
            self._close(first)
            return
        kept, gone = self._open[first], self._open.pop(second)
        kept.members = [*gone.members, *kept.members]
        kept.add([], gone.vectors[:0], gone.last)
        if gone.num is not None:
            self._batch.erase([gone.num])

    def _close(self, place: int) -> None:
        """Write a theme a last time, and open it no more; or give up waiting for others like an episode."""
        theme = self._open.pop(place)
        self._store(theme)
        levels.close(self._batch.connection, theme.members[0] if theme.num is None else theme.num)

    def _write(self) -> None:
        for theme in self._open:
            self._store(theme)

    def _store(self, theme: _Open) -> None:
        """Write what has changed; a single episode is no theme yet."""
        if not theme.changed:
            return
        theme.changed = False
        if theme.num is None and len(theme.members) == 1:
            levels.loosen(self._batch.connection, theme.members[0])
            return
        for num in theme.members:
            levels.close(self._batch.connection, num)
        theme.num = self._derive(theme)

    def _derive(self, theme: _Open) -> int | None:
        connection = self._batch.connection
        found = self._memories(theme.members)
        text = themes.told(found)
        if text is None:
            return theme.num
        latest = max((to_micros(one.happened_at) for one in found if one.happened_at is not None), default=None)
        topic = found[0].id if theme.num is None else levels.topic_of(connection, theme.num)
        num = self._batch.derive(
            Derivation(
                namespace=found[0].namespace,
                kind="theme",
                text=text,
                recipe="theme",
                topic=topic,
                sources=tuple(one.id for one in found),
                happened_at=latest,
                named=True,
            )
        )
        levels.note(connection, num, self._namespace, levels.THEME, levels.ALL_THEMES, is_open=True)
        return num

    def _memories(self, nums: Iterable[int]) -> list[Memory]:
        found = (self._batch.fetch(num) for num in nums)
        return [stored.memory for stored in found if stored is not None]
