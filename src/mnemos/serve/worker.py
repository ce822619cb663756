"""The server's one background thread: derivation and upkeep of the open stores, and what surfaces hand it to do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mnemos.errors import MnemosError
from mnemos.serve.tenants import Tenants
from mnemos.system import Mnemos

if TYPE_CHECKING:
    from mnemos.serve.metrics import Metrics

POLL_SECONDS = 0.5
SLICE = 0.05
"""Seconds that one store's upkeep takes at a time, about."""
SETTLE = 2.0
"""Seconds that the first of a store's queued work waits for more: a batch costs little more than one memory does."""
PATIENCE = 10.0
"""Seconds after which it is done though requests are in hand."""
ROUND = 60.0
"""Seconds after which a store is looked after though nothing is queued: what has expired goes, purges are finished."""
log = logging.getLogger("mnemos.serve")

Chore = Callable[[Callable[[], bool]], bool]
"""Does a little of something; is told how to know that it should stop, and returns whether more is left."""


class Worker:
    """Visits every store that has work, a small batch at a time, until it is stopped."""

    def __init__(
        self, tenants: Tenants, metrics: Metrics | None = None, busy: Callable[[], bool] = lambda: False
    ) -> None:
        self._tenants = tenants
        self._metrics = metrics
        self._busy = busy
        self._stop = threading.Event()
        self._first: Callable[[], None] = lambda: None
        self._seen: dict[str, float] = {}
        self._queued: dict[str, float] = {}
        """Since when a store has had work."""
        self._chores: list[Chore] = [self._open_stores]
        self._thread = threading.Thread(target=self._loop, name="mnemos-worker", daemon=True)

    def also(self, chore: Chore) -> None:
        """Give it something else to do at every round; it is called from the worker's thread."""
        self._chores.append(chore)

    def start(self) -> None:
        """Begin, with the stores that were left with work when the server last stopped."""
        self._thread.start()

    def warm_up_first(self) -> None:
        """Load what derivation and search need when it begins, before anybody waits for it."""
        self._first = warm_up

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def _loop(self) -> None:
        self._first()
        for tenant in self._tenants.names():
            if self._stop.is_set():
                return
            self._visit(tenant)
        more = False
        while not self._stop.wait(0.02 if more else POLL_SECONDS):
            more = False
            for chore in self._chores:
                try:
                    more = chore(self._stop.is_set) or more
                except (MnemosError, OSError) as error:
                    self._failed()
                    log.warning(
                        "background work will be tried again", extra={"fields": {"error": type(error).__name__}}
                    )

    def _open_stores(self, stopped: Callable[[], bool]) -> bool:
        more = False
        for tenant in self._tenants.open_names():
            if stopped():
                return False
            more = self._visit(tenant) or more
        return more

    def _visit(self, tenant: str) -> bool:
        """Do a batch of a store's queued work; returns whether more is left."""
        try:
            with self._tenants.use(tenant) as memory:
                now = time.monotonic()
                due = now - self._seen.get(tenant, 0.0) > ROUND
                if not due and not self._is_ripe(tenant, memory, now):
                    return False
                self._seen[tenant] = now
                done = memory.maintain(SLICE, gentle=True)
                if self._metrics is not None:
                    self._metrics.derived.inc(done.read)
                if not memory.queued():
                    self._queued.pop(tenant, None)
                    if done.read:
                        memory.keep_up()
                return bool(done.read)
        except MnemosError as error:
            self._failed()
            fields = {"tenant": tenant, "error": type(error).__name__}
            log.warning("maintenance will be tried again", extra={"fields": fields})
            return False

    def _is_ripe(self, tenant: str, memory: Mnemos, now: float) -> bool:
        """Whether a store has work that has waited long enough; it gives way to requests for a while."""
        if not memory.queued():
            self._queued.pop(tenant, None)
            return False
        waited = now - self._queued.setdefault(tenant, now)
        return waited >= (PATIENCE if self._busy() else SETTLE)

    def _failed(self) -> None:
        if self._metrics is not None:
            self._metrics.failures.inc()


def warm_up() -> None:
    """Derive from a sentence and ask about it, in a store that is gone at once."""
    with Mnemos(":memory:") as memory:
        memory.add("My sister Rita is vegan, and she lives in Porto.", name="Ana")
        memory.maintain()
        memory.search("where does Rita live?")
