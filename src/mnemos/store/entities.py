"""People, places and things: a row for every distinct name, which may stand for another; and who is mentioned where.

Mentions point at the name that was written, and a merge only lets one name stand for another (`into_entity`), so that
taking a merge back, and deleting the last memory that has a name, leave exactly what would be there without them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mnemos.store.decisions import mark_undone

_AT_ONCE = 500
_CHAIN = 8
"""Names that may stand for one another in a row."""


class Named(NamedTuple):
    """A row of `entities`: one name in one namespace."""

    num: int
    key: int
    name: str
    kind: str
    into: int | None


class Alias(NamedTuple):
    """A row of `aliases`: a name that an entity goes by, or may go by."""

    num: int
    entity: int
    key: int
    name: str
    policy: str
    decision: str | None
    undone: bool


NAMED = "num, key, name, kind, into_entity"
_ALIAS = "num, entity, key, name, policy, decision, undone_at IS NOT NULL"


def by_keys(connection: sqlite3.Connection, namespace: int, keys: Iterable[int]) -> dict[int, Named]:
    """The names of these keys that are known in a namespace."""
    found: dict[int, Named] = {}
    for part in _parts(keys):
        query = f"SELECT {NAMED} FROM entities WHERE namespace = ? AND key IN ({marks(part)})"
        found.update((row[1], Named(*row)) for row in connection.execute(query, (namespace, *part)))
    return found


def by_num(connection: sqlite3.Connection, num: int) -> Named | None:
    """A name by number."""
    row = connection.execute(f"SELECT {NAMED} FROM entities WHERE num = ?", (num,)).fetchone()
    return None if row is None else Named(*row)


def root(connection: sqlite3.Connection, num: int) -> int:
    """The name that a name stands for in the end; itself where it stands for none."""
    for _ in range(_CHAIN):
        row = connection.execute("SELECT into_entity FROM entities WHERE num = ?", (num,)).fetchone()
        if row is None or row[0] is None:
            return num
        num = row[0]
    return num


def group(connection: sqlite3.Connection, num: int) -> list[int]:
    """A name and all that stand for it."""
    found = [num]
    for one in found:
        rows = connection.execute("SELECT num FROM entities WHERE into_entity = ?", (one,))
        found += [into for (into,) in rows if into not in found]
    return found


def add(connection: sqlite3.Connection, namespace: int, key: int, name: str, kind: str) -> int:
    """Insert a name that is new; returns its number."""
    query = "INSERT INTO entities (namespace, key, name, kind) VALUES (?, ?, ?, ?) RETURNING num"
    return int(connection.execute(query, (namespace, key, name, kind)).fetchone()[0])


def set_kind(connection: sqlite3.Connection, num: int, kind: str) -> None:
    """Note of what kind an entity is."""
    connection.execute("UPDATE entities SET kind = ? WHERE num = ?", (kind, num))


def set_into(connection: sqlite3.Connection, num: int, into: int | None) -> None:
    """Let a name stand for another one, or for itself."""
    connection.execute("UPDATE entities SET into_entity = ? WHERE num = ?", (into, num))


def mention(connection: sqlite3.Connection, memory: int, entities: Iterable[int]) -> None:
    """Note which names a memory has, in the place of those noted before."""
    before = mentioned_by(connection, [memory])
    now = set(entities)
    connection.executemany(
        "DELETE FROM mentions WHERE memory = ? AND entity = ?", [(memory, entity) for entity in sorted(before - now)]
    )
    connection.executemany("INSERT OR IGNORE INTO mentions VALUES (?, ?)", [(memory, entity) for entity in sorted(now)])
    forget_unmentioned(connection, before - now)


def mentioned_by(connection: sqlite3.Connection, memories: Iterable[int]) -> set[int]:
    """The names that some memories have."""
    found: set[int] = set()
    for part in _parts(memories):
        query = f"SELECT entity FROM mentions WHERE memory IN ({marks(part)})"
        found.update(entity for (entity,) in connection.execute(query, part))
    return found


def forget_unmentioned(connection: sqlite3.Connection, entities: Iterable[int]) -> None:
    """Delete those of these names that no memory has any more; spell the others as a memory that is left does."""
    for num in sorted(set(entities)):
        query = (
            "SELECT coalesce(m.text, l.text, ''), m.speaker FROM mentions n JOIN memories m ON m.num = n.memory "
            "LEFT JOIN log l ON l.seq = m.said WHERE n.entity = ? ORDER BY m.num LIMIT 20"
        )
        left = connection.execute(query, (num,)).fetchall()
        named = by_num(connection, num)
        if named is None:
            continue
        if not left:
            _forget_aliases(connection, named)
            connection.execute("UPDATE entities SET into_entity = NULL WHERE into_entity = ?", (num,))
            connection.execute("DELETE FROM entities WHERE num = ?", (num,))
            continue
        texts = [f"{speaker or ''}\n{text}" for text, speaker in left]
        if not any(named.name in text for text in texts):
            spelled = re.compile(r"\s+".join(map(re.escape, named.name.split())), re.IGNORECASE)
            match = next((found for text in texts if (found := spelled.search(text))), None)
            name = " ".join(match[0].split()) if match else named.name.lower()
            connection.execute("UPDATE entities SET name = ? WHERE num = ?", (name, num))
            small = "UPDATE aliases SET name = lower(name) WHERE entity = ? AND instr(?, name) = 0"
            connection.execute(small, (num, name))


def _forget_aliases(connection: sqlite3.Connection, named: Named) -> None:
    """Delete the aliases of a name that no memory has, and itself from those of others.

    It stays where it is part of an entity's own name. What was decided keeps no hash of it.
    """
    gone = (
        "entity = ?1 OR (key = ?2 AND namespace = (SELECT namespace FROM entities WHERE num = ?1) AND NOT EXISTS "
        "(SELECT 1 FROM entities e WHERE e.num = aliases.entity AND instr(e.name, aliases.name)))"
    )
    decided = f"SELECT decision FROM aliases WHERE decision IS NOT NULL AND ({gone})"
    values = (named.num, named.key)
    connection.execute(f"UPDATE decisions SET detail = NULL WHERE id IN ({decided})", values)
    connection.execute(f"DELETE FROM aliases WHERE {gone}", values)


def sweep(connection: sqlite3.Connection) -> None:
    """Delete the names that no memory has."""
    query = "SELECT num FROM entities e WHERE NOT EXISTS (SELECT 1 FROM mentions n WHERE n.entity = e.num)"
    forget_unmentioned(connection, [num for (num,) in connection.execute(query)])


def aliases_of_key(connection: sqlite3.Connection, namespace: int, key: int) -> list[Alias]:
    """Whom a name may mean, in the order in which it was noted; those undone included."""
    query = f"SELECT {_ALIAS} FROM aliases WHERE namespace = ? AND key = ? ORDER BY num"
    return [_alias(row) for row in connection.execute(query, (namespace, key))]


def aliases_of(connection: sqlite3.Connection, entity: int) -> list[Alias]:
    """The names noted for an entity, those undone included."""
    return [_alias(row) for row in connection.execute(f"SELECT {_ALIAS} FROM aliases WHERE entity = ?", (entity,))]


def add_alias(
    connection: sqlite3.Connection, namespace: int, entity: int, key: int, name: str, policy: str, now: int
) -> int:
    """Note that a name may mean an entity; returns the row's number."""
    query = "INSERT INTO aliases (namespace, entity, key, name, policy, at) VALUES (?, ?, ?, ?, ?, ?) RETURNING num"
    return int(connection.execute(query, (namespace, entity, key, name, policy, now)).fetchone()[0])


def decided(connection: sqlite3.Connection, alias: int, decision: str) -> None:
    """Note by which decision an alias was followed."""
    connection.execute("UPDATE aliases SET decision = ? WHERE num = ?", (decision, alias))


def undo_aliases(connection: sqlite3.Connection, decision: str, now: int) -> list[int]:
    """Take back, for good, the aliases that a decision followed; returns the names that stand for themselves again."""
    rows = connection.execute(
        "SELECT num, namespace, key, entity FROM aliases WHERE decision = ? AND undone_at IS NULL", (decision,)
    ).fetchall()
    freed = []
    for num, namespace, key, entity in rows:
        connection.execute("UPDATE aliases SET undone_at = ? WHERE num = ?", (now, num))
        query = (
            "UPDATE entities SET into_entity = NULL WHERE namespace = ? AND key = ? AND into_entity = ? RETURNING num"
        )
        freed += [one for (one,) in connection.execute(query, (namespace, key, entity)).fetchall()]
    return freed


def part(connection: sqlite3.Connection, named: Named, now: int, *, for_good: bool) -> None:
    """Let a name stand for itself; `for_good`, also against what would be noted again."""
    namespace = connection.execute("SELECT namespace FROM entities WHERE num = ?", (named.num,)).fetchone()[0]
    set_into(connection, named.num, None)
    for alias in aliases_of_key(connection, namespace, named.key):
        if alias.decision is not None and not alias.undone:
            mark_undone(connection, alias.decision, now)
            if not for_good:
                connection.execute("UPDATE decisions SET detail = NULL WHERE id = ?", (alias.decision,))
                connection.execute("UPDATE aliases SET decision = NULL WHERE num = ?", (alias.num,))
        if for_good:
            connection.execute("UPDATE aliases SET undone_at = coalesce(undone_at, ?) WHERE num = ?", (now, alias.num))


def loose(connection: sqlite3.Connection) -> Mapping[str, int]:
    """By table, rows that should not be there: names that no memory has, and aliases of a namespace not their own."""
    queries = {
        "entities": "SELECT count(*) FROM entities e WHERE NOT EXISTS "
        "(SELECT 1 FROM mentions n WHERE n.entity = e.num)",
        "aliases": "SELECT count(*) FROM aliases a WHERE NOT EXISTS (SELECT 1 FROM entities e WHERE e.num = a.entity "
        "AND e.namespace = a.namespace)",
        "mentions": "SELECT count(*) FROM mentions n JOIN memories m ON m.num = n.memory JOIN entities e "
        "ON e.num = n.entity WHERE e.namespace <> m.namespace",
    }
    counts = {table: int(connection.execute(query).fetchone()[0]) for table, query in queries.items()}
    return {table: count for table, count in counts.items() if count}


def _alias(row: tuple[int, int, int, str, str, str | None, int]) -> Alias:
    return Alias(row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6]))


def _parts(values: Iterable[int]) -> Iterable[list[int]]:
    found = sorted(set(values))
    return (found[start : start + _AT_ONCE] for start in range(0, len(found), _AT_ONCE))


def marks(values: Sequence[int]) -> str:
    """A question mark for each value."""
    return ", ".join("?" * len(values))
