"""Where the levels stand: turns that were read, the open episode of each session, open themes, people's profiles.

Rows of integers only; what the levels say stands in their memories.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from mnemos.store.deriving import trust_sources

EPISODE, THEME, PROFILE = 1, 2, 3
KINDS = {"episode": EPISODE, "theme": THEME, "profile": PROFILE}
"""How the kinds are written in `levels`."""
ALL_THEMES = 0
"""The key of every theme."""
LOOSE = -1
"""The key of an episode that has ended and waits for others like it; that of a session is not negative."""


def key_of(name: str | None) -> int:
    """A session or a person as a number: a 63-bit hash; 0 for none."""
    if name is None:
        return 0
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def open_levels(connection: sqlite3.Connection, namespace: int, kind: int, key: int | None = None) -> list[int]:
    """The open episodes, themes or profiles of a namespace (of one key), oldest first; no loose episodes."""
    query = "SELECT memory FROM levels WHERE namespace = ? AND kind = ? AND open = 1 AND key "
    query += ">= ?" if key is None else "= ?"
    values = [namespace, kind, 0 if key is None else key]
    return [num for (num,) in connection.execute(query + " ORDER BY memory DESC", values)]


def note(connection: sqlite3.Connection, memory: int, namespace: int, kind: int, key: int, *, is_open: bool) -> None:
    """Note where a level stands."""
    connection.execute(
        "INSERT OR REPLACE INTO levels (memory, namespace, kind, key, open) VALUES (?, ?, ?, ?, ?)",
        (memory, namespace, kind, key, int(is_open)),
    )


def loosen(connection: sqlite3.Connection, memory: int) -> None:
    """Note that an episode has ended, and waits for others like it to make a theme."""
    connection.execute("UPDATE levels SET key = ?, open = 1 WHERE memory = ?", (LOOSE, memory))


def close(connection: sqlite3.Connection, memory: int) -> None:
    """Note that nothing more is added to an episode or a theme."""
    connection.execute("UPDATE levels SET open = 0 WHERE memory = ?", (memory,))


def members(connection: sqlite3.Connection, memory: int) -> list[int]:
    """The numbers of what a level was derived from, in reading order."""
    query = (
        "SELECT s.source FROM sources s JOIN memories m ON m.num = s.source WHERE s.memory = ? ORDER BY m.seq, m.num"
    )
    return [num for (num,) in connection.execute(query, (memory,))]


def level_of(connection: sqlite3.Connection, source: int, kind: int) -> int | None:
    """The episode that holds a turn, or the theme that holds an episode."""
    query = "SELECT l.memory FROM sources s JOIN levels l ON l.memory = s.memory WHERE s.source = ? AND l.kind = ?"
    row = connection.execute(query, (source, kind)).fetchone()
    return None if row is None else int(row[0])


def is_noted(connection: sqlite3.Connection, turn: int) -> bool:
    """Whether a turn has been read for the levels."""
    return connection.execute("SELECT 1 FROM levels WHERE memory = ?", (turn,)).fetchone() is not None


def adopt(connection: sqlite3.Connection, turn: int, namespace: int, key: int) -> bool:
    """Note where the levels of a turn stand that came with it from another store; False where it has no episode.

    The last episode of a session stays open, and so do its themes.
    """
    episode = _above(connection, turn, "episode")
    if episode is None:
        return False
    note(connection, turn, namespace, EPISODE, key, is_open=False)
    if not is_noted(connection, episode):
        for num in open_levels(connection, namespace, EPISODE, key):
            close(connection, num)
        note(connection, episode, namespace, EPISODE, key, is_open=True)
        theme = _above(connection, episode, "theme")
        if theme is not None:
            close(connection, episode)
            note(connection, theme, namespace, THEME, ALL_THEMES, is_open=True)
    return True


def _above(connection: sqlite3.Connection, source: int, kind: str) -> int | None:
    query = "SELECT m.num FROM sources s JOIN memories m ON m.num = s.memory WHERE s.source = ? AND m.recipe = ?"
    row = connection.execute(query, (source, kind)).fetchone()
    return None if row is None else int(row[0])


def topic_of(connection: sqlite3.Connection, memory: int) -> str:
    """The topic under which a level was derived."""
    return str(connection.execute("SELECT topic FROM memories WHERE num = ?", (memory,)).fetchone()[0])


def is_hidden(connection: sqlite3.Connection, memory: int) -> bool:
    """Whether a level waits to be derived again."""
    return bool(connection.execute("SELECT hidden FROM memories WHERE num = ?", (memory,)).fetchone()[0])


def last_time(connection: sqlite3.Connection, memory: int) -> int | None:
    """When the last of a level's sources happened, in microseconds; of a turn, when it did."""
    query = f"SELECT max(m.happened_at) {_MEMBERS}"
    found: int | None = connection.execute(query, (memory, memory)).fetchone()[0]
    return found


def last_place(connection: sqlite3.Connection, memory: int) -> int:
    """The place in reading order of the last of a level's sources; of a turn, its own."""
    return int(connection.execute(f"SELECT max(m.seq) {_MEMBERS}", (memory, memory)).fetchone()[0] or 0)


_MEMBERS = "FROM memories m WHERE m.num IN (SELECT source FROM sources WHERE memory = ? UNION ALL SELECT max(?, 0))"


def replace_sources(connection: sqlite3.Connection, memory: int, sources: Sequence[int]) -> None:
    """Give a level other sources."""
    connection.execute("DELETE FROM sources WHERE memory = ?", (memory,))
    connection.executemany("INSERT INTO sources VALUES (?, ?)", [(memory, source) for source in set(sources)])
    trust_sources(connection, memory)


class FactRow(NamedTuple):
    """A fact by number, with what it is about by hash."""

    num: int
    namespace: int
    subject: int
    matter: int


_SHOWN = "m.hidden = 0 AND m.expired_at IS NULL AND (m.resting IS NULL OR m.resting <> 'forgotten')"


def facts_about(connection: sqlite3.Connection, namespace: int, subject: int, limit: int) -> list[int]:
    """The latest facts about somebody, oldest first."""
    query = (
        "SELECT f.memory FROM facts f JOIN memories m ON m.num = f.memory "
        f"WHERE f.namespace = ? AND f.subject = ? AND {_SHOWN} ORDER BY f.memory LIMIT ?"
    )
    return [num for (num,) in connection.execute(query, (namespace, subject, limit))][::-1]


def facts_in(connection: sqlite3.Connection, namespaces: Iterable[int], limit: int) -> list[FactRow]:
    """The latest facts of namespaces, oldest first."""
    marks = ", ".join(str(int(num)) for num in namespaces) or "NULL"
    query = (
        "SELECT f.memory, f.namespace, f.subject, f.matter FROM facts f JOIN memories m ON m.num = f.memory "
        f"WHERE f.namespace IN ({marks}) AND {_SHOWN} ORDER BY f.memory LIMIT ?"
    )
    return [FactRow(*row) for row in connection.execute(query, (limit,))][::-1]


def new_subjects(connection: sqlite3.Connection, before: int) -> tuple[list[tuple[int, int]], int]:
    """Who the facts numbered below `before` are about, as (namespace, subject), and the lowest number of a fact."""
    query = "SELECT DISTINCT namespace, subject FROM facts WHERE memory < ?"
    found = connection.execute(query, (before,)).fetchall()
    lowest = connection.execute("SELECT min(memory) FROM facts").fetchone()[0]
    return found, before if lowest is None else min(before, int(lowest))


def levels_in(connection: sqlite3.Connection, namespaces: Iterable[int], kind: int, limit: int) -> list[int]:
    """The latest episodes, themes or profiles that are shown, oldest first."""
    marks = ", ".join(str(int(num)) for num in namespaces) or "NULL"
    query = (
        "SELECT l.memory FROM levels l JOIN memories m ON m.num = l.memory "
        f"WHERE l.namespace IN ({marks}) AND l.kind = ? AND l.memory < 0 AND {_SHOWN} "
        "ORDER BY m.seq DESC, l.memory LIMIT ?"
    )
    return [num for (num,) in connection.execute(query, (kind, limit))][::-1]


def derived_from(connection: sqlite3.Connection, memory_id: str) -> list[int]:
    """What was derived from a memory and is shown, in reading order."""
    query = (
        "SELECT m.num FROM sources s JOIN memories o ON o.num = s.source JOIN memories m ON m.num = s.memory "
        f"WHERE o.id = ? AND {_SHOWN} ORDER BY m.seq, m.num"
    )
    return [num for (num,) in connection.execute(query, (memory_id,))]


def num_of(connection: sqlite3.Connection, memory_id: str) -> int | None:
    """The number of an id."""
    row = connection.execute("SELECT num FROM memories WHERE id = ?", (memory_id,)).fetchone()
    return None if row is None else int(row[0])


class Ended(NamedTuple):
    """What a turn states that no longer holds: the object of the fact, and until when it held, in microseconds."""

    turn: str
    object: str
    until: int


def ended_of(connection: sqlite3.Connection, turns: Sequence[str]) -> list[Ended]:
    """What these turns, by id, state that has ceased to hold since they were said."""
    query = (
        "SELECT t.id, json_extract(f.metadata, '$.object'), f.invalid_at FROM memories t "
        "JOIN sources s ON s.source = t.num JOIN memories f ON f.num = s.memory "
        "WHERE t.id = ? AND f.kind = 'fact' AND f.hidden = 0 AND f.invalid_at > coalesce(t.happened_at, 0) "
        "AND json_extract(f.metadata, '$.object') <> ''"
    )
    return [Ended(*row) for turn in turns for row in connection.execute(query, (turn,))]


def told_of(connection: sqlite3.Connection, fact: int) -> list[int]:
    """The episodes that hold the turns from which a fact was read, and so state it."""
    query = (
        "SELECT DISTINCT e.memory FROM sources f JOIN sources e ON e.source = f.source "
        "JOIN memories m ON m.num = e.memory WHERE f.memory = ? AND m.kind = 'episode'"
    )
    return [num for (num,) in connection.execute(query, (fact,))]
