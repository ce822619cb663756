"""What each kind of job does, in steps between which it can be left: at once for others, or for good."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mnemos.errors import ImportFailed, InvalidInput, MnemosError
from mnemos.io import jsonl
from mnemos.io.importing import ImportReport, ImportStopped
from mnemos.io.source import open_bundle
from mnemos.maintenance import Maintained
from mnemos.namespaces import read_scope
from mnemos.serve.jobs.book import Job, Kind, Progress
from mnemos.system import Mnemos
from mnemos.times import from_micros

SLICE = 0.1
"""Seconds of one step of maintenance, about."""
IDLE = 3
"""Steps of maintenance in which nothing could be done, after which what waits cannot be done now."""
COUNTED = ("done", "failed", "expired", "read", "forgotten")
BATCH = 250
"""Messages that one step of an import adds."""
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")

Result = dict[str, Any]
Steps = Generator[Progress, None, Result]


class WorkFailed(Exception):
    """A job cannot go on; `cause` says why, without words of memories, and `kept` what of it holds."""

    def __init__(self, cause: MnemosError, kept: Result | None = None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.kept = kept


@dataclass(frozen=True, slots=True)
class Task:
    """A job in hand."""

    job: Job
    memory: Mnemos
    """The tenant's open store."""
    apart: Callable[[], AbstractContextManager[Mnemos]]
    """Opens the tenant's store once more, for a transaction that keeps no reader waiting."""
    upload: Path | None
    """The file that came with it."""
    tell: Callable[[Progress], None]
    """Is told how far a step is; raises where the job should be left."""


def import_upload(task: Task) -> Steps:
    """Import the file that was sent. What it holds is known by its ids, so a second try adds what the first did not."""
    if task.upload is None:
        raise WorkFailed(InvalidInput("file", "is no longer there", "send it again"))
    far = Progress(unit="bytes", total=task.job.progress.total)
    size = far.total or 0

    def tell(read: int, total: int) -> None:
        nonlocal far
        far = Progress(size * read // max(1, total), size, "bytes", far.counts)
        task.tell(far)

    again = task.job.attempts > 1
    since = from_micros(task.job.created_at) if again else None
    try:
        with _store_for(task) as memory:
            steps = memory.import_steps(task.upload, progress=tell, batch=BATCH, since=since, **task.job.params)
            while True:
                try:
                    report = next(steps)
                except StopIteration as end:
                    return _told(end.value)
                far = Progress(far.done, far.total, "bytes", _counts(report))
                yield far
    except ImportStopped as error:
        cause = ImportFailed(f"{without_words(error.problem, task.upload)}; what was read before it is kept")
        raise WorkFailed(cause, _told(error.report)) from error
    except (ImportFailed, InvalidInput) as error:
        raise WorkFailed(told_to_all(error, task.upload)) from error


def _store_for(task: Task) -> AbstractContextManager[Mnemos]:
    """What is put back in one long transaction goes through a connection of its own; batches are short."""
    return task.apart() if task.job.params["format"] == jsonl.NAME else nullcontext(task.memory)


def maintain(task: Task) -> Steps:
    """Do all that is queued in a store."""
    return asdict((yield from _maintained(task.memory)))


def forget(task: Task) -> Steps:
    """Bring the namespaces of a scope, one after another, in step with a budget."""
    told = dict(task.job.params)
    scope = read_scope(**told.pop("scope"))
    yield from _maintained(task.memory)
    path = scope.namespace
    below = [one for one in task.memory.namespaces() if one[: len(path)] == path] if scope.descendants else [path]
    moment = told.pop("now") or from_micros(task.job.created_at)
    steps: Counter[str] = Counter({"rest": 0, "summarise": 0, "delete": 0})
    for place, namespace in enumerate(below):
        yield Progress(place, len(below), "namespaces", dict(steps))
        steps.update(one.step for one in task.memory.forget(namespace=namespace, now=moment, **told))
    return {**steps, "namespaces": len(below)}


WORK: Mapping[Kind, Callable[[Task], Steps]] = {"import": import_upload, "maintain": maintain, "forget": forget}


def _maintained(memory: Mnemos) -> Generator[Progress, None, Maintained]:
    """Maintain a store until nothing that can be done waits."""
    whole = memory.maintain(SLICE, gentle=True)
    idle = 0
    while whole.waiting and idle < IDLE:
        yield Progress(whole.read + whole.done, None, "memories", {"waiting": whole.waiting})
        slice_ = memory.maintain(SLICE, gentle=True)
        idle = 0 if slice_.read or slice_.done else idle + 1
        whole = _sum(whole, slice_)
    return whole


def _sum(before: Maintained, after: Maintained) -> Maintained:
    sums = {name: getattr(before, name) + getattr(after, name) for name in COUNTED}
    return replace(after, **sums)


def _counts(report: ImportReport) -> dict[str, int]:
    return {"added": report.added, "repeated": report.repeated, "skipped": sum(report.skipped.values())}


def _told(report: ImportReport) -> Result:
    """What an import came to, without what a file or a message says."""
    skipped: Counter[str] = Counter()
    for reason, count in report.skipped.items():
        skipped[_QUOTED.sub("…", reason)] += count
    return {
        "format": report.format,
        "added": report.added,
        "repeated": report.repeated,
        "skipped": dict(skipped),
        "first": None if report.first is None else report.first.isoformat(),
        "last": None if report.last is None else report.last.isoformat(),
        "sessions": report.sessions,
    }


def told_to_all(error: ImportFailed | InvalidInput, upload: Path) -> MnemosError:
    """An error about a file that was sent, fit to be kept: without the names of files and what is quoted from them."""
    if isinstance(error, InvalidInput):
        field = "file" if error.field == "path" else error.field
        return InvalidInput(field, without_words(error.problem, upload), without_words(error.mend, upload))
    return ImportFailed(without_words(str(error), upload))


def without_words(text: str, upload: Path) -> str:
    """A text about a file that was sent, without the names of files and what is quoted from them."""
    text = text.replace(str(upload), "the file").replace(upload.name, "the file")
    with suppress(ImportFailed, InvalidInput), open_bundle(upload) as bundle:
        for place, name in enumerate(bundle.files, 1):
            text = re.sub(
                rf"(?<!\S){re.escape(name)}(?=, (?:line|element|conversation) |: )", f"its file {place}", text
            )
    return _QUOTED.sub("…", text)
