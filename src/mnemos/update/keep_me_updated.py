"""Keep Me Updated (Bae et al., 2022): PASS, REPLACE, APPEND or DELETE for each pair of statements.

The paper trains a classifier of sentence pairs; these rules stand in for it, which is our choice.
"""

from __future__ import annotations

from mnemos.recall.words import split
from mnemos.store.superseding import Rival
from mnemos.update.verdict import Verdict


class KeepMeUpdated:
    """What the older statement covers is passed over; a denial and what it denies both go."""

    name = "keep-me-updated"

    def judge(self, older: Rival, newer: Rival) -> Verdict:
        """One of the four."""
        if older.negated != newer.negated:
            cancelled = older.object == newer.object
            return (Verdict.DELETE if newer.negated else Verdict.REPLACE) if cancelled else Verdict.APPEND
        if older.object == newer.object or set(split(newer.text)) <= set(split(older.text)):
            return Verdict.PASS
        return Verdict.REPLACE if older.single and newer.single else Verdict.APPEND
