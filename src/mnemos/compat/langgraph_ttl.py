"""LangGraph's times to live, in minutes, and a thread that deletes what has expired."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from mnemos.errors import InvalidInput, MnemosError

log = logging.getLogger(__name__)


def read_ttl(minutes: object) -> float | None:
    """A put's time to live, in seconds; None where it does not expire."""
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes < 1e8:
        raise InvalidInput("ttl", f"{str(minutes)[:40]!r} is not a length of time", "give minutes above 0, or None")
    return minutes * 60


class Sweeper:
    """Calls `sweep` every so many minutes until it is stopped."""

    def __init__(self, sweep: Callable[[], int]) -> None:
        self._sweep = sweep
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended: Future[None] = Future()
        self._lock = threading.Lock()

    def start(self, minutes: float) -> Future[None]:
        """Begin, unless it runs already. Cancelling the future stops it; it is done when the thread has ended."""
        with self._lock:
            if self._thread is not None and self._stop.is_set():
                self._thread.join()
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                self._ended = Future()
                self._ended.add_done_callback(lambda ended: self._stop.set() if ended.cancelled() else None)
                self._thread = threading.Thread(
                    target=self._loop, args=(minutes * 60, self._ended), name="mnemos-langgraph-ttl", daemon=True
                )
                self._thread.start()
            return self._ended

    def stop(self, timeout: float | None = None) -> bool:
        """End it; False where it has not ended within `timeout` seconds."""
        with self._lock:
            if self._thread is None:
                return True
            self._stop.set()
            self._thread.join(timeout)
            return not self._thread.is_alive()

    def _loop(self, seconds: float, future: Future[None]) -> None:
        while not self._stop.wait(seconds):
            try:
                self._sweep()
            except MnemosError as error:
                log.warning("what has expired will be deleted later: %s", error)
        with suppress(InvalidStateError):
            future.set_result(None)
