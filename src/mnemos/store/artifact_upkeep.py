"""Keeping rows and files of artifacts together: removing what is left over, reporting it, copying both."""

from __future__ import annotations

import contextlib
import sqlite3

from mnemos.errors import MnemosError, StoreError
from mnemos.store import artifact_files as files
from mnemos.store.database import Database


def has_gone(connection: sqlite3.Connection) -> bool:
    """Whether files of artifacts that have gone wait to be removed."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM unlinking)").fetchone()[0])


def unlink_gone(db: Database) -> bool:
    """Remove the files of artifacts that have gone, once that is on disk; False where some have to wait.

    Whoever keeps an artifact names its file inside the transaction that writes its row. So while this one lasts, a file
    whose hash no row has is nobody's.
    """
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
