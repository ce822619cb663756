"""Ways to keep keys and values in few bits, each in a file of its own; they go with every policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mnemos.activation.cache.held import Storing, exactly
from mnemos.activation.cache.quantisers.kivi import KIVI
from mnemos.activation.cache.quantisers.wkvquant import Smoothing, WKVQuant
from mnemos.errors import InvalidInput

__all__ = ["KIVI", "STORINGS", "Smoothing", "WKVQuant", "read_storing"]

STORINGS: dict[str, Callable[[], Storing]] = {
    "int8": lambda: KIVI(8),
    "int4": lambda: KIVI(4),
    "wkvquant": WKVQuant,
}
"""What can be asked for by name."""


def read_storing(given: Any) -> Storing:
    """A way to keep keys and values that was given by name, as it is, or not at all.

    Raises:
        InvalidInput: it is none of these.
    """
    if given is None:
        return exactly
    if isinstance(given, str) and given in STORINGS:
        return STORINGS[given]()
    if not callable(given) or isinstance(given, type):
        mend = f"give one of {', '.join(sorted(STORINGS))}, or an object such as KIVI(bits=4)"
        raise InvalidInput("quantise", f"{given!r} is not known", mend)
    storing: Storing = given
    return storing
