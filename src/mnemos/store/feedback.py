"""What use has taught about the signals of each namespace: one row of factors."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from mnemos.events import compact_json
from mnemos.namespaces import namespace_key
from mnemos.records import Namespace
from mnemos.store.database import Database


class Taught(NamedTuple):
    """The factors of a namespace, and how many calls of `feedback` made them."""

    factors: Mapping[str, float]
    calls: int


class Factors:
    """The part of the SQLite store that keeps them."""

    db: Database

    def factors(self, namespace: Namespace) -> Mapping[str, float]:
        """By signal; empty where nothing was taught."""
        with self.db.read() as connection:
            return taught(connection, namespace).factors


def taught(connection: sqlite3.Connection, namespace: Namespace) -> Taught:
    """What a namespace was taught."""
    query = "SELECT f.weights, f.count FROM feedback f JOIN namespaces n ON n.num = f.namespace WHERE n.path = ?"
    row = connection.execute(query, (namespace_key(namespace),)).fetchone()
    return Taught({}, 0) if row is None else Taught(json.loads(row[0]), row[1])


def teach(connection: sqlite3.Connection, namespace: Namespace, factors: Mapping[str, float], now: int) -> None:
    """Put new factors in the place of the old ones."""
    connection.execute(
        "INSERT INTO feedback SELECT num, ?, 1, ? FROM namespaces WHERE path = ? "
        "ON CONFLICT (namespace) DO UPDATE SET weights = excluded.weights, count = count + 1, "
        "updated_at = excluded.updated_at",
        (compact_json(dict(factors)), now, namespace_key(namespace)),
    )


def unlearn(connection: sqlite3.Connection, namespace: Namespace) -> bool:
    """Forget the factors; False where there were none."""
    query = "DELETE FROM feedback WHERE namespace = (SELECT num FROM namespaces WHERE path = ?)"
    return connection.execute(query, (namespace_key(namespace),)).rowcount > 0
