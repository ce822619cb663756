"""What is derived from memories: stored under an id that the same derivation always has, and derived again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from mnemos.errors import InvalidInput, NotFound
from mnemos.events import dump_json
from mnemos.ids import derived_id
from mnemos.namespaces import namespace_key
from mnemos.passages import Index, Source
from mnemos.records import Memory, Namespace
from mnemos.store import jobs, log
from mnemos.store.database import Database
from mnemos.store.jobs import Job
from mnemos.store.projection import replace_units
from mnemos.store.rows import fetch, fetch_id
from mnemos.store.touched import touch

WRITTEN = "written"
"""In metadata: who wrote the words, and what each line of them cites."""


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
    speaker: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    strength: float = 1.0
    trust: float = 1.0
    """At most; what is derived is trusted no further than the least trusted of its sources."""
    channel: str | None = None
    writer: str | None = None
    """Who concluded it, where it was not derivation itself."""
    named: bool = False
    """Whether it is told by its topic alone, in its namespace, and keeps its id while its sources change."""

    @property
    def id(self) -> str:
        """The id that this derivation always has."""
        about = (namespace_key(self.namespace),) if self.named else self.sources
        return derived_id(self.recipe, self.kind, self.topic, about)

    def source(self) -> Source:
        """What is indexed of it."""
        return Source(self.text, self.speaker, self.happened_at)


class DerivedWriter:
    """The part of the SQLite store that writes what is derived."""

    db: Database

    def derive(self, derivation: Derivation, index: Index, now: int) -> Memory:
        """Store something derived under an id that the same derivation always has; a repeat replaces it."""
        units = index([derivation.source()])[0]
        with self.db.write() as connection:
            num = write_derived(connection, derivation, now)
            replace_units(connection, num, units, now)
            jobs.derive_again(connection, derived_from(connection, num), now)
            touch(connection, [num])
            return fetch(connection, [num])[num]

    def derived_again(self, job: Job, num: int, text: str, index: Index, now: int) -> None:
        """Give a derived memory that was hidden its new words, and show it again.

        Not where the job was taken back meanwhile: a source has changed again, and these words are of the old one.
        """
        with self.db.write() as connection:
            if connection.execute("SELECT 1 FROM jobs WHERE num = ?", (job.num,)).fetchone() is None:
                return
            connection.execute(f"UPDATE memories SET trust = min(trust, {_LEAST}) WHERE num = ?", (num,))
            reword(connection, num, text, index, now)


def reword(
    connection: sqlite3.Connection,
    num: int,
    text: str,
    index: Index,
    now: int,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Give a derived memory new words (and metadata), and show it; what is derived from it is derived again.

    What metadata says of the old words themselves, under `WRITTEN`, goes with them.
    """
    connection.execute(
        f"UPDATE memories SET text = ?, metadata = coalesce(?, json_remove(metadata, '$.{WRITTEN}')), hidden = 0, "
        "updated_at = ?, version = version + 1 WHERE num = ?",
        (text, None if metadata is None else dump_json(metadata, "metadata"), now, num),
    )
    speaker, happened_at = connection.execute(
        "SELECT speaker, happened_at FROM memories WHERE num = ?", (num,)
    ).fetchone()
    replace_units(connection, num, index([Source(text, speaker, happened_at)])[0], now)
    jobs.derive_again(connection, derived_from(connection, num), now)
    touch(connection, [num])


_LEAST = "(SELECT min(m.trust) FROM sources s JOIN memories m ON m.num = s.source WHERE s.memory = memories.num)"


def trust_sources(connection: sqlite3.Connection, num: int) -> None:
    """Trust a derived memory as far as the least trusted of its sources."""
    connection.execute(f"UPDATE memories SET trust = coalesce({_LEAST}, trust) WHERE num = ?", (num,))


def write_derived(connection: sqlite3.Connection, derivation: Derivation, now: int) -> int:
    """Insert a derived memory, or replace the words of the one with its id; returns its number."""
    stored = [fetch_id(connection, source) for source in derivation.sources]
    missing = [source for source, found in zip(derivation.sources, stored, strict=True) if found is None]
    if missing or not stored:
        raise NotFound("sources", missing[0] if missing else "")
    nums = [found.num for found in stored if found is not None]
    if any(found is not None and found.memory.namespace != derivation.namespace for found in stored):
        raise InvalidInput("sources", "are of several namespaces", "derive in each namespace by itself")
    least = min(found.memory.trust for found in stored if found is not None)
    derivation = derivation._replace(trust=min(derivation.trust, least))
    existing = connection.execute("SELECT num FROM memories WHERE id = ?", (derivation.id,)).fetchone()
    if existing is not None:
        _replace(connection, int(existing[0]), derivation, nums, now)
        return int(existing[0])
    num = int(connection.execute("SELECT min(0, coalesce(min(num), 0)) - 1 FROM memories").fetchone()[0])
    marks = ", ".join("?" * len(nums))
    seq = connection.execute(f"SELECT max(seq) FROM memories WHERE num IN ({marks})", nums).fetchone()[0]
    insert_row(
        connection,
        {
            "num": num, "id": derivation.id, "namespace": log.ensure_namespace(connection, derivation.namespace),
            "seq": seq, "text": derivation.text, "kind": derivation.kind, "created_at": now, "updated_at": now,
            "happened_at": derivation.happened_at, "valid_at": derivation.valid_at,
            "invalid_at": derivation.invalid_at, "recipe": derivation.recipe, "topic": derivation.topic,
            "metadata": _metadata(derivation), "speaker": derivation.speaker, "session_id": derivation.session_id,
            "agent_id": derivation.agent_id, "strength": derivation.strength, "trust": derivation.trust,
            "channel": derivation.channel, "writer": derivation.writer,
        },
    )  # fmt: skip
    connection.executemany("INSERT INTO sources VALUES (?, ?)", [(num, source) for source in set(nums)])
    return num


def standing(connection: sqlite3.Connection, derivation: Derivation) -> int | None:
    """The number of the memory that says all of this already, from the same sources, and is shown.

    One that was closed since says it too, and so does one that has become stronger.
    """
    values = (
        derivation.id, derivation.text, _metadata(derivation), derivation.happened_at, derivation.valid_at,
        derivation.invalid_at, derivation.speaker, derivation.session_id, derivation.agent_id, derivation.trust,
    )  # fmt: skip
    row = connection.execute(
        "SELECT num FROM memories WHERE id = ?1 AND text = ?2 AND metadata IS ?3 AND happened_at IS ?4 "
        "AND valid_at IS ?5 AND (?6 IS NULL OR invalid_at IS ?6) AND speaker IS ?7 AND session_id IS ?8 "
        f"AND agent_id IS ?9 AND trust = min(?10, {_LEAST}) AND hidden = 0",
        values,
    ).fetchone()
    if row is None:
        return None
    query = "SELECT m.id FROM sources s JOIN memories m ON m.num = s.source WHERE s.memory = ?"
    sources = {source for (source,) in connection.execute(query, row)}
    return int(row[0]) if sources == set(derivation.sources) else None


def _replace(connection: sqlite3.Connection, num: int, derivation: Derivation, sources: list[int], now: int) -> None:
    """Put what a derivation says in the place of what it said before."""
    connection.execute("DELETE FROM jobs WHERE kind = ? AND memory = ?", (jobs.DERIVE_AGAIN, num))
    values = {
        "text": derivation.text, "metadata": _metadata(derivation), "happened_at": derivation.happened_at,
        "valid_at": derivation.valid_at, "invalid_at": derivation.invalid_at, "speaker": derivation.speaker,
        "session_id": derivation.session_id, "agent_id": derivation.agent_id, "strength": derivation.strength,
        "trust": derivation.trust, "channel": derivation.channel, "writer": derivation.writer, "updated_at": now,
    }  # fmt: skip
    sets = ", ".join(f"{name} = ?" for name in values)
    connection.execute(
        f"UPDATE memories SET {sets}, hidden = 0, version = version + 1 WHERE num = ?", [*values.values(), num]
    )
    if derivation.named:
        connection.execute("DELETE FROM sources WHERE memory = ?", (num,))
        connection.executemany("INSERT INTO sources VALUES (?, ?)", [(num, source) for source in set(sources)])


def _metadata(derivation: Derivation) -> str | None:
    return dump_json(derivation.metadata, "metadata") if derivation.metadata else None


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
