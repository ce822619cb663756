"""A statement: what one sentence says of one subject, in words that can be read alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact as words. Times are microseconds since 1970 UTC, and None where nothing was said of them."""

    text: str
    """Readable without its turn: names for "I", dates for "yesterday". `Ana lives in Porto`."""
    subject: str
    relation: str
    """What is said of the subject, without the object: `lives in`, `no longer works at`."""
    object: str
    single: bool = False
    """Whether the subject has one object of this relation at a time: a new one ends the one before."""
    valid_at: int | None = None
    """Since when it is true, where that was said; for what happened, when."""
    invalid_at: int | None = None
    """When it ceased to be true, where that was said."""
    negated: bool = False
    """Whether it says that this does not hold, or no longer."""
    start: int = 0
    end: int = 0
    """Where in the memory's text it was read."""
