"""Exchanges that memory could not take: kept on disk within a bound, and told to it again by the worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mnemos.errors import InvalidInput, MnemosError, NotFound
from mnemos.origin import writing_as
from mnemos.serve.metrics import Metrics
from mnemos.serve.proxy.exchange import Message, store
from mnemos.serve.tenants import Tenants
from mnemos.store.spool import Entry, Spool, encoded, line

CHANNEL = "proxy"
SOONEST, LATEST = 0.5, 60.0
"""Seconds until a store that failed is tried again, doubled each time up to the latest."""
log = logging.getLogger("mnemos.serve")


class SpoolFull(MnemosError):
    """No more exchanges can be kept."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An exchange that is kept."""

    tenant: str
    name: str


@dataclass(slots=True)
class _Pause:
    """When a store is tried again."""

    until: float = 0.0
    seconds: float = SOONEST

    def lengthen(self) -> None:
        self.until, self.seconds = time.monotonic() + self.seconds, min(LATEST, 2 * self.seconds)


class Backlog:
    """The spools of all tenants, under one bound in bytes."""

    def __init__(self, tenants: Tenants, metrics: Metrics, most: int) -> None:
        self._tenants = tenants
        self._metrics = metrics
        self._most = most
        self._lock = threading.Lock()
        self._open: set[Waiting] = set()
        self._pauses = {one: _Pause() for one in tenants.waited_for()}
        self._size = self._measured()

    @property
    def size(self) -> int:
        """Bytes that are kept, about."""
        return self._size

    def put(self, tenant: str, entry: Entry) -> Waiting:
        """Keep an exchange; on disk when this returns, and left alone by the worker until it is closed.

        Raises:
            SpoolFull: there is no room.
            OSError: it cannot be written.
        """
        with self._lock:
            self._make_room(len(encoded(entry)))
            waiting = Waiting(tenant, self._spool(tenant).put(entry))
            self._open.add(waiting)
            self._pauses.setdefault(tenant, _Pause()).lengthen()
        return waiting

    def extend(self, waiting: Waiting, messages: Sequence[Message]) -> None:
        """Add to an exchange that is kept, unless it was deleted meanwhile.

        Raises:
            SpoolFull: there is no room.
            OSError: it cannot be written.
        """
        with self._lock:
            self._make_room(sum(len(line(message)) for message in messages))
            self._spool(waiting.tenant).extend(waiting.name, messages)

    def close(self, waiting: Waiting) -> None:
        """Let the worker have an exchange."""
        with self._lock:
            self._open.discard(waiting)

    def drop(self, waiting: Waiting) -> None:
        """Let go of an exchange that did not take place after all."""
        with self._lock:
            self._spool(waiting.tenant).remove(waiting.name)
            self._open.discard(waiting)
            self._size = self._measured()

    def replay(self, stopped: Callable[[], bool]) -> bool:
        """Tell the stores what waits for them, in order: a chore of the worker, which never has more to do at once."""
        with self._lock:
            due = [one for one, pause in self._pauses.items() if pause.until <= time.monotonic()]
        for tenant in due:
            try:
                self._replay(tenant, stopped)
            except (MnemosError, OSError) as error:
                self._pauses[tenant].lengthen()
                fields = {"tenant": tenant, "error": type(error).__name__}
                log.warning("kept exchanges will be told again", extra={"fields": fields})
        return False

    def _replay(self, tenant: str, stopped: Callable[[], bool]) -> None:
        spool = self._spool(tenant)
        for name in spool.names():
            if stopped():
                return
            if Waiting(tenant, name) not in self._open:
                self._tell(tenant, spool, name)
        with self._lock:
            self._size = self._measured()
            if not spool.names():
                self._pauses.pop(tenant)

    def _tell(self, tenant: str, spool: Spool, name: str) -> None:
        """Let a store learn what waits, once however often it is told; it goes again where it was deleted meanwhile."""
        entry = spool.read(name)
        if entry is None:
            spool.remove(name)
            return
        with self._tenants.use(tenant) as memory, writing_as(CHANNEL, entry.head.writer, entry.head.trust):
            try:
                new = store(memory, entry)
            except InvalidInput as error:
                spool.remove(name)
                self._metrics.proxied.labels("learn", "lost").inc()
                log.error(
                    "a kept exchange cannot be stored", extra={"fields": {"tenant": tenant, "field": error.field}}
                )
                return
            if spool.remove(name):
                self._metrics.proxied.labels("learn", "replayed").inc()
                return
            for one in new:
                with suppress(NotFound):
                    memory.delete(one)

    def _make_room(self, size: int) -> None:
        """Count bytes that are about to be written. What others removed is seen only where the bound is hit."""
        if self._size + size > self._most:
            self._size = self._measured()
        if self._size + size > self._most:
            raise SpoolFull(f"{self._size} bytes of exchanges are kept, and {self._most} at most")
        self._size += size

    def _measured(self) -> int:
        return sum(self._spool(tenant).size() for tenant in self._pauses)

    def _spool(self, tenant: str) -> Spool:
        return Spool(self._tenants.file(tenant))
