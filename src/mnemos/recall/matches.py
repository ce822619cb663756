"""What each word of a question finds: one row per word, one column per unit, in `reading` order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.query import Query
from mnemos.recall.snapshot import Snapshot

Rows = NDArray[np.float32]

K1 = 1.2
B = 0.75
NEAR = 0.35
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


def lexical(snapshot: Snapshot, query: Query) -> tuple[Rows, NDArray[np.float32]]:
    """BM25's share of each term in each unit (between 0 and 1 + k1), and the weight of each term."""
    total = len(snapshot.columns.num)
    out = np.zeros((len(query.terms), total), np.float32)
    idf = np.zeros(len(query.terms), np.float32)
    length = (K1 * (1 - B + B * snapshot.columns.words / snapshot.mean_words)).astype(np.float32)
    for row, term in enumerate(query.terms.tolist()):
        units, counts = snapshot.terms.lookup(term)
        idf[row] = np.log1p((total - len(units) + 0.5) / (len(units) + 0.5))
        out[row, units] = counts * np.float32(1 + K1) / (counts + length[units])
    return reorder(snapshot, out), idf * query.term_weights


def late(snapshot: Snapshot, query: Query) -> tuple[Rows, NDArray[np.float32]]:
    """For each wordpiece of the question the best cosine in each unit, and the weight of each wordpiece."""
    total = len(snapshot.columns.num)
    out = np.zeros((len(query.tokens), total), np.float32)
    keys = snapshot.token_keys
    weights = np.zeros(len(query.tokens), np.float32)
    if not len(keys) or not len(query.tokens):
        return out, weights
    cosines = _cosines(query, keys)
    for row, token in enumerate(query.tokens.tolist()):
        near = np.flatnonzero(cosines[row] > NEAR)
        near = near[np.argsort(cosines[row, near], kind="stable")]
        snapshot.tokens.spread(keys[near], cosines[row, near], out[row])
        found = len(snapshot.tokens.lookup(token)[0])
        weights[row] = np.log1p((total - found + 0.5) / (found + 0.5)) * query.token_weights[row]
    return reorder(snapshot, out), weights


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


def dense_around(snapshot: Snapshot, dense: Rows) -> Rows:
    """The cosine with the sum of the vectors of a unit and of its neighbours."""
    before, after = neighbours(snapshot, dense)
    total: Rows = dense + before + after
    return total / snapshot.around
