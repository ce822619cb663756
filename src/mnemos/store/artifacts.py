"""Artifacts: what was made of memories for one model (KV blocks, adapters), in files beside the store.

On the way in the row is written last, on the way out it goes first: what a row speaks of is always there, and whole.
What is made of a memory goes with it, in the same transaction, in whatever way the memory goes, changes or leaves the
index (see `schema_artifacts`); what is *wanted* in a form stays wanted, so that `maintain` can make it again.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mnemos.errors import InvalidInput, NotFound, StoreError
from mnemos.events import dump_json, read_metadata
from mnemos.ids import new_id, read_id
from mnemos.namespaces import read_label, read_namespace
from mnemos.records import Memory, Namespace
from mnemos.store import artifact_files as files
from mnemos.store import artifact_rows as rows
from mnemos.store.artifact_arguments import read_duration, read_form, read_ids, read_sources, read_state
from mnemos.store.artifact_rows import Artifact, ArtifactForm, Filter, State, Wanted
from mnemos.store.artifact_upkeep import discard, unlink_gone
from mnemos.store.database import Database
from mnemos.store.log import namespace_num
from mnemos.store.rows import Stored, fetch_held
from mnemos.times import from_micros, to_micros

READ = ("text", "kind", "speaker", "role", "happened_at", "valid_at", "invalid_at")
"""What a model reads of a memory."""
STATED = ("subject", "relation", "object", "negated")
"""What it reads of a fact's metadata besides."""


class Artifacts:
    """The artifacts of one store, and what is wanted. Safe beside other threads and processes."""

    def __init__(self, db: Database, now: Callable[[], int]) -> None:
        self._db = db
        self._now = now
        self._uses: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """The path of a file to write on the store's own disk, from which `keep` takes it without copying it.

        What is still there at the end is removed, and so is what a process leaves that is killed meanwhile.
        """
        with files.scratch(self._db.folder) as path:
            yield path

    def keep(
        self,
        form: ArtifactForm,
        recipe: str,
        fingerprint: str,
        sources: Sequence[str | Memory],
        file: Path,
        *,
        metadata: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
        state: State = "fresh",
    ) -> Artifact:
        """Keep a file as an artifact of some memories of one namespace; on disk when this returns.

        Args:
            form: `activation` or `parametric`.
            recipe: what made it, such as `kv-int8`.
            fingerprint: of the model that it was made for.
            sources: the memories that it was made of, in their order in it; as ids, or, safer, as the memories that
                were read: then it is refused where one of them has changed meanwhile.
            file: copied, and left alone; one from `scratch` is taken as it is.
            metadata: JSON without words of memories.
            seconds: that it took to make.
            state: `fresh`, unless it is known to be out of date.

        Returns:
            The artifact; the one that is there already where the same file is kept of the same memories again.

        Raises:
            NotFound: a source is gone, or its time is up.
            InvalidInput: an argument cannot be accepted, or a source has changed since it was read.
            StoreFull: no room; the store is as it was.
        """
        made = Artifact(
            id=new_id(),
            form=read_form(form),
            recipe=read_label(recipe, "recipe"),
            namespace=(),
            fingerprint=read_label(fingerprint, "fingerprint"),
            hash="",
            bytes=0,
            state=read_state(state),
            created_at=from_micros(self._now()),
            seconds=read_duration(seconds),
            metadata=read_metadata(metadata, "metadata") or {},
            sources=read_sources(sources),
        )
        file = Path(file).absolute()
        if files.is_scratch(self._db.folder, file):
            return self._place(made, sources, file, files.brought_to_disk(file))
        with self.scratch() as own:
            return self._place(made, sources, own, files.copied(file, own))

    def _place(self, made: Artifact, sources: Sequence[str | Memory], file: Path, content: files.Content) -> Artifact:
        now = to_micros(made.created_at)
        try:
            with self._db.write() as connection:
                found = _held(connection, sources, now)
                made = replace(made, namespace=found[0].memory.namespace, hash=content.hash, bytes=content.bytes)
                if (same := _same(connection, made, now)) is not None:
                    return same
                files.publish(self._db.folder, file, content.hash)
                namespace = namespace_num(connection, made.namespace)
                assert namespace is not None
                metadata = dump_json(made.metadata, "metadata") if made.metadata else None
                rows.insert(connection, made, namespace, [one.num for one in found], metadata, now)
        except BaseException:
            discard(self._db, content.hash)
            raise
        return made

    def find(
        self,
        *,
        form: ArtifactForm | None = None,
        recipe: str | None = None,
        fingerprint: str | None = None,
        namespace: Namespace | None = None,
        sources: Sequence[str] | None = None,
        holding: Sequence[str] | None = None,
        state: State | None = None,
    ) -> list[Artifact]:
        """The artifacts of which all that is given is true, the latest first.

        `sources`: made of exactly these memories, in any order; `holding`: made of at least one of these.
        """
        return self._select(
            Filter(
                form=None if form is None else read_form(form),
                recipe=recipe,
                fingerprint=fingerprint,
                namespace=None if namespace is None else read_namespace(namespace),
                state=None if state is None else read_state(state),
                sources=None if sources is None else read_ids(sources, "sources"),
                holding=None if holding is None else read_ids(holding, "holding"),
            )
        )

    def get(self, id: str) -> Artifact | None:
        """The artifact of an id, or None."""
        return next(iter(self._select(Filter(ids=(read_id(id),)))), None)

    def path(self, artifact: Artifact) -> Path:
        """Where the file of an artifact lies, to be read only; open it at once, for others may delete it.

        Raises:
            NotFound: the artifact is gone: a memory that it was made of was deleted or changed.
            StoreError: the file is missing or cut short; `maintain` removes what is left of it.
        """
        if self.get(artifact.id) is None:
            raise NotFound("artifact", artifact.id)
        path = self._db.folder / artifact.hash
        if not path.is_file() or path.stat().st_size != artifact.bytes:
            raise StoreError(f"{path}: missing or cut short; run maintain, which removes it, and make it again")
        return path

    def in_reading_order(self, ids: Sequence[str]) -> list[str]:
        """Ids of memories in the order in which they came to be known; without those that are unknown."""
        query = "SELECT id FROM memories WHERE id IN (SELECT value FROM json_each(?)) ORDER BY seq, num DESC"
        with self._db.read() as connection:
            return [row[0] for row in connection.execute(query, (json.dumps(read_ids(ids, "ids")),))]

    def used(self, ids: Sequence[str]) -> None:
        """Count a use of each artifact; written with the next write, outside the durability promise."""
        now = self._now()
        with self._lock:
            for artifact_id in read_ids(ids, "ids"):
                self._uses[artifact_id] = (self._uses.get(artifact_id, (0, 0))[0] + 1, now)

    def flush(self) -> None:
        """Write the uses since the last time."""
        with self._lock:
            uses, self._uses = self._uses, {}
        if uses:
            with self._db.write() as connection:
                rows.record_uses(connection, uses)

    def drop(self, ids: Sequence[str]) -> int:
        """Delete artifacts, and the files that no other shares; returns how many there were. The memories stay."""
        with self._db.write() as connection:
            dropped = rows.delete(connection, read_ids(ids, "ids"))
        unlink_gone(self._db)
        return dropped

    def mark(self, ids: Sequence[str], state: State) -> None:
        """Say in what state artifacts are."""
        with self._db.write() as connection:
            rows.mark(connection, read_ids(ids, "ids"), read_state(state))

    def bytes(self, form: ArtifactForm | None = None) -> int:
        """The bytes of all files, or of those of a form; a file that several artifacts share counts once."""
        with self._db.read() as connection:
            return rows.total_bytes(connection, None if form is None else read_form(form))

    def now(self) -> datetime:
        """The present time, by the store's clock."""
        return from_micros(self._now())

    def want(self, ids: Sequence[str], form: ArtifactForm) -> int:
        """Note that memories are wanted in a form until `unwant`; returns of how many that is new.

        Raises:
            NotFound: one of them is unknown; nothing was noted.
        """
        read_form(form)
        now = self._now()
        with self._db.write() as connection:
            nums = [_find(connection, one, now).num for one in read_ids(ids, "ids")]
            return rows.want(connection, nums, form, now)

    def unwant(self, ids: Sequence[str], form: ArtifactForm | None = None) -> None:
        """Note that memories are no longer wanted in a form, or in any; their artifacts stay."""
        with self._db.write() as connection:
            rows.unwant(connection, read_ids(ids, "ids"), None if form is None else read_form(form))

    def wanted(self, *, form: ArtifactForm | None = None, ids: Sequence[str] | None = None) -> list[Wanted]:
        """Which memories are wanted in which form, in reading order; none that search would not find."""
        known = None if ids is None else read_ids(ids, "ids")
        with self._db.read() as connection:
            return rows.select_wanted(connection, None if form is None else read_form(form), known, self._now())

    @contextlib.contextmanager
    def building(self, ids: Sequence[str], form: ArtifactForm) -> Iterator[None]:
        """While the block runs, other processes see that these memories are being brought into the form."""
        known = read_ids(ids, "ids")
        self._begin(known, read_form(form), self._now())
        try:
            yield
        finally:
            self._begin(known, form, None)

    def _begin(self, ids: Sequence[str], form: str, at: int | None) -> None:
        with self._db.write() as connection:
            rows.begin(connection, ids, form, at)

    def _select(self, wanted: Filter) -> list[Artifact]:
        with self._db.read() as connection:
            found = rows.select(connection, wanted, self._now())
        with self._lock:
            return [self._with_uses(one) for one in found]

    def _with_uses(self, artifact: Artifact) -> Artifact:
        if artifact.id not in self._uses:
            return artifact
        count, at = self._uses[artifact.id]
        return replace(artifact, uses=artifact.uses + count, used_at=from_micros(at))


def _held(connection: sqlite3.Connection, sources: Sequence[str | Memory], now: int) -> list[Stored]:
    """The memories that something was made of, as long as they are there and say what they said."""
    found = []
    for place, source in enumerate(sources):
        stored = _find(connection, source if isinstance(source, str) else source.id, now)
        if isinstance(source, Memory) and _read_of(source) != _read_of(stored.memory):
            raise InvalidInput(f"sources[{place}]", "has changed since it was read", "read it, and make it again")
        found.append(stored)
    if len({one.memory.namespace for one in found}) > 1:
        raise InvalidInput("sources", "are of several namespaces", "make one of each namespace by itself")
    return found


def _read_of(memory: Memory) -> tuple[object, ...]:
    stated = STATED if memory.kind == "fact" else ()
    return (*(getattr(memory, name) for name in READ), *(memory.metadata.get(name) for name in stated))


def _find(connection: sqlite3.Connection, memory_id: str, now: int) -> Stored:
    stored = fetch_held(connection, memory_id, now)
    if stored is None:
        raise NotFound("sources", memory_id)
    return stored


def _same(connection: sqlite3.Connection, made: Artifact, now: int) -> Artifact | None:
    asked = Filter(form=made.form, recipe=made.recipe, fingerprint=made.fingerprint, sources=made.sources)
    alike = (one for one in rows.select(connection, asked, now) if one.sources == made.sources)
    return next((one for one in alike if one.hash == made.hash and one.state == made.state), None)
