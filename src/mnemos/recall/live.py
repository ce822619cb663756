"""Snapshots kept in step with a store: read once, then only what the log has gained since."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.errors import InvalidInput
from mnemos.recall.snapshot import Row, Snapshot
from mnemos.records import KINDS
from mnemos.store.reading import State, UnitRow
from mnemos.store.sqlite import SqliteStore

MAX_SNAPSHOTS = 64
MAX_UNITS = 250_000
"""Passages held in memory over all snapshots; the least recently searched scopes are dropped first."""

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class View:
    """A scope as recall sees it, and per memory of `snapshot.memories` what decides whether it may be returned."""

    snapshot: Snapshot
    kinds: NDArray[np.uint8]
    """Places in `records.KINDS`."""
    expires: NDArray[np.int64]
    """Microseconds; `NEVER` without a time to live."""

    @cached_property
    def verbatim(self) -> bool:
        """Whether no memory here is derived from another."""
        return not bool((self.snapshot.memories < 0).any())

    def kinds_at(self, units: NDArray[np.int64]) -> list[str]:
        """The kinds of the memories that some units belong to."""
        places = np.searchsorted(self.snapshot.firsts, units, side="right") - 1
        return [KINDS[kind] for kind in self.kinds[places].tolist()]

    def lapsed(self, now: int) -> list[int]:
        """Memories whose time to live had run out by now when this view was made; it may have begun anew since."""
        found: list[int] = self.snapshot.memories[self.expires <= now].tolist()
        return found

    def eligible(self, kinds: Sequence[str], now: int, unexpired: Sequence[int] = ()) -> NDArray[np.bool_]:
        """Which memories are of these kinds and have not expired; `unexpired` are known to live on."""
        wanted = np.zeros(len(KINDS), dtype=bool)
        wanted[[KINDS.index(kind) for kind in kinds]] = True
        alive = self.expires > now
        if unexpired:
            alive |= self.among(unexpired)
        mask: NDArray[np.bool_] = wanted[self.kinds] & alive
        return mask

    def among(self, nums: Sequence[int]) -> NDArray[np.bool_]:
        """Which memories have these numbers."""
        return np.isin(self.snapshot.memories, np.asarray(nums, dtype=np.int64))


class _Kept(NamedTuple):
    token: tuple[int, int]
    state: State
    view: View


class Snapshots:
    """The views of the scopes that were searched lately."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[int, ...], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def view(self, namespaces: tuple[int, ...]) -> View:
        """The view of these namespaces as the store stands now, writes of other processes included.

        The caller reads from the store meanwhile.

        Raises:
            InvalidInput: inside a write, whose rows may never come to be.
        """
        if self._store.db.writing:
            raise InvalidInput("query", "is asked inside a transaction", "ask before it begins, or after its end")
        with self._lock:
            token = (self._store.db.data_version(), self._store.db.writes)
            kept = self._kept.get(namespaces)
            if kept is None or kept.token != token:
                kept = self._refresh(namespaces, kept, token)
                self._kept[namespaces] = kept
                self._drop_surplus()
            self._kept.move_to_end(namespaces)
            return kept.view

    def keep_up(self) -> None:
        """Bring the view that was asked for last in step with the store. The caller reads from it meanwhile."""
        with self._lock:
            latest = next(reversed(self._kept), None)
        if latest is not None:
            self.view(latest)

    def _refresh(self, namespaces: tuple[int, ...], kept: _Kept | None, token: tuple[int, int]) -> _Kept:
        with self._store.db.read():
            state = self._store.state()
            if kept is None or kept.state.epoch != state.epoch:
                return _Kept(token, state, self._build(namespaces))
            changed = self._store.changed_after(namespaces, kept.state.last_seq)
            touched = self._store.touched_since(kept.state.tick)
            if touched is None or any(op == "update" for op, _ in changed):
                return _Kept(token, state, self._build(namespaces))
            view = _without(kept.view, [num for _, num in changed if num is not None] + touched)
            rows = sorted_rows(self._fresh(namespaces, kept.state.last_seq, touched), namespaces)
            return _Kept(token, state, _extended(view, rows) if rows else view)

    def _fresh(self, namespaces: tuple[int, ...], after: int, touched: Sequence[int]) -> list[UnitRow]:
        """What the log has gained, and derived memories that changed. These come last, whatever their sources' place:
        nothing is their neighbour."""
        said = [row for row in self._store.unit_rows(namespaces, after) if row.num > 0]
        return said + self._store.unit_rows_of(namespaces, touched)

    def _build(self, namespaces: tuple[int, ...]) -> View:
        rows = sorted_rows(self._store.unit_rows(namespaces, 0), namespaces)
        return build_view(rows, self._store.serving_embedder()[1])

    def _drop_surplus(self) -> None:
        while len(self._kept) > 1 and (
            len(self._kept) > MAX_SNAPSHOTS or sum(len(k.view.snapshot) for k in self._kept.values()) > MAX_UNITS
        ):
            self._kept.popitem(last=False)


def sorted_rows(rows: Iterable[UnitRow], namespaces: Sequence[int]) -> list[UnitRow]:
    """Rows in reading order; the store returns them so within one namespace."""
    found = list(rows)
    if len(namespaces) > 1:
        found.sort(key=lambda row: (row.seq, row.num, row.part))
    return found


def build_view(rows: Sequence[UnitRow], dim: int) -> View:
    """A view over rows in reading order."""
    snapshot = Snapshot.build([_row(row) for row in rows], dim)
    return View(snapshot, *_columns(rows))


def _extended(view: View, rows: Sequence[UnitRow]) -> View:
    kinds, expires = _columns(rows)
    snapshot = view.snapshot.extend([_row(row) for row in rows])
    return View(snapshot, np.concatenate([view.kinds, kinds]), np.concatenate([view.expires, expires]))


def _without(view: View, nums: Sequence[int]) -> View:
    gone = view.among(nums)
    if not gone.any():
        return view
    kept = ~gone
    return View(view.snapshot.without(nums), view.kinds[kept], view.expires[kept])


def _row(row: UnitRow) -> Row:
    return Row(*row[:8], *row[9:])


def _columns(rows: Sequence[UnitRow]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    first = [row for row in rows if row.part == 0]
    kinds = np.fromiter((KINDS.index(row.kind) for row in first), dtype=np.uint8, count=len(first))
    expiries = (NEVER if row.expires_at is None else row.expires_at for row in first)
    return kinds, np.fromiter(expiries, dtype=np.int64, count=len(first))
