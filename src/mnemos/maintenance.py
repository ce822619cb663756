"""The work that comes after the acknowledgement: derivations, a change of embedder, expiry, purging."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mnemos.embed.missing import MissingEmbedder
from mnemos.embed.protocol import Embedder
from mnemos.errors import MnemosError
from mnemos.events import read_text
from mnemos.forget.carrying import keep_budgets
from mnemos.passages import Index
from mnemos.pipeline import BATCH, GENTLE, Pipeline
from mnemos.recall.indexing import embedded
from mnemos.records import Memory
from mnemos.store import jobs
from mnemos.store.jobs import Job
from mnemos.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from mnemos.llm.work import LanguageWork

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
    read: int = 0
    """New memories that were gated and derived from."""
    forgotten: int = 0
    """Memories that went a step further because a namespace held more than its budget."""
    promoted: int = 0
    """Memories that the policy of the model that is bound has moved to a form that is cheaper to read."""
    demoted: int = 0
    """Memories that it has moved back."""
    built: int = 0
    """Memories that were wanted in another form than text, and are in it now."""
    unbuilt: int = 0
    """Memories that wait for that."""
    notes: tuple[str, ...] = ()
    """Why they do."""


class Maintainer:
    """Drains the jobs table of one store."""

    def __init__(
        self,
        store: SqliteStore,
        index: Index,
        serving: Callable[[], Embedder],
        wanted: Embedder | None,
        derivers: Mapping[str, Deriver],
        pipeline: Pipeline,
        language: LanguageWork | None = None,
    ) -> None:
        self._store = store
        self._index = index
        self._serving = serving
        self._wanted = wanted
        self._derivers = derivers
        self._pipeline = pipeline
        self._language = language
        self._lock = threading.Lock()
        self._end: float | None = None
        self._progress: Callable[[int], None] | None = None
        self._read = 0
        self._size = BATCH
        self._swept = False

    def run(
        self,
        now: int,
        seconds: float | None = None,
        progress: Callable[[int], None] | None = None,
        *,
        gentle: bool = False,
    ) -> Maintained:
        """Do all queued work whose time has come, or as much as fits; can be stopped at any point and resumed."""
        with self._lock:
            self._size = GENTLE if gentle else BATCH
            self._progress = progress
            self._end = None if seconds is None else time.monotonic() + seconds
            if self._wanted is not None and self._wanted.name != self._serving().name:
                self._store.want_vectors(now)
            if self._language is not None:
                self._language.begin(now)
            self._read = done = failed = 0
            while True:
                finished, failures, waiting = self._pass(now)
                done, failed = done + finished, failed + failures
                more = self._language is not None and self._language.queue(now)
                if not finished or not (waiting or more) or self._stopped():
                    break
            forgotten = 0 if self._stopped() else keep_budgets(self._store.db, self._index, now, self._stopped)
            expired = len(self._store.erase_expired(now).ids)
            if not (gentle and self._swept):
                self._store.sweep_artifacts()
                self._swept = True
            return Maintained(done, failed, expired, waiting, self._store.purge_if_pending(), self._read, forgotten)

    def _stopped(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def _pass(self, now: int) -> tuple[int, int, int]:
        """Go through the queue once; what waits for other work may be done in the next pass."""
        done = failed = waiting = after = 0
        while found := self._store.due_jobs(now, after):
            for job in found:
                if self._stopped():
                    return done, failed, waiting + 1
                after = job.num
                if not self._store.is_queued(job):
                    continue
                try:
                    finished = self._do(job, now)
                except Exception as error:  # noqa: BLE001 - derivers and embedders are other people's code
                    log.warning("%s failed and will be tried again: %s", job.kind, error)
                    self._fail(job, error, now)
                    failed += 1
                    continue
                if finished and job.kind != jobs.DERIVE:
                    self._store.finish_job(job)
                    done += 1
                waiting += not finished
        return done, failed, waiting

    def _fail(self, job: Job, error: Exception, now: int) -> None:
        most = self._language.max_attempts if self._language and job.kind in jobs.LANGUAGE else jobs.MAX_ATTEMPTS
        self._store.fail_job(job, str(error), now, getattr(error, "wait", 0.0), most)

    def _do(self, job: Job, now: int) -> bool:
        if job.kind == jobs.DERIVE:
            for read in self._pipeline.run(now, self._stopped, self._size):
                self._read += read
                if self._progress is not None:
                    self._progress(self._read)
            if self._language is not None:
                self._language.queue(now)
            return not self._stopped()
        if job.kind in jobs.LANGUAGE:
            return self._language is not None and self._language.run(job, now)
        if job.kind == jobs.REEMBED:
            embedder = self._wanted or self._serving()
            return not isinstance(embedder, MissingEmbedder) and self._embed_again(embedder)
        if job.kind == jobs.DERIVE_LATE:
            if self._language is not None and job.memory is not None:
                self._language.ask_about(job.memory, now)
            return self._pipeline.derive_late(job, now)
        if job.kind == jobs.DERIVE_AGAIN and job.memory is not None:
            return self._derive_again(job, job.memory, now)
        return False

    def _embed_again(self, embedder: Embedder) -> bool:
        name, dim = embedder.name, embedder.dim
        while not self._store.switch_embedder(name, dim):
            rows = self._store.unembedded(name, dim, EMBED_BATCH)
            texts = [text for _, text in rows]
            vectors = embedded(embedder, texts)
            self._store.keep_vectors(name, dim, zip((unit for unit, _ in rows), vectors, texts, strict=True))
        return True

    def _derive_again(self, job: Job, num: int, now: int) -> bool:
        memory = self._store.fetch([num]).get(num)
        if memory is None:
            return True
        if self._pipeline.derives(memory.recipe):
            return self._pipeline.derive_again(job, now)
        deriver = self._derivers.get(memory.recipe or "")
        if deriver is None or self._store.hidden(memory.sources):
            return False
        sources = list(self._store.fetch(self._store.numbers(memory.sources)).values())
        text = deriver(sources)
        if text is None:
            self._store.erase([memory.id], now)
        else:
            self._store.derived_again(job, num, read_text(text, "text"), self._index, now)
        return True


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
