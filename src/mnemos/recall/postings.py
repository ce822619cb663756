"""An inverted index in plain arrays: for each key (a stem's hash, a token id) the units that hold it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_EMPTY = np.empty(0, np.int64)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


class Segment(NamedTuple):
    """The postings of one run of units, ordered by key and unit."""

    keys: NDArray[np.uint32]
    starts: NDArray[np.int64]
    """Where the postings of each key begin; one longer than `keys`."""
    units: NDArray[np.int32]
    counts: NDArray[np.uint8]


class Postings(NamedTuple):
    """Segments over consecutive runs of units; appending makes a small one, and small ones are merged."""

    segments: tuple[Segment, ...]

    @classmethod
    def build(cls, keys: NDArray[np.uint32], lengths: NDArray[np.int64], first: int = 0) -> Postings:
        """From the keys of units `first`, `first + 1`, … end to end."""
        if not len(keys):
            return cls(())
        units = np.repeat(np.arange(first, first + len(lengths), dtype=np.uint64), lengths)
        pairs = keys.astype(np.uint64) << _SHIFT | units
        pairs.sort()
        fresh = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1])))
        counts = np.minimum(np.diff(fresh, append=len(pairs)), 255).astype(np.uint8)
        return cls((_segment(pairs[fresh], counts),))

    def append(self, other: Postings) -> Postings:
        """With the postings of later units."""
        segments = [*self.segments, *other.segments]
        while len(segments) > 1 and len(segments[-2].units) < 2 * len(segments[-1].units):
            last = segments.pop()
            segments[-1] = _merge(segments[-1], last)
        return Postings(tuple(segments))

    def keep(self, alive: NDArray[np.bool_], number: NDArray[np.int64]) -> Postings:
        """Only the postings of units that are alive, under their new numbers."""
        kept = []
        for segment in self.segments:
            mask = alive[segment.units]
            pairs = np.repeat(segment.keys, np.diff(segment.starts)).astype(np.uint64)[mask] << _SHIFT
            pairs |= number[segment.units[mask]].astype(np.uint64)
            if len(pairs):
                kept.append(_segment(pairs, segment.counts[mask]))
        return Postings(tuple(kept))

    def lookup(self, key: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """The units that hold a key, and how often each does."""
        units, counts = [np.empty(0, np.int32)], [np.empty(0, np.uint8)]
        for segment in self.segments:
            at = int(np.searchsorted(segment.keys, np.uint32(key)))
            if at < len(segment.keys) and segment.keys[at] == key:
                part = slice(int(segment.starts[at]), int(segment.starts[at + 1]))
                units.append(segment.units[part])
                counts.append(segment.counts[part])
        return (units[-1], counts[-1]) if len(units) <= 2 else (np.concatenate(units), np.concatenate(counts))

    def keys(self) -> NDArray[np.uint32]:
        """Every key that some unit holds, ascending."""
        if not self.segments:
            return np.empty(0, np.uint32)
        if len(self.segments) == 1:
            return self.segments[0].keys
        return np.unique(np.concatenate([segment.keys for segment in self.segments]))

    def held(self, keys: NDArray[np.uint32]) -> NDArray[np.int64]:
        """How many units hold each key."""
        total = np.zeros(len(keys), np.int64)
        for segment in self.segments:
            at = np.minimum(np.searchsorted(segment.keys, keys), len(segment.keys) - 1)
            total += (segment.starts[at + 1] - segment.starts[at]) * (segment.keys[at] == keys)
        return total

    def spread(self, keys: NDArray[np.uint32], values: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Set `out[unit]` to the last of the `values` whose keys the unit holds (so: pass them ascending)."""
        for segment in self.segments:
            at = np.searchsorted(segment.keys, keys)
            at[at == len(segment.keys)] = 0
            found = np.flatnonzero(segment.keys[at] == keys)
            starts = segment.starts[at[found]]
            lengths = segment.starts[at[found] + 1] - starts
            out[segment.units[_ranges(starts, lengths)]] = np.repeat(values[found], lengths)


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of several ranges, one after the other."""
    total = int(lengths.sum())
    if not total:
        return _EMPTY
    offsets = np.cumsum(lengths) - lengths
    numbers: NDArray[np.int64] = np.arange(total) + np.repeat(starts - offsets, lengths)
    return numbers


def _segment(pairs: NDArray[np.uint64], counts: NDArray[np.uint8]) -> Segment:
    key = (pairs >> _SHIFT).astype(np.uint32)
    fresh = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    starts = np.append(fresh, len(key)).astype(np.int64)
    return Segment(key[fresh], starts, (pairs & _LOW).astype(np.int32), counts)


def _merge(first: Segment, second: Segment) -> Segment:
    pairs = np.concatenate([_pairs(first), _pairs(second)])
    order = np.argsort(pairs, kind="stable")
    return _segment(pairs[order], np.concatenate([first.counts, second.counts])[order])


def _pairs(segment: Segment) -> NDArray[np.uint64]:
    keys = np.repeat(segment.keys, np.diff(segment.starts)).astype(np.uint64)
    return keys << _SHIFT | segment.units.astype(np.uint64)
