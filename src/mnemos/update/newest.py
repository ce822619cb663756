"""The newest statement holds: validity in time, as in graphiti (Rasmussen et al., 2025), by rules alone."""

from __future__ import annotations

from mnemos.store.superseding import Rival
from mnemos.update.verdict import Verdict


class Newest:
    """The default.

    A statement closes an older one on the same matter that has another object where the matter has one object at a
    time, and one of the same object that it denies, or that denies it.
    """

    name = "newest"

    def judge(self, older: Rival, newer: Rival) -> Verdict:
        """REPLACE or APPEND."""
        if older.object == newer.object:
            return Verdict.REPLACE if older.negated != newer.negated else Verdict.APPEND
        one_at_a_time = older.single and newer.single and not older.negated and not newer.negated
        return Verdict.REPLACE if one_at_a_time else Verdict.APPEND
