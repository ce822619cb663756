"""The jobs of a language model: read, ask outside any transaction, look again, write in one transaction.

What was read may have changed or gone while the model was thinking. Then its answer is dropped and the job stays.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mnemos.errors import BudgetExceeded, LanguageModelError, MnemosError
from mnemos.facts.stage import FactStage
from mnemos.llm.client import LanguageModel
from mnemos.llm.decide import decide
from mnemos.llm.extract import Extraction, extract
from mnemos.llm.lines import Line, lines_of
from mnemos.llm.paying import Account
from mnemos.llm.queueing import WRITE, digest, is_read, is_written, queue_levels, queue_turns
from mnemos.llm.remember import known_near, remember
from mnemos.llm.write import Written, write
from mnemos.passages import Index
from mnemos.stages import Batch, Stage
from mnemos.store import asking, jobs, levels
from mnemos.store.database import Database
from mnemos.store.decisions import was_undone
from mnemos.store.deriving import WRITTEN
from mnemos.store.jobs import Job
from mnemos.store.rows import Stored, fetch_num
from mnemos.update.conflict import resolve

BEFORE = 6
"""Earlier turns of a session that are shown beside those asked about."""
CHARACTERS = 12_000
"""Characters about which one question is asked."""

log = logging.getLogger("mnemos")


class LanguageWork:
    """What one store asks a language model, and what it does with the answers."""

    def __init__(self, db: Database, model: LanguageModel, index: Index, stages: Sequence[Stage], derived: str) -> None:
        """`derived` names the mark of how far derivation has read the log."""
        self._db = db
        self._model = model
        self._index = index
        self._stages = tuple(stages)
        self._facts = next((stage for stage in stages if isinstance(stage, FactStage)), FactStage(resolve))
        self._derived = derived
        self._resting = False

    @property
    def max_attempts(self) -> int:
        """How often a job is tried."""
        return self._model.max_attempts

    def begin(self, now: int) -> None:
        """Queue what is new; an endpoint that failed in an earlier run is tried again."""
        self._resting = False
        self.queue(now)

    def queue(self, now: int) -> bool:
        """Queue what derivation has read and changed since the last time; False where there is nothing."""
        with self._db.read() as connection:
            if is_read(connection, self._derived):
                return False
        not_before = now + int(self._model.quiet * 1_000_000) if self._model.quiet else 0
        more = True
        while more:
            with self._db.write() as connection:
                more = queue_turns(connection, self._derived, now, not_before)
        with self._db.write() as connection:
            queue_levels(connection, now, not_before)
        return True

    def ask_about(self, num: int, now: int) -> None:
        """Queue a question about one memory that came back into the index."""
        with self._db.write() as connection:
            jobs.enqueue_many(connection, jobs.LLM_EXTRACT, [num], now)

    def run(self, job: Job, now: int) -> bool:
        """Do one job; False where it has to wait: for other work, for money, or for an endpoint that has just failed.

        Raises:
            LanguageModelError: it failed; nothing was written.
        """
        if self._resting:
            return False
        try:
            return self._extract(job, now) if job.kind == jobs.LLM_EXTRACT else self._write(job, now)
        except BudgetExceeded as error:
            log.warning("%s waits: %s", job.kind, error)
            self._resting = True
            return False
        except LanguageModelError as error:
            self._resting = not error.reachable
            raise
        except MnemosError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it says may quote a memory
            raise LanguageModelError(f"{type(error).__name__} while reading the answer") from None

    def _extract(self, job: Job, now: int) -> bool:
        with self._db.read() as connection:
            turns = asking.shown(connection, job.payload["nums"])
            if not turns:
                return True
            before = asking.before(connection, turns[0].num, BEFORE)
            namespace = Batch(connection, [], self._index, now).namespace(turns[0].num)
        account = Account(self._db, self._model, job.kind, now)
        lines = lines_of(turns, "t")
        earlier: Sequence[Line] = lines_of(before, "b")
        read = Extraction([], Counter(), Counter())
        for part in _parts(lines):
            read = read.joined(extract(account.ask, part, earlier))
            earlier = part[-BEFORE:]
        _report(job.kind, len(read.found), read.malformed, read.unfounded)
        with self._db.read() as connection:
            near = Batch(connection, [], self._index, now)
            known = [known_near(near, namespace, new) for new in read.found]
        decisions = decide(account.ask, read.found, known)
        _report(job.kind, len(decisions.all), decisions.refused)
        with self._db.write() as connection:
            if not _unchanged(connection, job, turns):
                return False
            batch = Batch(connection, [], self._index, now)
            by_num = {stored.num: stored for stored in turns}
            for decided in decisions.all:
                sources = [by_num[num] for num in decided.new.sources]
                remember(batch, self._facts, decided, sources, self._model.name)
            for stage in self._stages:
                stage.take(batch)
            queue_levels(connection, now, 0)
            jobs.finish(connection, job)
        return True

    def _write(self, job: Job, now: int) -> bool:
        with self._db.read() as connection:
            level = None if job.memory is None else fetch_num(connection, job.memory)
            if level is None or is_written(level.memory) or was_undone(connection, level.num, WRITE):
                return True
            if asking.turns_waiting(connection) or asking.members_waiting(connection, level.num):
                return False
            members = asking.shown(connection, levels.members(connection, level.num), faded=True)
        lines = _within(lines_of(members, "m"))
        if not lines:
            return True
        written = write(Account(self._db, self._model, job.kind, now).ask, level.memory.kind, lines)
        _report(job.kind, len(written.sentences), written.malformed, written.unfounded)
        if not written.sentences:
            return True
        with self._db.write() as connection:
            if not _unchanged(connection, job, [level, *members]):
                return False
            ids = {stored.num: stored.memory.id for stored in members}
            batch = Batch(connection, [], self._index, now)
            metadata = {**level.memory.metadata, WRITTEN: _note(self._model.name, written, ids)}
            batch.reword(level.num, written.text, metadata)
            batch.decide(level.num, WRITE, f"llm:{self._model.name}", detail={"sentences": len(written.sentences)})
            jobs.finish(connection, job)
        return True


def _parts(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """Lines cut so that no question is too long."""
    start = size = 0
    for place, line in enumerate(lines):
        if place > start and size + len(line.text) > CHARACTERS:
            yield lines[start:place]
            start, size = place, 0
        size += len(line.text)
    if start < len(lines):
        yield lines[start:]


def _within(lines: Sequence[Line]) -> Sequence[Line]:
    """As many lines from the end as one question takes."""
    size = 0
    for place in range(len(lines) - 1, -1, -1):
        size += len(lines[place].text)
        if size > CHARACTERS and place + 1 < len(lines):
            return lines[place + 1 :]
    return lines


def _unchanged(connection: sqlite3.Connection, job: Job, read: Sequence[Stored]) -> bool:
    """Whether the job still waits as it was, and what was read for it is there and says the same."""
    row = connection.execute("SELECT payload FROM jobs WHERE num = ? AND state = 'queued'", (job.num,)).fetchone()
    if row is None or json.loads(row[0]) != job.payload:
        return False
    there = asking.shown(connection, [stored.num for stored in read], faded=job.kind == jobs.LLM_WRITE)
    now = {stored.num: stored.memory for stored in there}
    return all(
        stored.num in now
        and now[stored.num].text == stored.memory.text
        and now[stored.num].sources == stored.memory.sources
        for stored in read
    )


def _note(model: str, written: Written, ids: Mapping[int, str]) -> dict[str, Any]:
    cites = [[ids[num] for num in nums] for _, nums in written.sentences]
    return {"by": model, "text": digest(written.text), "cites": cites}


def _report(kind: str, kept: int, malformed: Counter[str], unfounded: Mapping[str, int] = MappingProxyType({})) -> None:
    """Say what was refused; an answer of which nothing else is left, and something is malformed, is a failure."""
    refused = malformed + Counter(unfounded)
    if not refused:
        return
    reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(refused.items()))
    log.info("%s: refused of the model's answer: %s", kind, reasons)
    if malformed and not kept:
        raise LanguageModelError(f"nothing in the answer holds up: {reasons}")
