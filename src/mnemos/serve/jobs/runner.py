"""Doing the jobs: a few at a time, one a tenant, in turns of a slice each, from the worker's thread."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mnemos.errors import MnemosError, StoreBusy, StoreError
from mnemos.origin import writing_as
from mnemos.serve.jobs.book import MOST_ATTEMPTS, Job, JobBook, Progress
from mnemos.serve.jobs.uploads import ENDED, Uploads
from mnemos.serve.jobs.work import WORK, Steps, Task, WorkFailed
from mnemos.serve.metrics import Metrics
from mnemos.serve.problems import Problem, describe
from mnemos.serve.tenants import Tenants

SIDE_BY_SIDE = 4
"""Jobs, of as many tenants, that take turns; the others wait."""
TURN = 0.3
"""Seconds that one job works before the next has its turn, about."""
NOTE = 0.25
"""Seconds between two notes of a job's progress."""
PRUNE = 60.0
"""Seconds between two looks for jobs that ended long ago, and for files that a crash left."""
log = logging.getLogger("mnemos.serve")


class Left(Exception):
    """A job has to be left in the middle of a step: it was cancelled, or the server stops."""


class _Turns:
    """A job in hand, and where it stands."""

    def __init__(self, job: Job, book: JobBook, tenants: Tenants, uploads: Uploads) -> None:
        self.job = job
        self.progress: Progress = job.progress
        self._book = book
        self._noted = 0.0
        self._stopped: Callable[[], bool] = lambda: False
        self._held = ExitStack()
        memory = self._held.enter_context(tenants.use(job.tenant))
        upload = uploads.of(job.id)
        self._steps: Steps = WORK[job.kind](Task(job, memory, lambda: tenants.apart(job.tenant), upload, self._tell))

    def take(self, stopped: Callable[[], bool]) -> dict[str, Any] | None:
        """Work for a turn; returns the result once the job is done.

        Raises:
            Left: it was cancelled, or the server stops.
        """
        self._stopped = stopped
        end = time.monotonic() + TURN
        while True:
            self._check()
            try:
                with writing_as(self.job.channel, self.job.key_id, self.job.trust):
                    self._tell(next(self._steps))
            except StopIteration as last:
                result: dict[str, Any] = last.value
                return result
            if time.monotonic() >= end:
                return None

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        if time.monotonic() - self._noted >= NOTE:
            self._noted = time.monotonic()
            self._check()
            self._book.note(self.job, progress)

    def _check(self) -> None:
        if self._stopped() or self._book.state(self.job.id) != "running":
            raise Left

    def close(self) -> None:
        """Let go of the store and the file."""
        try:
            self._steps.close()
        finally:
            self._held.close()


class Runner:
    """The jobs in hand. Of several servers on one folder one does the jobs; the others let them wait for it."""

    def __init__(self, book: JobBook, tenants: Tenants, uploads: Uploads, lock: Path, metrics: Metrics) -> None:
        self._book = book
        self._tenants = tenants
        self._uploads = uploads
        self._lock_path = lock
        self._metrics = metrics
        self._lock: sqlite3.Connection | None = None
        self._turns: list[_Turns] = []
        self._pruned = 0.0

    def chore(self, stopped: Callable[[], bool]) -> bool:
        """Give every job in hand a turn; returns whether there were any."""
        if self._lock is None and not self._begin():
            return False
        if time.monotonic() - self._pruned >= PRUNE:
            self._pruned = time.monotonic()
            self._book.prune()
            self._uploads.sweep(self._book.state)
        self._take_more()
        busy = bool(self._turns)
        for turns in list(self._turns):
            if stopped():
                break
            self._turn(turns, stopped)
        return busy

    def close(self) -> None:
        """Leave the jobs in hand, to go on with when the server starts again."""
        for turns in self._turns:
            turns.close()
            self._book.put_back(turns.job)
        self._turns = []
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _begin(self) -> bool:
        """Become the one that does the jobs."""
        lock = sqlite3.connect(self._lock_path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _take_more(self) -> None:
        while len(self._turns) < SIDE_BY_SIDE:
            job = self._book.claim([turns.job.tenant for turns in self._turns])
            if job is None:
                return
            if job.attempts > MOST_ATTEMPTS:
                detail = f"it was begun {MOST_ATTEMPTS} times and never came to its end; the server's log may say why"
                self._end(job, self._failure(job, _problem("interrupted", detail)))
                continue
            try:
                self._turns.append(_Turns(job, self._book, self._tenants, self._uploads))
            except MnemosError as error:
                self._end(job, self._failure(job, describe(error), error))

    def _turn(self, turns: _Turns, stopped: Callable[[], bool]) -> None:
        job = turns.job
        end: Callable[[], None]
        try:
            result = turns.take(stopped)
            if result is None:
                return
            end = partial(self._book.finish, job, _whole(turns.progress), result)
        except Left:
            if self._book.state(job.id) == "running":
                return
            end = _nothing
        except StoreBusy:
            end = partial(self._book.try_again, job)
        except WorkFailed as failed:
            end = self._failure(job, describe(failed.cause), failed.cause, failed.kept)
        except MnemosError as error:
            end = self._failure(job, describe(error), error)
        except Exception:  # a file may be anything, and must not end the worker
            log.exception("a job failed in a way that nobody foresaw", extra={"fields": {"job": job.id}})
            detail = "it failed in a way that nobody foresaw; the server's log says where"
            end = self._failure(job, _problem("unexpected", detail))
        self._turns.remove(turns)
        turns.close()
        self._end(job, end)

    def _end(self, job: Job, end: Callable[[], None]) -> None:
        """Note what became of a job that is no longer in hand; what cannot be noted now is begun again later."""
        end()
        state = self._book.state(job.id)
        if state in ENDED:
            self._metrics.jobs.labels(job.kind, state).inc()
            self._uploads.remove(job.id)

    def _failure(
        self, job: Job, problem: Problem, error: MnemosError | None = None, kept: Mapping[str, Any] | None = None
    ) -> Callable[[], None]:
        fields = {"job": job.id, "kind": job.kind, "tenant": job.tenant, "problem": problem.type}
        if isinstance(error, StoreError):
            fields["why"] = str(error)
        log.warning("a job failed", extra={"fields": fields})
        return partial(self._book.fail, job, problem.model_dump(), kept)


def _nothing() -> None:
    """What is to be noted of a job that was cancelled."""


def _problem(name: str, detail: str) -> Problem:
    return Problem(type=f"urn:mnemos:{name}", title="Internal Server Error", status=500, detail=detail)


def _whole(progress: Progress) -> Progress:
    """The progress of a job that is done."""
    return progress if progress.total is None else replace(progress, done=progress.total)
