"""Import a file into a memory: find the format, read it as a stream, add it in batches, say what was left out."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from mnemos.errors import ImportFailed, InvalidInput
from mnemos.io import jsonl
from mnemos.io.formats import Match, match_format, read_items
from mnemos.io.jsonl import Entry, Restored
from mnemos.io.jsonl import Progress as Progress
from mnemos.io.reading import Message, Options, Skipped, read_date_order
from mnemos.io.source import Bundle, open_bundle
from mnemos.namespaces import read_scope
from mnemos.records import Memory, Namespace
from mnemos.times import Zone, read_zone

BATCH = 1000
"""Messages added, and made durable, at once."""
MAX_REASONS = 60
PLACES = 10
"""How many places are named for each reason."""


class Target(Protocol):
    """What messages are added to."""

    def add(
        self,
        messages: list[Message],
        /,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
    ) -> Sequence[Memory]:
        """Store messages durably, in order; repeats are told by `is_new`."""
        ...


Restore = Callable[[Iterable[Entry]], Restored]
"""Puts back the entries of an export, all of them or none."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import read, kept and left out."""

    format: str
    added: int = 0
    repeated: int = 0
    """Messages that were stored already."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Why things were left out, and how many, most frequent first."""
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each of these reasons, the first places in the file."""
    first: datetime | None = None
    last: datetime | None = None
    sessions: int = 0


class ImportStopped(ImportFailed):
    """A file could be read only in part; what came before is kept, and `report` says what that is."""

    def __init__(self, problem: str, report: ImportReport) -> None:
        kept = f"{report.added:,} added, {report.repeated:,} already there"
        super().__init__(f"{problem}; what was read before it is kept ({kept})")
        self.problem = problem
        self.report = report


class _Scope(NamedTuple):
    """Whose memory a message goes to."""

    user_id: str | None = None
    agent_id: str | None = None
    namespace: Namespace | None = None


class _Import:
    """One import under way."""

    def __init__(self, memory: Target, scope: _Scope, format_name: str, batch: int, since: datetime | None) -> None:
        self._memory = memory
        self._scope = scope
        self._format = format_name
        self._batch = batch
        self._since = since
        self._met: set[int] = set()
        self._waiting: dict[_Scope, list[Message]] = {}
        self._count = 0
        self._added = self._repeated = 0
        self._skipped: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}
        self._sessions: set[tuple[Namespace, str]] = set()
        self._first: datetime | None = None
        self._last: datetime | None = None

    def take(self, item: Message | Skipped) -> bool:
        """One thing that a reader gave; returns whether it was time to add what waits."""
        if isinstance(item, Skipped):
            self.skip(item)
            return False
        own = item.pop("scope", None)
        scope = _Scope(**own) if own and self._scope == _Scope() else self._scope
        self._waiting.setdefault(scope, []).append(item)
        self._count += 1
        if self._count < self._batch:
            return False
        self.flush()
        return True

    def skip(self, item: Skipped) -> None:
        """Count something that was left out."""
        reason = item.reason
        if reason not in self._skipped and len(self._skipped) >= MAX_REASONS:
            reason = "for another reason"
        self._skipped[reason] += item.count
        places = self._places.setdefault(reason, [])
        if item.where and len(places) < PLACES:
            places.append(item.where)

    def flush(self) -> None:
        """Add what waits."""
        waiting, self._waiting, self._count = self._waiting, {}, 0
        for scope, messages in waiting.items():
            for memory in self._add(messages, scope):
                self._note(memory)

    def _add(self, messages: list[Message], scope: _Scope) -> Sequence[Memory]:
        """Add a batch; without the messages that the store refuses, which are counted."""
        while messages:
            try:
                return self._memory.add(messages, **scope._asdict())
            except InvalidInput as error:
                found = re.match(r"messages\[(\d+)\]\.?(.*)", error.field)
                if found is None:
                    if scope == self._scope:
                        raise
                    # only these are of a scope that cannot be used
                    self._refuse(messages, error)
                    return []
                self._refuse([messages.pop(int(found[1]))], error, found[2])
        return []

    def _refuse(self, messages: list[Message], error: InvalidInput, field: str | None = None) -> None:
        """Count messages that the store refuses."""
        reason = f"{error.field if field is None else field} {error.problem}".strip()
        for message in messages:
            self.skip(Skipped(reason, str(message.get("source_id", ""))))

    def _note(self, memory: Memory) -> None:
        added = memory.is_new if self._since is None else self._is_first(memory, self._since)
        self._added += added
        self._repeated += not added
        if memory.session_id is not None:
            self._sessions.add((memory.namespace, memory.session_id))
        moment = memory.happened_at
        if moment is not None:
            self._first = moment if self._first is None else min(self._first, moment)
            self._last = moment if self._last is None else max(self._last, moment)

    def _is_first(self, memory: Memory, since: datetime) -> bool:
        """Whether a memory was stored by this import, by an earlier try of it too, and is met for the first time."""
        mark = hash(memory.id)
        if mark in self._met or memory.created_at is None or memory.created_at < since:
            return False
        self._met.add(mark)
        return True

    def report(self) -> ImportReport:
        """What has been done so far."""
        return ImportReport(
            format=self._format,
            added=self._added,
            repeated=self._repeated,
            skipped=dict(self._skipped.most_common()),
            places={reason: tuple(places) for reason, places in self._places.items()},
            first=self._first,
            last=self._last,
            sessions=len(self._sessions),
        )


def import_file(
    memory: Target,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    user_id: str | None = None,
    agent_id: str | None = None,
    namespace: Sequence[str] | None = None,
    timezone: Zone | None = None,
    date_order: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    restore: Restore | None = None,
) -> ImportReport:
    """Import a file, folder or .zip. Importing it again adds nothing.

    `format` is found by content where it is not given. `timezone` is for times that name none, `date_order`
    (`dmy`, `mdy`, `ymd`) for dates that could be read in two ways. `progress(read, total)` is called with bytes.
    `strict` ends the import at the first bad line of plain messages, which are otherwise counted. `restore` puts back
    the entries of Mnemos' own export. `ImportStopped` carries the report of what was kept.
    """
    return finished(
        import_steps(
            memory,
            path,
            format=format,
            user_id=user_id,
            agent_id=agent_id,
            namespace=namespace,
            timezone=timezone,
            date_order=date_order,
            strict=strict,
            progress=progress,
            restore=restore,
        )
    )


def finished(steps: Generator[ImportReport, None, ImportReport]) -> ImportReport:
    """What an import returns in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: ImportReport = end.value
            return report


def import_steps(
    memory: Target,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    user_id: str | None = None,
    agent_id: str | None = None,
    namespace: Sequence[str] | None = None,
    timezone: Zone | None = None,
    date_order: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    restore: Restore | None = None,
    batch: int = BATCH,
    since: datetime | None = None,
) -> Generator[ImportReport, None, ImportReport]:
    """Like `import_file`, a batch at a time: yields what has been done after each, and returns the whole.

    `since` is when an import that was cut off began: what the store has held since then counts as added. What
    `progress` raises ends the import.
    """
    options = Options(read_zone(timezone), read_date_order(date_order), strict)
    read_scope(user_id, agent_id, namespace)
    scope = _Scope(user_id, agent_id, None if namespace is None else tuple(namespace))
    with open_bundle(path) as bundle:
        bundle.meter.tell = progress
        match = match_format(bundle, format)
        if match.reader is None:
            return _restore(bundle, match, scope, restore, progress)
        return (yield from _import(_Import(memory, scope, match.name, batch, since), bundle, match, options, progress))


def _import(
    run: _Import, bundle: Bundle, match: Match, options: Options, progress: Progress | None
) -> Generator[ImportReport, None, ImportReport]:
    bundle.expect(match.files)
    try:
        for item in read_items(match, bundle, options):
            if run.take(item):
                yield run.report()
    except ImportFailed as error:
        run.flush()
        raise ImportStopped(str(error), run.report()) from error
    run.flush()
    if progress is not None:
        progress(bundle.meter.total, bundle.meter.total)
    return run.report()


def _restore(
    bundle: Bundle, match: Match, scope: _Scope, restore: Restore | None, progress: Progress | None
) -> ImportReport:
    if restore is None:
        raise InvalidInput("format", "Mnemos' own export cannot be restored here", "open a store and import it there")
    if scope != _Scope():
        raise InvalidInput(
            "namespace", "given for Mnemos' own export, which says whose each memory is", "leave the scope out"
        )
    result = restore(jsonl.read_export(bundle, match.files[0], progress))
    return ImportReport(match.name, added=result.added, repeated=result.repeated)
