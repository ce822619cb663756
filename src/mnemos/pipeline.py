"""Derivation: what the log has gained goes through every stage, in batches, each one transaction.

A batch and the mark of how far the log has been read are written together, so that derivation can be stopped at any
point, killed even, and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from mnemos.passages import Index
from mnemos.stages import Again, Batch, Stage, own
from mnemos.store import progress
from mnemos.store.database import Database
from mnemos.store.deriving import trust_sources
from mnemos.store.erasing import erase_rows
from mnemos.store.jobs import DERIVE, Job, finish_kind
from mnemos.store.rows import fetch_id, fetch_num

BATCH = 256
"""Log entries read at a time."""
GENTLE = 16
"""The same beside other work, which a batch keeps waiting."""
NAME = "derive"
"""Under which the mark of how far the log has been read is kept."""


class Pipeline:
    """The stages of one store, in order; they are made when the first of them is needed."""

    def __init__(self, db: Database, stages: Callable[[], Sequence[Stage]], index: Index) -> None:
        self._db = db
        self._index = index
        self._make = stages

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """In the order in which they read."""
        return tuple(self._make())

    @cached_property
    def _again(self) -> dict[str, Again]:
        return {recipe: again for stage in self.stages for recipe, again in stage.again.items()}

    def run(self, now: int, stopped: Callable[[], bool], size: int = BATCH) -> Iterator[int]:
        """Read all that is new, or until `stopped`; yields how many memories each batch had."""
        while not stopped() and (read := self._next(now, size)) is not None:
            yield read

    def _next(self, now: int, size: int) -> int | None:
        """Read one batch; None where nothing is new, and the job that asked for it is taken off the table."""
        with self._db.write() as connection:
            found = progress.unread(connection, progress.watermark(connection, NAME), size)
            if found is None:
                finish_kind(connection, DERIVE)
                return None
            if found.memories:
                batch = Batch(connection, found.memories, self._index, now)
                for stage in self.stages:
                    stage.take(batch)
            progress.advance(connection, NAME, found.last)
            return len(found.memories)

    def derives(self, recipe: str | None) -> bool:
        """Whether a stage derives memories of this recipe."""
        return recipe in self._again

    def derive_late(self, job: Job, now: int) -> bool:
        """Let one memory that came back into the index go through every stage."""
        with self._db.write() as connection:
            stored = None if job.memory is None else fetch_num(connection, job.memory)
            if stored is not None:
                batch = Batch(connection, [stored], self._index, now)
                for stage in self.stages:
                    stage.take(batch)
            return True

    def derive_again(self, job: Job, now: int) -> bool:
        """Derive one hidden memory again from what is left of its sources; False while those wait themselves."""
        with self._db.write() as connection:
            stored = None if job.memory is None else fetch_num(connection, job.memory)
            if stored is None or connection.execute("SELECT 1 FROM jobs WHERE num = ?", (job.num,)).fetchone() is None:
                return True
            found = [fetch_id(connection, source) for source in stored.memory.sources]
            sources = [own(source) for source in found if source is not None]
            hidden = "SELECT 1 FROM memories WHERE num = ? AND hidden = 1"
            if any(connection.execute(hidden, (source.num,)).fetchone() for source in sources):
                return False
            batch = Batch(connection, [], self._index, now)
            trust_sources(connection, stored.num)
            text = self._again[stored.memory.recipe or ""](batch, stored, sources)
            if text is None:
                erase_rows(connection, [stored.num], now)
            else:
                batch.reword(stored.num, text)
            return True
