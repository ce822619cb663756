"""Work that failed for good: seen, and queued anew."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from datetime import datetime

from mnemos.aio import in_thread
from mnemos.errors import InvalidInput, NotFound
from mnemos.keeping import Keeper
from mnemos.store import jobs
from mnemos.times import EPOCH, from_micros


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was tried as often as is allowed. Nothing of what it was about is lost: it can be queued anew."""

    job: int
    """Its number, for `retry`."""
    kind: str
    """`derive-again`, `re-embed`, `llm-extract` or `llm-write`."""
    attempts: int
    error: str
    """What went wrong the last time."""
    queued_at: datetime
    memory_ids: tuple[str, ...] = ()
    """The memories that it is about."""


class JobVerbs(Keeper):
    """What `Mnemos` says about its queue."""

    def dead_letters(self) -> builtins.list[DeadLetter]:
        """The jobs that have failed for good and wait for a person, oldest first."""
        with self._store.db.read() as connection:
            return [
                DeadLetter(
                    job=dead.num,
                    kind=dead.kind,
                    attempts=dead.attempts,
                    error=dead.error,
                    queued_at=from_micros(dead.created_at) or EPOCH,
                    memory_ids=tuple(jobs.ids_of(connection, dead)),
                )
                for dead in jobs.dead(connection)
            ]

    def retry(self, job: int | None = None) -> int:
        """Queue a dead letter anew, or all of them; returns how many. `maintain()` then does them.

        Raises:
            NotFound: no dead letter has this number.
        """
        if job is not None and (isinstance(job, bool) or not isinstance(job, int)):
            raise InvalidInput("job", f"{str(job)[:40]!r} is not a number", "give the number of a dead letter")
        now = self._now()
        with self._store.db.write() as connection:
            nums = [dead.num for dead in jobs.dead(connection)] if job is None else [job]
            revived = sum(jobs.revive(connection, num, now) for num in nums)
        if job is not None and not revived:
            raise NotFound("job", str(job))
        return revived

    def queued(self) -> dict[str, int]:
        """How many jobs of each kind wait."""
        with self._store.db.read() as connection:
            return jobs.counts(connection)

    def keep_up(self) -> None:
        """Read what was written since, where somebody searched last, so that the next search there need not wait."""
        self._searcher.keep_up()

    akeep_up = in_thread(keep_up)
    adead_letters = in_thread(dead_letters)
    aretry = in_thread(retry)
    aqueued = in_thread(queued)
