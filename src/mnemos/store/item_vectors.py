"""Vectors of items' texts that an embedder other than the store's own has made; they go with the words they are of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from mnemos.store.database import Database
from mnemos.store.items import Place
from mnemos.store.meta import embedder_num


class Unread(NamedTuple):
    """An item whose texts an embedder has not embedded: its number, the log entry of its words, and the words."""

    num: int
    said: int
    texts: tuple[str, ...]


class Embedded(NamedTuple):
    """One text of an item: the item's id, and the text's vector as float32 bytes."""

    id: str
    vector: bytes


class ItemVectors:
    """What one embedder has made of a store's items; they are looked for below a namespace, or everywhere."""

    def __init__(self, db: Database, place: Callable[[Sequence[str]], Place], name: str, dim: int) -> None:
        self._db = db
        self._place = place
        with db.write() as connection:
            self._embedder = embedder_num(connection, name, dim)

    def missing(self, below: Sequence[str], limit: int) -> list[Unread]:
        """Some items that have texts and no vectors of them as they are now."""
        condition, values = self._place(below).sql()
        return self._unread(condition, values, limit)

    def written(self, ids: Sequence[str]) -> list[Unread]:
        """Those of some items that have texts and no vectors of them as they are now."""
        return self._unread("m.id IN (SELECT value FROM json_each(?))", [json.dumps(list(ids))], len(ids))

    def keep(self, read: Iterable[tuple[Unread, Sequence[bytes]]]) -> None:
        """Keep the vectors of items that still say what was embedded, in the place of all of what they said before."""
        with self._db.write() as connection:
            for item, vectors in read:
                if _said(connection, item.num) == item.said:
                    connection.execute(
                        "DELETE FROM item_vectors WHERE memory = ? AND (embedder = ? OR said <> ?)",
                        (item.num, self._embedder, item.said),
                    )
                    connection.executemany(
                        "INSERT INTO item_vectors (memory, embedder, said, vector) VALUES (?, ?, ?, ?)",
                        [(item.num, self._embedder, item.said, vector) for vector in vectors],
                    )

    def all(self, below: Sequence[str]) -> list[Embedded]:
        """The vectors of the items of a place, in no order."""
        condition, values = self._place(below).sql()
        query = (
            "SELECT m.id, v.vector FROM memories m JOIN item_vectors v ON v.memory = m.num AND v.said = m.said "
            f"WHERE {condition} AND v.embedder = ?"
        )
        with self._db.read() as connection:
            return [Embedded(*row) for row in connection.execute(query, [*values, self._embedder])]

    def _unread(self, condition: str, values: list[Any], limit: int) -> list[Unread]:
        query = (
            f"SELECT m.num, m.said, l.body FROM memories m JOIN log l ON l.seq = m.said WHERE {condition} "
            "AND l.text <> '' AND NOT EXISTS "
            "(SELECT 1 FROM item_vectors v WHERE v.memory = m.num AND v.embedder = ? AND v.said = m.said) LIMIT ?"
        )
        with self._db.read() as connection:
            rows = connection.execute(query, [*values, self._embedder, limit])
            return [Unread(num, said, tuple(json.loads(body)["texts"])) for num, said, body in rows]


def _said(connection: sqlite3.Connection, num: int) -> int | None:
    row = connection.execute("SELECT said FROM memories WHERE num = ?", (num,)).fetchone()
    return None if row is None else int(row[0])
