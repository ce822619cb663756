"""What becomes of an older statement when a newer one on the same matter arrives."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from mnemos.store.superseding import Rival


class Verdict(Enum):
    """The four ways of Keep Me Updated (Bae et al., 2022); other systems know some of them."""

    PASS = "pass"
    """The older one says it already: the newer one leaves the index."""
    REPLACE = "replace"
    """The newer one is true now: the older one is closed, kept and linked."""
    APPEND = "append"
    """Both stand."""
    DELETE = "delete"
    """They cancel each other: both are closed."""


class Policy(Protocol):
    """Judges two statements of one matter, the newer one by the time in which it holds."""

    @property
    def name(self) -> str:
        """As it stands in histories."""
        ...

    def judge(self, older: Rival, newer: Rival) -> Verdict:
        """What becomes of them."""
        ...
