"""The work that comes after the acknowledgement: derivations, a change of embedder, expiry, purging."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mnemos.embed.protocol import Embedder
from mnemos.errors import MnemosError
from mnemos.passages import Index
from mnemos.recall.indexing import Indexer
from mnemos.records import Memory
from mnemos.store import jobs
from mnemos.store.jobs import Job
from mnemos.store.sqlite import SqliteStore

Deriver = Callable[[Sequence[Memory]], str | None]
"""Derives the words of a memory from what is left of its sources; None where nothing is left to say."""

EMBED_BATCH = 256
POLL_SECONDS = 1.0

log = logging.getLogger("mnemos")


@dataclass(frozen=True, slots=True)
class Maintained:
    """What a run of `maintain` did, and what is still open."""

    done: int
    failed: int
    expired: int
    waiting: int
    purge: Literal["done", "pending"]


class Maintainer:
    """Drains the jobs table of one store."""

    def __init__(self, store: SqliteStore, indexer: Indexer, derivers: Mapping[str, Deriver]) -> None:
        self._store = store
        self._indexer = indexer
        self._derivers = derivers
        self._lock = threading.Lock()

    def run(self, now: int) -> Maintained:
        """Do all queued work whose time has come; can be stopped at any point and resumed."""
        with self._lock:
            done = failed = waiting = 0
            for job in self._store.due_jobs(now):
                try:
                    finished = self._do(job, now)
                except MnemosError as error:
                    self._store.fail_job(job, str(error), now)
                    failed += 1
                    continue
                if finished:
                    self._store.finish_job(job)
                    done += 1
                else:
                    waiting += 1
            expired = len(self._store.erase_expired(now).ids)
            return Maintained(done, failed, expired, waiting, self._store.purge_if_pending())

    def _do(self, job: Job, now: int) -> bool:
        if job.kind == jobs.REEMBED and self._indexer.embedder is not None:
            return self._embed_again(self._indexer.embedder)
        if job.kind == jobs.DERIVE_AGAIN and job.memory is not None:
            return self._derive_again(job.memory, now)
        return False

    def _embed_again(self, embedder: Embedder) -> bool:
        name, dim = embedder.name, embedder.dim
        while rows := self._store.unembedded(name, dim, EMBED_BATCH):
            vectors = self._indexer.embed([text for _, text in rows])
            self._store.keep_vectors(name, dim, zip((unit for unit, _ in rows), vectors, strict=True))
        self._store.switch_embedder(name, dim)
        return True

    def _derive_again(self, num: int, now: int) -> bool:
        memory = self._store.fetch([num]).get(num)
        if memory is None:
            return True
        deriver = self._derivers.get(memory.recipe or "")
        if deriver is None:
            return False
        sources = list(self._store.fetch(self._store.numbers(memory.sources)).values())
        text = deriver(sources)
        if text is None:
            self._store.erase([memory.id], now)
        else:
            self._store.derived_again(num, text, self._index, now)
        return True

    @property
    def _index(self) -> Index:
        return self._indexer.index


class Background:
    """A thread that runs `maintain` whenever there may be work; only where `background=True` asked for it."""

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="mnemos-maintain", daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self._run()
            except MnemosError as error:
                log.warning("maintenance will be tried again: %s", error)

    def stop(self) -> None:
        """End the thread after the work in hand."""
        self._stop.set()
        self._thread.join()
