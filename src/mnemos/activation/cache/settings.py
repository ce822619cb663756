"""What policies and budgets accept as settings."""

from __future__ import annotations

import math

from mnemos.errors import InvalidInput


def whole(name: str, given: int, least: int = 1, *, odd: bool = False) -> int:
    """A whole number.

    Args:
        name: of the setting.
        given: the number.
        least: the smallest that is accepted.
        odd: whether it has to be odd.

    Raises:
        InvalidInput: it is none, or too small, or even where it has to be odd.
    """
    if isinstance(given, bool) or not isinstance(given, int) or given < least or (odd and given % 2 == 0):
        kind = "an odd" if odd else "a whole"
        raise InvalidInput(name, f"{given!r} cannot be accepted", f"give {kind} number, {least} or more")
    return given


def within(name: str, given: float, low: float, high: float) -> float:
    """A number between two others, both included.

    Raises:
        InvalidInput: it is none.
    """
    number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
    if not number or not low <= given <= high:
        raise InvalidInput(name, f"{given!r} cannot be accepted", f"give a number from {low:g} to {high:g}")
    return float(given)
