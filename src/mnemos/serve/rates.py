"""How often each key asks: a sliding window, counted in two halves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

REMEMBERED = 10_000
"""Keys after which those that have not asked lately are forgotten."""


class Rates:
    """Lets each key through so many times in so many seconds; for many threads.

    What was counted in the window before this one counts as far as it reaches into the last `seconds`, as if it had
    come evenly.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, int, int]] = {}
        """By key: the number of the window, and the requests in it and in the one before."""

    def hit(self, key: str) -> bool:
        """Count a request, if it may be made; whether it may."""
        windows = self._clock() / self._seconds
        window = int(windows)
        with self._lock:
            last, now, before = self._counts.get(key, (window, 0, 0))
            if last != window:
                now, before = 0, now if last == window - 1 else 0
            allowed = now + before * (1 - (windows - window)) < self._most
            self._counts[key] = (window, now + allowed, before)
            if len(self._counts) > REMEMBERED:
                self._counts = {one: count for one, count in self._counts.items() if count[0] >= window - 1}
        return allowed
