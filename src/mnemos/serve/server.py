"""One server: its ledger, keys, stores, queues and worker, and how a request becomes an `Access`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from starlette.requests import HTTPConnection

from mnemos.errors import StoreError
from mnemos.serve.access import OPEN_TENANT, Access, Forbidden, TooMany, Unauthorized
from mnemos.serve.desk import Desk
from mnemos.serve.idempotency import Answered
from mnemos.serve.jobs import JobBook, Runner, Uploads
from mnemos.serve.keys import SCOPES, Key, KeyRing
from mnemos.serve.ledger import Ledger
from mnemos.serve.metrics import Metrics
from mnemos.serve.rates import Rates
from mnemos.serve.settings import LOOPBACK_NAMES, Settings
from mnemos.serve.tenants import Tenants
from mnemos.serve.worker import Worker
from mnemos.times import to_micros, utc_now

WINDOW = 10
"""Seconds over which a key's requests are counted."""
COOKIE = "mnemos_key"
"""Where the console keeps the key that was shown to it; no script can read it."""
log = logging.getLogger("mnemos.serve")


class Server:
    """What the routes of one application share."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.ledger = Ledger(settings.folder)
        self.keys = KeyRing(self.ledger)
        self.answered = Answered(self.ledger, self.now)
        elsewhere = {} if settings.store is None else {OPEN_TENANT: settings.store}
        self.tenants = Tenants(settings.folder / "tenants", settings.open_stores, clock, elsewhere)
        self.desk = Desk(settings.searching, settings.waiting)
        self.metrics = Metrics()
        self.metrics.open_stores.set_function(lambda: len(self.tenants.open_names()))
        self.metrics.queued.labels("search").set_function(lambda: self.desk.waiting("search"))
        self.metrics.queued.labels("call").set_function(lambda: self.desk.waiting("call"))
        self.worker = Worker(self.tenants, self.metrics, lambda: self.desk.waiting("search") > 0)
        self.worker.also(self._note_used)
        self.uploads = Uploads(settings.folder / "uploads")
        self.jobs = JobBook(self.ledger, self.now)
        self.runner = Runner(self.jobs, self.tenants, self.uploads, settings.folder / "jobs.lock", self.metrics)
        self.metrics.jobs_waiting.set_function(self.jobs.waiting)
        self.worker.also(self.runner.chore)
        self._rates = Rates(settings.rate, WINDOW)
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def now(self) -> int:
        """The present time, in microseconds."""
        return to_micros(self.clock())

    @property
    def is_open(self) -> bool:
        """Whether requests need no key: only on the loopback, and only while no key was ever made."""
        return self.settings.is_loopback and not self.keys.any()

    def check_start(self) -> None:
        """Refuse to listen where others could reach memories without a key.

        Raises:
            StoreError: no key was made, and the address is not the loopback.
        """
        if not self.settings.is_loopback and not self.keys.any():
            raise StoreError(
                f"{self.settings.host} can be reached from other machines, and there is no key; make one first: "
                f"mnemos key create --tenant acme --data {self.settings.folder}"
            )

    def access(self, connection: HTTPConnection, channel: str) -> Access:
        """Who is asking, by the key that the request shows.

        Raises:
            Unauthorized: there is no key, or one that opens nothing.
            Forbidden: an open server was asked by another site's page, or under a name that is not its own.
            TooMany: the key made too many requests.
        """
        if self.is_open:
            refuse_strangers(connection, self.settings)
            return Access(self.tenants, self.desk, OPEN_TENANT, channel, frozenset(SCOPES))
        shown = shown_key(connection)
        if shown is None:
            raise Unauthorized("no key was shown; send it as Authorization: Bearer mnemos_…")
        key = self.keys.verify(shown, self.now())
        if key is None:
            raise Unauthorized("this key opens nothing: it is unknown, revoked or expired")
        self._count(key)
        return Access(self.tenants, self.desk, key.tenant, channel, key.scopes, key.id, key.namespaces, key.trust)

    def _count(self, key: Key) -> None:
        if not self._rates.hit(key.id):
            raise TooMany(f"this key made more than {self.settings.rate} requests in {WINDOW} seconds; wait a little")
        with self._lock:
            self._used.add(key.id)

    def _note_used(self, stopped: Callable[[], bool]) -> bool:
        with self._lock:
            used, self._used = self._used, set()
        if used:
            self.keys.note_used(used, self.now())
        return False

    def close(self) -> None:
        """Finish what is in hand and release every file."""
        self.worker.stop()
        self.runner.close()
        self.desk.close()
        for error in self.tenants.close():
            log.error("a store could not be closed", extra={"fields": {"error": type(error).__name__}})
        self._note_used(lambda: True)
        self.ledger.close()


def server_of(connection: HTTPConnection) -> Server:
    """The server behind a request."""
    found: Server = connection.app.state.mnemos
    return found


def shown_key(connection: HTTPConnection) -> str | None:
    """The key that a request shows: as a bearer, in `X-API-Key` or `X-Mnemos-Key`, or in the console's cookie."""
    headers = connection.headers
    if own := headers.get("x-mnemos-key"):
        return own
    scheme, _, credential = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credential:
        return credential.strip()
    return headers.get("x-api-key") or connection.cookies.get(COOKIE)


def refuse_strangers(connection: HTTPConnection, settings: Settings) -> None:
    """Keep pages of other sites, and names that were pointed at this machine, from reading an open server.

    Raises:
        Forbidden: the request's `Host` is not this machine's, or its `Origin` is another site.
    """
    host = _name(connection.headers.get("host", ""))
    if host not in (*LOOPBACK_NAMES, *settings.hosts):
        raise Forbidden("this server runs without keys and answers only to localhost")
    origin = connection.headers.get("origin")
    if origin is not None and _name(origin.partition("://")[2]) != host:
        raise Forbidden("this server runs without keys and answers no other site's pages")


def _name(authority: str) -> str:
    """A host without its port."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower()
