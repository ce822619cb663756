"""What became of a memory: its log entries, and what was decided about it."""

from __future__ import annotations

import json
import sqlite3

from mnemos.errors import NotFound
from mnemos.records import Change
from mnemos.store import decisions, log
from mnemos.store.database import Database
from mnemos.store.rows import Stored, fetch_id
from mnemos.times import EPOCH, from_micros


class Historian:
    """The part of the SQLite store that tells histories."""

    db: Database

    def history(self, memory_id: str) -> list[Change]:
        """Every change of a memory, oldest first, as the log holds it."""
        with self.db.read() as connection:
            entries = log.entries_of(connection, memory_id)
            derived = fetch_id(connection, memory_id)
            decided = _decided(connection, derived)
        if not entries and derived is None:
            raise NotFound("id", memory_id)
        changes, version = [], 0
        if derived is not None and derived.num < 0:
            made = derived.memory
            changes.append(
                Change(
                    made.id, "add", made.created_at or EPOCH, made.version, made.text, made.metadata,
                    channel=made.channel, writer=made.writer,
                )
            )  # fmt: skip
        for entry in entries:
            version += entry.op in ("add", "update")
            body = json.loads(entry.body) if entry.body else {}
            changes.append(
                Change(
                    entry.id, entry.op, from_micros(entry.at), version, entry.text, body,
                    channel=entry.channel, writer=entry.writer,
                )
            )  # fmt: skip
        changes += decided
        return sorted(changes, key=lambda change: change.at)


def _decided(connection: sqlite3.Connection, stored: Stored | None) -> list[Change]:
    """The decisions about a memory, as lines of its history."""
    if stored is None:
        return []
    lines = []
    for made in decisions.about(connection, stored.num):
        details = dict(made.detail)
        if made.other is not None:
            (details["other"],) = connection.execute("SELECT id FROM memories WHERE num = ?", (made.other,)).fetchone()
        undone = made.undone_at is not None
        lines.append(
            Change(
                stored.memory.id, made.op, from_micros(made.at), stored.memory.version, None, details,
                by=made.policy, decision=made.id, undone=undone,
            )
        )  # fmt: skip
    return lines
