"""From a store to a cube: some memories, all that they were derived from, and what was made of them alone.

Nothing that another memory says goes with them: a decision about one, an adapter that holds one too, or a memory that
waits to be derived again (and may still quote what was deleted) stays behind, and is told.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from mnemos.cube.content import Content, Line
from mnemos.cube.folding import mark_of
from mnemos.cube.pieces import Piece, has_no_words
from mnemos.cube.tensors import Header, read_header
from mnemos.cube.writing import Written, write
from mnemos.errors import NotFound
from mnemos.records import Namespace
from mnemos.store.artifact_files import PIECE
from mnemos.store.artifact_files import content as content_of
from mnemos.store.artifact_rows import Artifact, Filter, select
from mnemos.store.database import Database
from mnemos.store.portable import entries_of
from mnemos.store.rows import fetch_held

HIDDEN = "it waits to be derived again: run maintain() first"
ELSEWHERE = "it is about a memory that is not in the cube"
NAMES = "it may name what other memories tell of"
PARTLY = "it is made of memories that are not in the cube, too"
UNKNOWN = "its file is not of a kind that cubes carry"
LOST = "its file is missing or damaged"
WORDY = "its metadata may hold words"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which memories are exported: those of some namespaces, or some by id; all where neither is named."""

    namespaces: tuple[Namespace, ...] | None = None
    ids: tuple[str, ...] | None = None


def export_to(db: Database, path: Path, chosen: Chosen, now: int) -> Written:
    """Write a cube of a store's memories, as they stand at this moment.

    Raises:
        NotFound: an id is unknown.
        StoreError: it could not be written; nothing was left there.
    """
    left: dict[str, str] = {}
    with db.apart() as connection:
        ids = None if chosen.ids is None else _with_sources(connection, chosen.ids, now)
        content = Content.of(entries_of(connection, chosen.namespaces, ids))
        found = reversed(select(connection, Filter(holding=None if ids is None else sorted(ids)), now))
        made = [one for one in found if chosen.namespaces is None or one.namespace in chosen.namespaces]
    content = _without_hidden(content, left)
    content = _without_others(content, left, by_id=chosen.ids is not None)
    marks = {memory_id: mark_of(memory) for memory_id, memory in content.memories.items()}
    headers: dict[str, Header | None] = {}
    pieces = []
    for one in _once(made):
        why = _why_not(one, marks) or _unfit(db.folder, one, headers)
        if why is None:
            pieces.append(Piece(one, tuple(marks[source] for source in one.sources)))
        else:
            left[one.id] = why
    models = {header.fingerprint: header.model for header in headers.values() if header is not None}
    files = dict.fromkeys((piece.artifact.hash for piece in pieces), _Folder(db.folder))
    return write(path, content, pieces, files, models, left)


def _with_sources(connection: sqlite3.Connection, ids: Sequence[str], now: int) -> set[str]:
    """The ids of memories, and of all that they were derived from."""
    for memory_id in ids:
        if fetch_held(connection, memory_id, now) is None:
            raise NotFound("ids", memory_id)
    query = (
        "WITH RECURSIVE up(num) AS (SELECT num FROM memories WHERE id IN (SELECT value FROM json_each(?)) "
        "UNION SELECT s.source FROM sources s JOIN up ON s.memory = up.num) "
        "SELECT id FROM memories WHERE num IN up"
    )
    return {memory_id for (memory_id,) in connection.execute(query, (json.dumps(list(ids)),))}


def _without_hidden(content: Content, left: dict[str, str]) -> Content:
    """Leave out what waits to be derived again, and all that was derived from it."""
    derived = {}
    for memory_id, line in content.derived.items():
        if line["hidden"] or any(source in left for source in line["sources"]):
            left[memory_id] = HIDDEN
        else:
            derived[memory_id] = line
    return replace(content, derived=derived)


def _without_others(content: Content, left: dict[str, str], *, by_id: bool) -> Content:
    """Leave out what is known of memories that are not there, and what rests on them.

    Of what was derived again after it was deleted, the deletion.
    """
    there = content.there
    freed: set[str] = set()
    decisions = {}
    for decision_id, line in content.decisions.items():
        lone = by_id and line["op"] == "alias"
        if line["memory"] in there and not lone and (line["other"] is None or line["other"] in there):
            decisions[decision_id] = line
            continue
        left[decision_id] = NAMES if lone else ELSEWHERE
        if line["op"] == "rest" and line["undone_at"] is None:
            freed.add(line["memory"])
    judged = {memory_id: _woken(line, freed) for memory_id, line in content.judged.items() if memory_id in there}
    return replace(
        content,
        entries=[line for line in content.entries if line["op"] != "delete" or line["id"] not in content.derived],
        decisions=decisions,
        uses={memory_id: line for memory_id, line in content.uses.items() if memory_id in there},
        judged={memory_id: line for memory_id, line in judged.items() if line is not None},
        forms={key: line for key, line in content.forms.items() if key[0] in there},
    )


def _woken(line: Line, freed: Collection[str]) -> Line | None:
    """What was judged of a memory, without the rest that it was given on account of one that is not there."""
    if line["id"] not in freed:
        return line
    line = {**line, "resting": None}
    return line if line["pinned"] or line["salience"] is not None else None


@dataclass(frozen=True, slots=True)
class _Folder:
    """Where the files of artifacts lie."""

    folder: Path

    def tensors(self, hash: str) -> Iterator[bytes] | None:
        """A file, a piece at a time; None where it has gone."""
        try:
            stream = (self.folder / hash).open("rb")
        except OSError:
            return None
        return _read(stream)


def _read(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(PIECE):
            yield piece


def _once(made: Iterable[Artifact]) -> list[Artifact]:
    """Artifacts, each once: a file may be kept twice of the same memories, before and after it went out of date."""
    found: dict[tuple[object, ...], Artifact] = {}
    for one in made:
        key = (one.form, one.recipe, one.fingerprint, one.hash, one.sources)
        if key not in found or one.state == "fresh":
            found[key] = one
    return list(found.values())


def _why_not(one: Artifact, there: Collection[str]) -> str | None:
    if not all(source in there for source in one.sources):
        return PARTLY
    if one.state == "building":
        return "it is being made"
    return None if has_no_words(one.metadata) else WORDY


def _unfit(folder: Path, one: Artifact, headers: dict[str, Header | None]) -> str | None:
    """Why the file of an artifact cannot go into a cube, if it cannot; headers that were read are noted."""
    try:
        if one.hash not in headers:
            headers[one.hash] = None
            if content_of(folder / one.hash) != (one.hash, one.bytes):
                return LOST
            with (folder / one.hash).open("rb") as stream:
                headers[one.hash] = read_header(stream, one.bytes)
    except OSError:
        return LOST
    except ValueError:
        return UNKNOWN
    header = headers[one.hash]
    return None if header is not None and (header.form, header.fingerprint) == (one.form, one.fingerprint) else UNKNOWN
