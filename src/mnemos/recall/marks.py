"""Marks of a list in front of a statement ("12.", "Fact 12:", "[12]", "-"), which are no part of what it says."""

from __future__ import annotations

import re

_mark = re.compile(
    r"\s*(?:(?:fact|item|note|statement|line|entry|point|no\.|nr\.|number)\s*#?\s*\d{1,6}\s*(?:[.):]|\s[-–—])\s+|"
    r"#\s?\d{1,6}\s*[.):]?\s+|[\[(]\d{1,6}[\])]\s*[.:]?\s+|\d{1,6}[.):]\s+|[-*•–]\s+)",
    re.IGNORECASE,
)


def mark_length(text: str) -> int:
    """How many characters of a text are the mark of a list; 0 where there is none."""
    found = _mark.match(text)
    return found.end() if found and found.end() < len(text) else 0


def unmarked(text: str) -> str:
    """A text without the mark of a list in front of it."""
    return text[mark_length(text) :]
