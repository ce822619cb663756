"""Deleting reaches what was derived: names, facts, levels, decisions, hashes; in every table and in the raw bytes."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from storetools import broken, raw_bytes

from mnemos import Mnemos
from mnemos.entities.resolve import name_key
from mnemos.facts.keys import subject_key

FRAMES = (
    "My sister {0} lives in {1} with her dog {2}.",
    "I met Dr. {0} {1} at {2} yesterday.",
    "My name is {0} and my favourite colour is {1}, I work at {2}.",
    "{0} moved to {1} last week because of {2}.",
    "Please call me {0}. I am allergic to {1} and I love {2}.",
    "My friend {0} {1} plays the {2} in a band.",
    "I saw Dr. {0} again, and my boss {1} was with {2}.",
    "I bought a {0} for my brother {1} in {2}.",
)


def made_up(rng: random.Random) -> str:
    """A name that no file holds by chance."""
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(5)).capitalize()


def tables(path: Path) -> str:
    """Every value of every table, in small letters."""
    with closing(sqlite3.connect(path)) as raw:
        names = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows: list[Any] = [row for name in names for row in raw.execute(f"SELECT * FROM {name}").fetchall()]
    return "\n".join(str(value) for row in rows for value in row).lower()


def integers(path: Path) -> set[int]:
    """Every number of the tables of hashes."""
    query = "SELECT key FROM entities UNION SELECT key FROM aliases UNION SELECT subject FROM facts"
    with closing(sqlite3.connect(path)) as raw:
        return {value for (value,) in raw.execute(query)}


def keys_of(said: dict[str, list[str]], ids: set[str]) -> set[int]:
    """The hashes of names that some memories may hold: words, pairs of them, and with a title."""
    pairs = [f"{one} {two}" for memory_id in ids for one, two in pairwise(said[memory_id])]
    alone = [word for memory_id in ids for word in said[memory_id]]
    return {name_key(name) for name in [*pairs, *alone, *(f"Dr. {name}" for name in [*pairs, *alone])]}


def holding(path: Path, words: set[str]) -> set[str]:
    """Which of these words a table or a file still holds."""
    said, raw = tables(path), raw_bytes(path).lower()
    return {word for word in words if word.lower() in said or word.lower().encode() in raw}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_word_of_what_is_deleted_stays(tmp_path: Path, clock: Clock, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "a.db"
    with Mnemos(path, clock=clock) as memory:
        said: dict[str, list[str]] = {}
        pool = [made_up(rng) for _ in range(18)]
        for turn in range(24):
            words = [rng.choice(pool) if rng.random() < 0.5 else made_up(rng) for _ in range(3)]
            speaker = rng.choice(pool[:3])
            (added,) = memory.add(
                {"content": rng.choice(FRAMES).format(*words), "name": speaker, "session_id": f"s{turn // 6}"},
                user_id="ana",
            )
            said[added.id] = [*words, speaker]
            clock.tick(600)
            if turn % 8 == 7:
                memory.maintain()
        memory.maintain()
        everyone = memory.entities(user_id="ana")
        memory.alias("Zuzuzuzuzu", of=everyone[0].name, user_id="ana")
        memory.feedback(made_up(rng), used=[next(iter(said))], user_id="ana")
        assert any(memory.list(user_id="ana", kinds=["fact"]))
        gone = set(rng.sample(sorted(said), 14))
        for memory_id in gone:
            assert memory.delete(memory_id).purge == "done"
        stay: set[str] = set().union(*(words for memory_id, words in said.items() if memory_id not in gone))
        lost: set[str] = set().union(*(said[memory_id] for memory_id in gone)) - stay
        assert lost
        assert holding(path, lost) == set()
        hashes = integers(path)
        assert not {name_key(word) for word in lost} & hashes
        assert not {key for key in keys_of(said, gone) if str(key) in tables(path)} - keys_of(said, set(said) - gone)
        assert not {subject_key(word) for word in lost} & hashes
        assert all(memory.verify_erased(word).clean for word in lost)
        assert memory.check() == []
        memory.maintain()
        assert holding(path, lost) == set()
        assert memory.check() == []
        memory.delete_all(user_id="ana")
        assert holding(path, lost | stay | {"Zuzuzuzuzu"}) == set()
        memory.maintain()
        assert memory.check() == []
        with closing(sqlite3.connect(path)) as raw:
            for table in ("memories", "decisions", "facts", "sketches", "entities", "aliases", "mentions", "levels"):
                assert raw.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_names_of_a_corrected_memory_go_with_the_old_reading(memory: Mnemos, path: Path) -> None:
    (turn,) = memory.add({"content": "My sister Bodogukima lives in Lisbon.", "name": "Ana"})
    memory.maintain()
    memory.update(turn.id, text="My sister Rita lives in Lisbon.")
    memory.maintain()
    assert {node.name for node in memory.entities()} == {"Ana", "Rita", "Lisbon"}
    memory.delete(turn.id)
    assert b"bodogukima" not in raw_bytes(path).lower()


def test_a_name_is_spelled_as_a_memory_that_is_left_spells_it(memory: Mnemos, path: Path) -> None:
    first, _ = memory.add(["My friend Tomasz is here.", "and then tomasz left, I saw tomasz go"])
    memory.maintain()
    memory.delete(first.id)
    assert [node.name for node in memory.entities()] == ["tomasz"]
    assert b"Tomasz" not in raw_bytes(path)
    assert memory.check() == []


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("entities", "INSERT INTO entities (namespace, key, name, kind) VALUES (1, 5, 'x', 'person')"),
        ("mentions", "INSERT INTO mentions VALUES (999, 1)"),
        ("mentions", "INSERT INTO mentions VALUES (1, 999)"),
        ("aliases", "INSERT INTO aliases (namespace, entity, key, name, policy, at) VALUES (1, 999, 5, 'x', 'p', 0)"),
        ("facts", "INSERT INTO facts VALUES (999, 1, 2, 3, 4, 1)"),
        ("sketches", "INSERT INTO sketches (namespace, band, memory) VALUES (1, 2, 999)"),
        ("decisions", "INSERT INTO decisions (id, memory, op, policy, at) VALUES ('x', 999, 'rest', 'p', 0)"),
        ("levels", "INSERT INTO levels VALUES (999, 1, 1, 1, 1)"),
        ("feedback", "INSERT INTO feedback VALUES (999, '{}', 1, 0)"),
        ("budgets", "INSERT INTO budgets VALUES (999, '{}', 0)"),
    ],
)
def test_check_finds_rows_that_belong_to_nothing(memory: Mnemos, path: Path, table: str, statement: str) -> None:
    memory.add({"content": "My sister Rita lives in Lisbon.", "name": "Ana"})
    memory.maintain()
    assert memory.check() == []
    with broken(path) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute(statement)
    assert table in {problem.table for problem in memory.check()}
