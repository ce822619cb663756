"""What each word of a question finds: one row per word, one column per unit, in `reading` order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.query import Query, rarity
from mnemos.recall.snapshot import Snapshot

Rows = NDArray[np.float32]

K1 = 1.2
B = 0.6


def reorder(snapshot: Snapshot, values: Rows) -> Rows:
    """Columns by unit, put into `reading` order."""
    return values if snapshot.reading is None else np.ascontiguousarray(values[..., snapshot.reading])


def restore(snapshot: Snapshot, values: Rows) -> Rows:
    """Columns in `reading` order, put back into the order of units."""
    if snapshot.reading is None:
        return values
    back = np.empty_like(values)
    back[..., snapshot.reading] = values
    return back


def lexical(snapshot: Snapshot, query: Query) -> tuple[Rows, Rows]:
    """BM25's share of each term in each unit (0 to 1 + k1), and the weight of each term."""
    total = len(snapshot.columns.num)
    out = np.zeros((len(query.terms), total), np.float32)
    room = _room(snapshot)
    for row, term in enumerate(query.terms.tolist()):
        units, counts = snapshot.terms.lookup(term)
        out[row, units] = counts * np.float32(1 + K1) / (counts + room[units])
    return reorder(snapshot, out), rarity(snapshot.terms, query.terms, total) * query.term_weights


def phrases(snapshot: Snapshot, query: Query) -> Rows:
    """The summed rarity of the question's pairs of words that stand in each unit."""
    total = len(snapshot.columns.num)
    out = np.zeros(total, np.float32)
    weights = rarity(snapshot.phrases, query.phrases, total)
    for key, weight in zip(query.phrases.tolist(), weights, strict=True):
        out[snapshot.phrases.lookup(key)[0]] += weight
    return reorder(snapshot, out)


def late(snapshot: Snapshot, query: Query) -> Rows:
    """The cosine of the best wordpiece of each unit with each of the question's; 0 below `embed.static.ALIKE`."""
    out = np.zeros((len(query.tokens), len(snapshot.columns.num)), np.float32)
    for row, (keys, cosines) in enumerate(query.alike):
        snapshot.tokens.spread(keys, cosines, out[row])
    return reorder(snapshot, out)


def damped(snapshot: Snapshot, cosines: Rows) -> Rows:
    """Squared, and damped in long units as BM25 damps counts."""
    squares = np.square(cosines)
    squares *= np.float32(1 + K1) / (squares + reorder(snapshot, _room(snapshot)))
    return squares


def shares(snapshot: Snapshot, query: Query) -> tuple[Rows, Rows]:
    """The weight of each wordpiece of the question (sum 1): by its vector's length and how rare it is here, and by
    its length alone, which is the same in every namespace."""
    lengths = np.linalg.norm(query.lexicon[query.tokens], axis=1).astype(np.float32)
    here = lengths * rarity(snapshot.tokens, query.tokens, len(snapshot.columns.num))
    return tuple(one / np.float32(max(float(one.sum()), 1e-9)) for one in (here, lengths))


def _room(snapshot: Snapshot) -> Rows:
    """BM25's damping by length: larger for longer units."""
    room: Rows = (K1 * (1 - B + B * snapshot.columns.words / snapshot.mean_words)).astype(np.float32)
    return room


def neighbours(snapshot: Snapshot, values: Rows) -> tuple[Rows, Rows]:
    """The values of the unit before and of the unit after, of the same session (0 where there is none)."""
    before, after = np.zeros_like(values), np.zeros_like(values)
    before[..., 1:] = values[..., :-1]
    after[..., :-1] = values[..., 1:]
    ends = np.flatnonzero(snapshot.breaks)
    before[..., ends + 1] = 0
    after[..., ends] = 0
    return before, after


def widest(snapshot: Snapshot, values: Rows) -> Rows:
    """The greatest of the values of a unit and of its two neighbours."""
    before, after = neighbours(snapshot, values)
    np.maximum(before, after, out=before)
    return np.maximum(before, values, out=before)


def in_session(snapshot: Snapshot, values: Rows, how: np.ufunc = np.maximum) -> Rows:
    """The greatest (or the sum) of the values of a unit's session."""
    if not values.shape[-1]:
        return values
    by_session = how.reduceat(values, snapshot.session_starts, axis=-1)
    return np.repeat(by_session, snapshot.session_lengths, axis=-1)


def runs_beside(snapshot: Snapshot, values: Rows) -> tuple[Rows, Rows]:
    """The greatest value of the speakers' runs before and after a unit's own, of the same session."""
    starts = snapshot.run_starts
    if not len(starts):
        return values, values
    lengths = np.diff(starts, append=len(values))
    best = np.maximum.reduceat(values, starts)
    before, after = np.zeros_like(best), np.zeros_like(best)
    before[1:] = np.where(snapshot.run_breaks, 0, best[:-1])
    after[:-1] = np.where(snapshot.run_breaks, 0, best[1:])
    return np.repeat(before, lengths), np.repeat(after, lengths)


def dense_nearby(snapshot: Snapshot, dense: Rows) -> Rows:
    """The summed cosines of a unit and of two on either side, the farther ones counting half."""
    before, after = neighbours(snapshot, dense)
    further = neighbours(snapshot, before)[0] + neighbours(snapshot, after)[1]
    total: Rows = dense + before + after + np.float32(0.5) * further
    return total
