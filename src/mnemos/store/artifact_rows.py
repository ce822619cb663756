"""What the tables say of artifacts: which there are, what they were made of, and which memories are wanted how."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from mnemos.namespaces import namespace_from_key, namespace_key
from mnemos.records import Namespace
from mnemos.times import from_micros

ArtifactForm = Literal["activation", "parametric"]
FORMS: tuple[ArtifactForm, ...] = get_args(ArtifactForm)
State = Literal["fresh", "stale", "building"]
STATES: tuple[State, ...] = get_args(State)
BLOCK = "kv-"
"""How recipes of keys and values begin."""
BUILDING_SECONDS = 3_600
"""For how long it is believed that somebody is making what they began to make."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that was made of memories for one model, and is kept in a file."""

    id: str
    form: ArtifactForm
    recipe: str
    """What made it, such as `kv-int8` or `lora`."""
    namespace: Namespace
    """That of the memories."""
    fingerprint: str
    """Of the model that it was made for, and of nothing else."""
    hash: str
    """SHA-256 of the file, in hexadecimal."""
    bytes: int
    state: State
    created_at: datetime
    used_at: datetime | None = None
    uses: int = 0
    seconds: float = 0.0
    """That it took to make."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON without words of memories."""
    sources: tuple[str, ...] = ()
    """Ids of the memories that it was made of, in their order in it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A memory that is wanted in a form, whether it is there in it or not."""

    memory: str
    form: ArtifactForm
    at: datetime
    """Since when."""
    building: bool = False
    """Whether somebody began to make it within the last hour, and has not finished."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which artifacts are asked for; None leaves a thing open."""

    form: str | None = None
    recipe: str | None = None
    fingerprint: str | None = None
    namespace: Namespace | None = None
    state: str | None = None
    sources: Sequence[str] | None = None
    """Made of exactly these."""
    holding: Sequence[str] | None = None
    """Made of at least one of these."""
    ids: Sequence[str] | None = None


_ALIVE = (
    "NOT EXISTS (SELECT 1 FROM artifact_sources s JOIN memories m ON m.num = s.memory WHERE s.artifact = a.num "
    "AND (m.hidden = 1 OR m.expires_at <= :now))"
)
_MADE_OF = (
    "a.num IN (SELECT s.artifact FROM artifact_sources s JOIN memories m ON m.num = s.memory "
    "WHERE m.id IN (SELECT value FROM json_each(:{name})))"
)
_SELECT = (
    "SELECT a.num, a.id, a.form, a.recipe, n.path, a.fingerprint, a.hash, a.bytes, a.state, a.created_at, a.used_at, "
    "a.uses, a.seconds, a.metadata FROM artifacts a JOIN namespaces n ON n.num = a.namespace WHERE "
)


def select(connection: sqlite3.Connection, wanted: Filter, now: int) -> list[Artifact]:
    """The artifacts that a filter leaves, the latest first; none of a memory whose time is up."""
    conditions = [_ALIVE]
    values: dict[str, Any] = {"now": now}
    for name in ("form", "recipe", "fingerprint", "state"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(f"a.{name} = :{name}")
            values[name] = value
    if wanted.namespace is not None:
        conditions.append("n.path = :namespace")
        values["namespace"] = namespace_key(wanted.namespace)
    for name in ("sources", "holding"):
        if (ids := getattr(wanted, name)) is not None:
            conditions.append(_MADE_OF.format(name=name))
            values[name] = json.dumps(list(ids))
    if wanted.ids is not None:
        conditions.append("a.id IN (SELECT value FROM json_each(:ids))")
        values["ids"] = json.dumps(list(wanted.ids))
    rows = connection.execute(f"{_SELECT}{' AND '.join(conditions)} ORDER BY a.num DESC", values).fetchall()
    sources = _sources(connection, [row[0] for row in rows])
    found = [_artifact(row, sources.get(row[0], ())) for row in rows]
    exactly = None if wanted.sources is None else set(wanted.sources)
    return found if exactly is None else [one for one in found if set(one.sources) == exactly]


def block_recipe(storage: str) -> str:
    """What makes the block of one memory, stored in some type."""
    return f"{BLOCK}{storage}"


def is_block(artifact: Artifact) -> bool:
    """Whether it is keys and values, of one memory or of a whole context."""
    return artifact.recipe.startswith(BLOCK)


def bytes_of(artifacts: Iterable[Artifact]) -> int:
    """The bytes of their files; one that several share counts once."""
    return sum({one.hash: one.bytes for one in artifacts}.values())


def _sources(connection: sqlite3.Connection, nums: Sequence[int]) -> dict[int, tuple[str, ...]]:
    query = (
        "SELECT s.artifact, m.id FROM artifact_sources s JOIN memories m ON m.num = s.memory "
        "WHERE s.artifact IN (SELECT value FROM json_each(?)) ORDER BY s.artifact, s.place"
    )
    found: dict[int, list[str]] = {}
    for num, memory_id in connection.execute(query, (json.dumps(nums),)) if nums else ():
        found.setdefault(num, []).append(memory_id)
    return {num: tuple(ids) for num, ids in found.items()}


def _artifact(row: tuple[Any, ...], sources: tuple[str, ...]) -> Artifact:
    return Artifact(
        id=row[1],
        form=row[2],
        recipe=row[3],
        namespace=namespace_from_key(row[4]),
        fingerprint=row[5],
        hash=row[6],
        bytes=row[7],
        state=row[8],
        created_at=from_micros(row[9]),
        used_at=from_micros(row[10]),
        uses=row[11],
        seconds=row[12],
        metadata=json.loads(row[13]) if row[13] else {},
        sources=sources,
    )


def insert(
    connection: sqlite3.Connection, artifact: Artifact, namespace: int, sources: Sequence[int], metadata: str | None,
    now: int,
) -> None:  # fmt: skip
    """Write the row of an artifact whose file is there, and what it was made of; nobody is building it any more."""
    row = (
        artifact.id, namespace, artifact.form, artifact.recipe, artifact.fingerprint, artifact.hash, artifact.bytes,
        artifact.state, artifact.seconds, metadata, now,
    )  # fmt: skip
    num = connection.execute(
        "INSERT INTO artifacts (id, namespace, form, recipe, fingerprint, hash, bytes, state, seconds, metadata, "
        "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    ).lastrowid
    connection.executemany(
        "INSERT INTO artifact_sources VALUES (?, ?, ?)", [(num, place, source) for place, source in enumerate(sources)]
    )
    connection.executemany(
        "UPDATE wanted SET building_at = NULL WHERE memory = ? AND form = ?",
        [(source, artifact.form) for source in sources],
    )
    connection.execute("DELETE FROM unlinking WHERE hash = ?", (artifact.hash,))


def delete(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Delete artifacts, and note that their files are to go; returns how many there were."""
    return connection.execute(
        "DELETE FROM artifacts WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)
    ).rowcount


def mark(connection: sqlite3.Connection, ids: Iterable[str], state: State) -> None:
    """Say in what state artifacts are."""
    connection.execute(
        "UPDATE artifacts SET state = ? WHERE id IN (SELECT value FROM json_each(?))", (state, json.dumps(list(ids)))
    )


def record_uses(connection: sqlite3.Connection, uses: Mapping[str, tuple[int, int]]) -> None:
    """Add to the use counts: of each id, how often it was used, and when last, in microseconds."""
    connection.executemany(
        "UPDATE artifacts SET uses = uses + ?, used_at = max(coalesce(used_at, 0), ?) WHERE id = ?",
        [(count, at, artifact_id) for artifact_id, (count, at) in uses.items()],
    )


def total_bytes(connection: sqlite3.Connection, form: str | None) -> int:
    """The bytes of all files; one that several artifacts share counts once."""
    query = "SELECT coalesce(sum(bytes), 0) FROM (SELECT DISTINCT hash, bytes FROM artifacts WHERE ?1 IN (form, ''))"
    return int(connection.execute(query, (form or "",)).fetchone()[0])


def want(connection: sqlite3.Connection, nums: Iterable[int], form: str, now: int) -> int:
    """Note that memories are wanted in a form; returns of how many that is new."""
    before = connection.total_changes
    connection.executemany(
        "INSERT OR IGNORE INTO wanted (memory, form, at) VALUES (?, ?, ?)", [(num, form, now) for num in nums]
    )
    return connection.total_changes - before


def unwant(connection: sqlite3.Connection, ids: Iterable[str], form: str | None) -> None:
    """Note that memories are no longer wanted in a form, or in any."""
    connection.execute(
        "DELETE FROM wanted WHERE ?1 IN (form, '') AND memory IN "
        "(SELECT num FROM memories WHERE id IN (SELECT value FROM json_each(?2)))",
        (form or "", json.dumps(list(ids))),
    )


def begin(connection: sqlite3.Connection, ids: Iterable[str], form: str, now: int | None) -> None:
    """Note that somebody makes what is wanted now; None: that nobody does."""
    connection.execute(
        "UPDATE wanted SET building_at = ? WHERE form = ? AND memory IN "
        "(SELECT num FROM memories WHERE id IN (SELECT value FROM json_each(?)))",
        (now, form, json.dumps(list(ids))),
    )


def select_wanted(
    connection: sqlite3.Connection, form: str | None, ids: Sequence[str] | None, now: int
) -> list[Wanted]:
    """Memories that are wanted in a form, in reading order; none that are out of the index, or whose time is up."""
    query = (
        "SELECT m.id, w.form, w.at, w.building_at FROM wanted w JOIN memories m ON m.num = w.memory "
        "WHERE :form IN (w.form, '') AND m.hidden = 0 AND m.resting IS NULL AND (m.expires_at IS NULL "
        "OR m.expires_at > :now) AND (:ids IS NULL OR m.id IN (SELECT value FROM json_each(:ids))) "
        "ORDER BY m.seq, m.num DESC, w.form"
    )
    values = {"form": form or "", "now": now, "ids": None if ids is None else json.dumps(list(ids))}
    since = now - BUILDING_SECONDS * 1_000_000
    return [
        Wanted(memory_id, asked, from_micros(at), building is not None and building > since)
        for memory_id, asked, at, building in connection.execute(query, values)
    ]
