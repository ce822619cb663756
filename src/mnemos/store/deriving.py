"""What is derived from memories: stored under an id that the same derivation always has, and derived again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from mnemos.errors import InvalidInput, NotFound
from mnemos.events import dump_json
from mnemos.ids import derived_id
from mnemos.passages import Index, Source
from mnemos.records import Memory, Namespace
from mnemos.store import jobs, log
from mnemos.store.database import Database
from mnemos.store.jobs import Job
from mnemos.store.meta import bump_epoch
from mnemos.store.projection import replace_units
from mnemos.store.rows import fetch, fetch_id


class Derivation(NamedTuple):
    """Something derived: what it says, from which memories, by which recipe, under which of the recipe's topics."""

    namespace: Namespace
    kind: str
    text: str
    recipe: str
    topic: str
    sources: tuple[str, ...]
    valid_at: int | None = None
    invalid_at: int | None = None
    happened_at: int | None = None
    metadata: Mapping[str, Any] | None = None


class DerivedWriter:
    """The part of the SQLite store that writes what is derived."""

    db: Database

    def derive(self, derivation: Derivation, index: Index, now: int) -> Memory:
        """Store something derived under an id that the same derivation always has; a repeat replaces it."""
        units = index([Source(derivation.text, None, derivation.happened_at)])[0]
        with self.db.write() as connection:
            num = write_derived(connection, derivation, now)
            replace_units(connection, num, units, now)
            jobs.derive_again(connection, derived_from(connection, num), now)
            bump_epoch(connection)
            return fetch(connection, [num])[num]

    def derived_again(self, job: Job, num: int, text: str, index: Index, now: int) -> None:
        """Give a derived memory that was hidden its new words, and show it again.

        Not where the job was taken back meanwhile: a source has changed again, and these words are of the old one.
        """
        with self.db.write() as connection:
            if connection.execute("SELECT 1 FROM jobs WHERE num = ?", (job.num,)).fetchone() is None:
                return
            connection.execute(
                "UPDATE memories SET text = ?, hidden = 0, updated_at = ?, version = version + 1 WHERE num = ?",
                (text, now, num),
            )
            replace_units(connection, num, index([Source(text, None, happened_of(connection, num))])[0], now)
            jobs.derive_again(connection, derived_from(connection, num), now)
            bump_epoch(connection)


def write_derived(connection: sqlite3.Connection, derivation: Derivation, now: int) -> int:
    """Insert a derived memory, or replace the words of the one with its id; returns its number."""
    stored = [fetch_id(connection, source) for source in derivation.sources]
    missing = [source for source, found in zip(derivation.sources, stored, strict=True) if found is None]
    if missing or not stored:
        raise NotFound("sources", missing[0] if missing else "")
    nums = [found.num for found in stored if found is not None]
    if any(found is not None and found.memory.namespace != derivation.namespace for found in stored):
        raise InvalidInput("sources", "are of several namespaces", "derive in each namespace by itself")
    memory_id = derived_id(derivation.recipe, derivation.kind, derivation.topic, derivation.sources)
    metadata = dump_json(derivation.metadata, "metadata") if derivation.metadata else None
    existing = connection.execute("SELECT num FROM memories WHERE id = ?", (memory_id,)).fetchone()
    if existing is not None:
        connection.execute("DELETE FROM jobs WHERE kind = ? AND memory = ?", (jobs.DERIVE_AGAIN, existing[0]))
        connection.execute(
            "UPDATE memories SET text = ?, metadata = ?, happened_at = ?, valid_at = ?, invalid_at = ?, hidden = 0, "
            "updated_at = ?, version = version + 1 WHERE num = ?",
            (
                *(derivation.text, metadata, derivation.happened_at, derivation.valid_at, derivation.invalid_at),
                *(now, existing[0]),
            ),
        )
        return int(existing[0])
    num = int(connection.execute("SELECT min(0, coalesce(min(num), 0)) - 1 FROM memories").fetchone()[0])
    marks = ", ".join("?" * len(nums))
    seq = connection.execute(f"SELECT max(seq) FROM memories WHERE num IN ({marks})", nums).fetchone()[0]
    insert_row(
        connection,
        {
            "num": num, "id": memory_id, "namespace": log.ensure_namespace(connection, derivation.namespace),
            "seq": seq, "text": derivation.text, "kind": derivation.kind, "created_at": now, "updated_at": now,
            "happened_at": derivation.happened_at, "valid_at": derivation.valid_at,
            "invalid_at": derivation.invalid_at, "recipe": derivation.recipe, "topic": derivation.topic,
            "metadata": metadata,
        },
    )  # fmt: skip
    connection.executemany("INSERT INTO sources VALUES (?, ?)", [(num, source) for source in set(nums)])
    return num


def derived_from(connection: sqlite3.Connection, num: int) -> list[int]:
    """The numbers of what was derived from a memory."""
    return [row[0] for row in connection.execute("SELECT memory FROM sources WHERE source = ?", (num,))]


def happened_of(connection: sqlite3.Connection, num: int) -> int | None:
    """When a memory happened, in microseconds."""
    row = connection.execute("SELECT happened_at FROM memories WHERE num = ?", (num,)).fetchone()
    return None if row is None else row[0]


def insert_row(connection: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """Insert a row of `memories` given by name; names left out take the table's defaults."""
    names = [name for name in row if name != "texts"]
    marks = ", ".join("?" * len(names))
    connection.execute(f"INSERT INTO memories ({', '.join(names)}) VALUES ({marks})", [row[name] for name in names])
