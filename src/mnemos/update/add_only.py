"""Add-only, as in Mem0's third version: every statement stands, and ranking alone prefers the newest."""

from __future__ import annotations

from mnemos.store.superseding import Rival
from mnemos.update.verdict import Verdict


class AddOnly:
    """Nothing is ever closed."""

    name = "add-only"

    def judge(self, older: Rival, newer: Rival) -> Verdict:
        """APPEND."""
        return Verdict.APPEND
