"""Waiting for what happens beside a test, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 20.0


def until(holds: Callable[[], object]) -> None:
    """Return once something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)
