"""The one transaction in which a cube arrives in a store: its lines, then the artifacts that are good for them here."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mnemos.cube.content import HISTORY, Content, Line
from mnemos.cube.folding import mark_of
from mnemos.cube.memcube import MemCube
from mnemos.cube.pieces import Piece
from mnemos.cube.versions import Conflict, begins_alike, later, line_of
from mnemos.errors import CubeRefused, StoreError
from mnemos.events import dump_json
from mnemos.ids import new_id
from mnemos.namespaces import namespace_from_key
from mnemos.passages import Index
from mnemos.store import artifact_files, log
from mnemos.store.artifact_rows import Filter, insert, record_uses, select, want
from mnemos.store.artifacts import Artifacts
from mnemos.store.database import Database
from mnemos.store.forming import DEMOTE, PROMOTE
from mnemos.store.restoring import Restorer
from mnemos.store.rows import Stored, fetch_held
from mnemos.times import to_micros

Scan = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Masks or refuses the secrets of an export's line."""

ABSENT = "a memory that it is made of is not here"
UNLIKE = "a memory that it is made of says something else here"
RESTING = "a memory that it is made of is out of the index here"
SCATTERED = "its memories are of several namespaces here"
DEMOTED = "a memory that it is made of was demoted here"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import of a cube did."""

    added: int
    """Entries of the log, derived memories and the like that were new."""
    repeated: int
    """Those that were there already."""
    artifacts: tuple[str, ...] = ()
    """Ids of the artifacts that were new."""
    known: int = 0
    """Artifacts that were there already."""
    wanted: int = 0
    """Memories that are wanted in a form, and were not before."""
    left: Mapping[str, str] = field(default_factory=dict)
    """Ids of the artifacts that were not kept, and why; `maintain` makes them anew where a model is bound."""
    conflicts: tuple[Conflict, ...] = ()
    """Memories that were told differently here."""


@dataclass(frozen=True, slots=True)
class Room:
    """The store that a cube is imported into."""

    db: Database
    artifacts: Artifacts
    index: Index
    scan: Scan
    now: int


@dataclass
class Arrival:
    """One import, inside one transaction."""

    cube: MemCube
    room: Room
    content: Content
    folder: Path
    """Where the files of artifacts were copied to."""
    left: dict[str, str]
    published: set[str] = field(default_factory=set)
    """Hashes of the files that were given their names."""
    demoted: dict[str, str] = field(default_factory=dict)
    """The form to which memories were demoted here, before the import; by id."""

    def run(self, pieces: Sequence[Piece]) -> Imported:
        """Restore the lines, then the artifacts; returns what was done."""
        with self.room.db.write() as connection, _undone_whole(connection):
            conflicts = self._conflicts(connection)
            restorer = Restorer(connection, self.room.index, self.room.now)
            before = _wanted(connection)
            self.demoted = _demoted(connection, {one for piece in pieces for one in piece.artifact.sources})
            self._restore(restorer, {one.id for one in conflicts if one.won == "store"})
            made, known = self._take(connection, pieces, restorer.closed)
            if self.published:
                # the names are on disk before the rows are
                artifact_files.sync(self.room.db.folder)
            wanted = _wanted(connection) - before
        left = dict(self.left)
        return Imported(restorer.added, restorer.repeated, tuple(made), known, wanted, left, tuple(conflicts))

    def _take(
        self, connection: sqlite3.Connection, pieces: Sequence[Piece], elsewhere: Mapping[str, str | None]
    ) -> tuple[list[str], int]:
        """Keep the artifacts that are good here; returns the ids of those, and how many there were already."""
        made: list[str] = []
        known = 0
        for piece in pieces:
            found = self._held(connection, piece, elsewhere)
            if isinstance(found, str):
                self.left.setdefault(piece.artifact.id, found)
                continue
            want(connection, [one.num for one in found], piece.artifact.form, to_micros(piece.artifact.created_at))
            if piece.artifact.id in self.left:
                continue
            if self._is_known(connection, piece, found):
                known += 1
            else:
                made.append(self._keep(connection, piece, found))
        return made, known

    def _restore(self, restorer: Restorer, older: Collection[str]) -> None:
        for place, line in enumerate(self.content.lines()):
            if line["type"] == "entry" and line["id"] in older and line["op"] in HISTORY:
                restorer.repeated += 1
            else:
                restorer.take(line, f"lines[{place}]")
        restorer.finish()

    def _conflicts(self, connection: sqlite3.Connection) -> list[Conflict]:
        """Memories of which the store and the cube each know something that the other does not."""
        found = []
        for memory_id, theirs in self.content.histories.items():
            mine = _history(connection, memory_id)
            derived = connection.execute("SELECT 1 FROM memories WHERE id = ? AND num < 0", (memory_id,)).fetchone()
            if derived is not None or not begins_alike(mine, theirs):
                raise CubeRefused(
                    self.cube.path.name, f"{memory_id} is another memory here", "leave it out of the cube"
                )
            if mine:
                won, how = later(mine, theirs)
                if how not in ("same", "later"):
                    found.append(Conflict(memory_id, "cube" if won else "store", how))
        return found

    def _held(
        self, connection: sqlite3.Connection, piece: Piece, elsewhere: Mapping[str, str | None]
    ) -> list[Stored] | str:
        """The memories of an artifact as they are here; why it cannot be kept, if they are not as it was made of."""
        found, form = [], piece.artifact.form
        for memory_id, mark in sources_of(piece):
            here = elsewhere.get(memory_id) or memory_id
            stored = fetch_held(connection, here, self.room.now)
            if stored is None:
                return ABSENT
            if mark_of(replace(stored.memory, id=memory_id)) != mark:
                return UNLIKE
            if stored.memory.resting is not None and self.content.memories[memory_id].resting is None:
                return RESTING
            if self.demoted.get(memory_id) == "text" or (memory_id in self.demoted and form == "parametric"):
                return DEMOTED
            found.append(stored)
        if len({one.memory.namespace for one in found}) > 1:
            return SCATTERED
        return found if len({one.num for one in found}) == len(found) else UNLIKE

    def _is_known(self, connection: sqlite3.Connection, piece: Piece, found: Sequence[Stored]) -> bool:
        made, ids = piece.artifact, tuple(one.memory.id for one in found)
        asked = Filter(form=made.form, recipe=made.recipe, fingerprint=made.fingerprint, sources=ids)
        alike = select(connection, asked, self.room.now)
        return any(one.hash == made.hash and one.sources == ids for one in alike)

    def _keep(self, connection: sqlite3.Connection, piece: Piece, found: Sequence[Stored]) -> str:
        """Give the file its name, then write the row; returns the artifact's id here."""
        made = piece.artifact
        self._publish(connection, made.hash)
        taken = connection.execute("SELECT 1 FROM artifacts WHERE id = ?", (made.id,)).fetchone() is not None
        made = replace(made, id=new_id() if taken else made.id, namespace=found[0].memory.namespace)
        namespace = log.namespace_num(connection, made.namespace)
        assert namespace is not None
        metadata = dump_json(made.metadata, "metadata") if made.metadata else None
        insert(connection, made, namespace, [one.num for one in found], metadata, to_micros(made.created_at))
        if made.used_at is not None:
            record_uses(connection, {made.id: (made.uses, to_micros(made.used_at))})
        return made.id

    def _publish(self, connection: sqlite3.Connection, hash: str) -> None:
        """Give a file its name, unless the store has it."""
        if hash in self.published:
            return
        if (self.folder / hash).exists():
            self.published.add(hash)
            with artifact_files.translated(self.room.db.folder):
                os.replace(self.folder / hash, self.room.db.folder / hash)
        elif connection.execute("SELECT 1 FROM artifacts WHERE hash = ?", (hash,)).fetchone() is None:
            raise StoreError(f"{self.room.db.path}: an artifact went while the cube was read; import it again")


@contextmanager
def _undone_whole(connection: sqlite3.Connection) -> Iterator[None]:
    """What is written inside is undone when it raises, also where the transaction is a longer one of the caller's."""
    connection.execute("SAVEPOINT arrival")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO arrival")
            connection.execute("RELEASE arrival")
        raise
    connection.execute("RELEASE arrival")


def _history(connection: sqlite3.Connection, memory_id: str) -> list[Line]:
    """What a store's log tells of a memory."""
    lines: list[Line] = []
    for entry in log.entries_of(connection, memory_id):
        if entry.op in HISTORY:
            path = connection.execute("SELECT path FROM namespaces WHERE num = ?", (entry.namespace,)).fetchone()[0]
            body = None if entry.body is None else json.loads(entry.body)
            lines.append(line_of(entry, list(namespace_from_key(path)), body))
    return lines


def _demoted(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, str]:
    """To which form memories were demoted, of those about which nothing else was decided since."""
    query = (
        "SELECT m.id, d.op, json_extract(d.detail, '$.to') FROM memories m JOIN decisions d ON d.num = "
        "(SELECT max(num) FROM decisions WHERE memory = m.num AND op IN (?1, ?2) AND undone_at IS NULL) "
        "WHERE m.id IN (SELECT value FROM json_each(?3))"
    )
    found = connection.execute(query, (PROMOTE, DEMOTE, json.dumps(sorted(ids))))
    return {memory_id: to or "text" for memory_id, op, to in found if op == DEMOTE}


def _wanted(connection: sqlite3.Connection) -> int:
    """How many memories are wanted in how many forms."""
    return int(connection.execute("SELECT count(*) FROM wanted").fetchone()[0])


def sources_of(piece: Piece) -> list[tuple[str, str]]:
    """The memories that an artifact was made of, each with what marks it."""
    return list(zip(piece.artifact.sources, piece.marks, strict=True))
