"""What each word of a question finds: one row per word, one column per unit, in `reading` order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.query import Query, rarity
from mnemos.recall.snapshot import Snapshot

Rows = NDArray[np.float32]

K1 = 1.2
B = 0.6
NEAR = 0.3
"""Wordpieces less alike than this do not count as alike."""


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
    return reorder(snapshot, out), rarity(snapshot.terms, query.terms.tolist(), total) * query.term_weights


def phrases(snapshot: Snapshot, query: Query) -> Rows:
    """The summed rarity of the question's pairs of words that stand in each unit."""
    total = len(snapshot.columns.num)
    out = np.zeros(total, np.float32)
    weights = rarity(snapshot.phrases, query.phrases.tolist(), total)
    for key, weight in zip(query.phrases.tolist(), weights, strict=True):
        out[snapshot.phrases.lookup(key)[0]] += weight
    return reorder(snapshot, out)


def late(snapshot: Snapshot, query: Query) -> tuple[Rows, Rows]:
    """How well the best wordpiece of each unit answers each of the question's, and the weight of each (sum 1).

    The squared cosine, damped in long units as BM25 damps counts.
    """
    total = len(snapshot.columns.num)
    out = np.zeros((len(query.tokens), total), np.float32)
    keys = snapshot.token_keys
    if not len(keys) or not len(query.tokens):
        return out, np.zeros(len(query.tokens), np.float32)
    cosines = _cosines(query, keys)
    for row in range(len(query.tokens)):
        near = np.flatnonzero(cosines[row] > NEAR)
        near = near[np.argsort(cosines[row, near], kind="stable")]
        snapshot.tokens.spread(keys[near], cosines[row, near], out[row])
    weights = rarity(snapshot.tokens, query.tokens.tolist(), total)
    weights *= np.linalg.norm(query.lexicon[query.tokens], axis=1)
    np.square(out, out=out)
    out *= np.float32(1 + K1) / (out + _room(snapshot))
    return reorder(snapshot, out), weights / np.float32(max(float(weights.sum()), 1e-9))


def _room(snapshot: Snapshot) -> Rows:
    """BM25's damping by length: larger for longer units."""
    room: Rows = (K1 * (1 - B + B * snapshot.columns.words / snapshot.mean_words)).astype(np.float32)
    return room


def _cosines(query: Query, keys: NDArray[np.uint32]) -> Rows:
    asked = query.lexicon[query.tokens]
    asked = asked / np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), 1e-9)
    table = query.lexicon[keys]
    lengths = np.maximum(np.sqrt(np.einsum("ij,ij->i", table, table)), 1e-9)
    cosines: Rows = (asked @ table.T) / lengths
    return cosines


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


def dense_around(snapshot: Snapshot, dense: Rows) -> Rows:
    """The cosine with the sum of the vectors of a unit and of its neighbours."""
    before, after = neighbours(snapshot, dense)
    total: Rows = dense + before + after
    return total / snapshot.around
