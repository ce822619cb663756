"""The stores of a server: one file a tenant, opened when it is asked for, closed when too many others are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mnemos.errors import MnemosError
from mnemos.serve.keys import TENANT, read_tenant
from mnemos.store.spool import Spool, waited_for
from mnemos.system import Mnemos
from mnemos.times import utc_now


@dataclass(slots=True)
class _Held:
    opening: threading.Lock = field(default_factory=threading.Lock)
    memory: Mnemos | None = None
    users: int = 0


class Tenants:
    """Open stores by tenant, the most recently used last."""

    def __init__(
        self,
        folder: Path,
        most: int,
        clock: Callable[[], datetime] = utc_now,
        elsewhere: Mapping[str, Path] | None = None,
    ) -> None:
        self._folder = folder
        self._elsewhere = dict(elsewhere or {})
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    @contextmanager
    def use(self, tenant: str) -> Iterator[Mnemos]:
        """The open store of a tenant; it stays open inside.

        Raises:
            StoreError: the file cannot be opened.
        """
        held = self._take(read_tenant(tenant))
        try:
            with held.opening:
                if held.memory is None:
                    held.memory = Mnemos(self.file(tenant), clock=self._clock)
            yield held.memory
        finally:
            self._release(held)

    def file(self, tenant: str) -> Path:
        """Where the store of a tenant is, or will be."""
        if tenant in self._elsewhere:
            return self._elsewhere[tenant]
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder / f"{tenant}.db"

    def apart(self, tenant: str) -> Mnemos:
        """The store of a tenant, opened once more: a long transaction there keeps no reader waiting. Close it."""
        return Mnemos(self.file(read_tenant(tenant)), clock=self._clock)

    def _take(self, tenant: str) -> _Held:
        with self._lock:
            held = self._held.setdefault(tenant, _Held())
            held.users += 1
            self._held.move_to_end(tenant)
            return held

    def _release(self, held: _Held) -> None:
        with self._lock:
            held.users -= 1
            idle = [name for name, one in self._held.items() if one.users == 0]
            gone = [self._held.pop(name) for name in idle[: max(0, len(self._held) - self._most)]]
        for one in gone:
            if one.memory is not None:
                one.memory.close()

    def open_names(self) -> list[str]:
        """Tenants whose stores are open."""
        with self._lock:
            return [name for name, held in self._held.items() if held.memory is not None]

    def names(self) -> list[str]:
        """Every tenant that has a store."""
        kept = {path.stem for path in self._folder.glob("*.db") if TENANT.fullmatch(path.stem)}
        return sorted(kept | {name for name, path in self._elsewhere.items() if path.exists()})

    def waited_for(self) -> list[str]:
        """Tenants for whose stores something waits on disk, whether or not they exist."""
        inside = [name.removesuffix(".db") for name in waited_for(self._folder) if name.endswith(".db")]
        elsewhere = [name for name, path in self._elsewhere.items() if Spool(path).names()]
        return [name for name in inside if TENANT.fullmatch(name) and name not in self._elsewhere] + elsewhere

    def close(self) -> list[MnemosError]:
        """Close every store; returns what went wrong."""
        with self._lock:
            held, self._held = list(self._held.values()), OrderedDict()
        failures = []
        for one in held:
            try:
                if one.memory is not None:
                    one.memory.close()
            except MnemosError as error:
                failures.append(error)
        return failures
