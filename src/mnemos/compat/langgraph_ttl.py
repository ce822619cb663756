"""A thread that deletes what has expired, started and stopped as LangGraph's stores start and stop theirs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from mnemos.errors import MnemosError

log = logging.getLogger(__name__)


class Sweeper:
    """Calls `sweep` every so many minutes until it is stopped."""

    def __init__(self, sweep: Callable[[], int]) -> None:
        self._sweep = sweep
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, minutes: float) -> Future[None]:
        """Begin, unless it runs already. Cancelling the future stops it; it is done when the thread has ended."""
        future: Future[None] = Future()
        future.add_done_callback(lambda ended: self._stop.set() if ended.cancelled() else None)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                self._thread = threading.Thread(
                    target=self._loop, args=(minutes * 60, future), name="mnemos-langgraph-ttl", daemon=True
                )
                self._thread.start()
        return future

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
