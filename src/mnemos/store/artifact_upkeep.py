"""Keeping rows and files of artifacts together: removing what is left over, reporting it, copying both.

Whoever keeps an artifact names its file inside the transaction that writes its row. So while one holds the write lock,
a file whose name no row has is nobody's.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from mnemos.errors import InvalidInput, MnemosError, StoreError
from mnemos.store import artifact_files as files
from mnemos.store.database import Database

LEAST_BYTES = 8
"""Fewer bytes than these are found in any large file by chance."""


def has_gone(connection: sqlite3.Connection) -> bool:
    """Whether files of artifacts that have gone wait to be removed."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM unlinking)").fetchone()[0])


def unlink_gone(db: Database) -> bool:
    """Remove the files of artifacts that have gone, once that is on disk; False where some have to wait."""
    with db.plain() as connection:
        if not has_gone(connection):
            return True
        if connection.in_transaction:
            return False
        try:
            with db.write():
                connection.execute("DELETE FROM unlinking WHERE hash IN (SELECT hash FROM artifacts)")
                waiting = [name for (name,) in connection.execute("SELECT hash FROM unlinking")]
                gone = files.remove(db.folder, waiting)
                connection.executemany("DELETE FROM unlinking WHERE hash = ?", [(name,) for name in gone])
        except StoreError:
            # another process writes, or the disk is full: what is noted stays noted
            return False
        return len(gone) == len(waiting)


def discard(db: Database, name: str) -> None:
    """Remove the file of an artifact that could not be kept, unless another one shares it."""
    with contextlib.suppress(MnemosError), db.write() as connection:
        if connection.execute("SELECT 1 FROM artifacts WHERE hash = ?", (name,)).fetchone() is None:
            files.remove(db.folder, [name])


def problems(db: Database) -> Iterator[tuple[str, str]]:
    """What is wrong with rows and files: an artifact's id, where it is about one, and what."""
    if not files.is_open_to_us(db.folder):
        yield "", f"{db.folder} cannot be read"
        return
    present = files.named(db.folder)
    wrong = _changed(db.folder, present)
    with db.read() as connection:
        suspect = bool(_lost(connection, db.folder))
    # what others are writing or deleting just now looks lost only as long as they do
    with db.write() if suspect else db.read() as connection:
        lost = _lost(connection, db.folder) if suspect else []
        unsourced, loose = _unsourced(connection), _loose(connection, present)
        damaged = _ids_of(connection, [name for name in wrong if name not in lost])
        missing = _ids_of(connection, lost)
    for artifact_id in missing:
        yield artifact_id, "its file is missing or cut short"
    for artifact_id in damaged:
        yield artifact_id, "its file holds something else than it did"
    for artifact_id in unsourced:
        yield artifact_id, "is of no memory"
    for name in _nobodys(db, loose):
        yield "", f"{name} is a file of no artifact"
    for path in files.abandoned(db.folder):
        yield "", f"{path.name} was left behind in the middle of writing"


def sweep(db: Database, *, thorough: bool = False) -> int:
    """Remove rows without their files and files without rows; returns how many there were.

    Thorough: every file is read, and one that holds something else than it did goes too.
    """
    with db.plain() as connection:
        if connection.in_transaction or not files.is_open_to_us(db.folder):
            return 0
    removed = files.remove_abandoned(db.folder)
    present = files.named(db.folder)
    wrong = _changed(db.folder, present) if thorough else []
    with db.read() as connection:
        found = bool(wrong or _lost(connection, db.folder) or _unsourced(connection) or _loose(connection, present))
    if found:
        with db.write() as connection:
            loose = _loose(connection, files.named(db.folder))
            connection.executemany("INSERT OR IGNORE INTO unlinking VALUES (?)", [(name,) for name in loose])
            gone = [*_ids_of(connection, [*_lost(connection, db.folder), *wrong]), *_unsourced(connection)]
            connection.executemany("DELETE FROM artifacts WHERE id = ?", [(one,) for one in gone])
            removed += len(loose) + len(gone)
    unlink_gone(db)
    return removed


def strays(db: Database, live: Collection[str], needles: Sequence[bytes]) -> list[str]:
    """Files of no artifact, which may hold anything, and artifacts that quote what none of their sources says.

    `live`: the ids of memories that hold the words of the needles themselves.
    """
    if not files.is_open_to_us(db.folder):
        return [str(db.folder)]
    found = [str(path) for path in files.abandoned(db.folder)]
    needles = [needle for needle in needles if len(needle) >= LEAST_BYTES]
    present = files.named(db.folder)
    with db.read() as connection:
        quoting = "SELECT 1 FROM artifacts a WHERE instr(CAST(a.metadata AS BLOB), ?2) AND " + _OTHERS
        values = json.dumps(list(live))
        if any(connection.execute(quoting, (values, needle)).fetchone() for needle in needles):
            found.append("table artifacts")
        others = {name for (name,) in connection.execute("SELECT a.hash FROM artifacts a WHERE " + _OTHERS, (values,))}
        loose = [*_loose(connection, present), *(name for (name,) in connection.execute("SELECT hash FROM unlinking"))]
    nobodys = set(_nobodys(db, loose))
    for name in present:
        path = db.folder / name
        if path.is_file() and (name in nobodys or (name in others and any(holds(path, one) for one in needles))):
            found.append(str(path))
    return found


_OTHERS = (
    "NOT EXISTS (SELECT 1 FROM artifact_sources s JOIN memories m ON m.num = s.memory WHERE s.artifact = a.num "
    "AND m.id IN (SELECT value FROM json_each(?1)))"
)
"""Artifacts of none of some memories."""


def holds(path: Path, needle: bytes) -> bool:
    """Whether a file holds some bytes."""
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(needle) >= 0


def carry(copy: sqlite3.Connection, source: Path, target: Path) -> int:
    """Copy the files of the artifacts of a store's copy to a new folder; returns their bytes.

    An artifact whose file has gone meanwhile, with its memory, goes from the copy too.
    """
    size = 0
    for (name,) in copy.execute("SELECT DISTINCT hash FROM artifacts").fetchall():
        with files.translated(target):
            target.mkdir(exist_ok=True, mode=0o700)
        found = None
        with contextlib.suppress(InvalidInput):
            found = files.copied(source / name, target / name)
        if found is None or found.hash != name:
            copy.execute("DELETE FROM artifacts WHERE hash = ?", (name,))
            (target / name).unlink(missing_ok=True)
        else:
            size += found.bytes
    copy.execute("DELETE FROM unlinking")
    if target.is_dir():
        files.sync(target)
    return size


def _changed(folder: Path, names: Iterable[str]) -> list[str]:
    """The files that no longer hold what they are named after."""
    changed = []
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            if files.content(folder / name).hash != name:
                changed.append(name)
    return changed


def _lost(connection: sqlite3.Connection, folder: Path) -> list[str]:
    """Hashes of which a row speaks, and no file of that length is there."""
    present = files.named(folder)
    rows = connection.execute("SELECT DISTINCT hash, bytes FROM artifacts").fetchall()
    return [name for name, size in rows if present.get(name) != size]


def _loose(connection: sqlite3.Connection, names: Iterable[str]) -> list[str]:
    """The names that no row has, and that do not wait to be removed."""
    query = (
        "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT hash FROM artifacts UNION SELECT * FROM unlinking)"
    )
    return [name for (name,) in connection.execute(query, (json.dumps(list(names)),))]


def _nobodys(db: Database, names: Sequence[str]) -> list[str]:
    """Those of these files that are still there, and no row's while nobody writes."""
    if not names:
        return []
    with db.write() as connection:
        known = {name for (name,) in connection.execute("SELECT hash FROM artifacts")}
    return [name for name in names if name not in known and (db.folder / name).is_file()]


def _ids_of(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    query = "SELECT id FROM artifacts WHERE hash IN (SELECT value FROM json_each(?)) ORDER BY num"
    return [artifact_id for (artifact_id,) in connection.execute(query, (json.dumps(list(names)),))]


def _unsourced(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT id FROM artifacts WHERE num NOT IN (SELECT artifact FROM artifact_sources)"
    return [artifact_id for (artifact_id,) in connection.execute(query)]
