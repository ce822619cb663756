"""check finds what disagrees with the log, reindex mends it: each projection is broken on purpose."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from storetools import broken, dump

from mnemos import Mnemos

Break = Callable[[sqlite3.Connection], object]


def fill(memory: Mnemos) -> None:
    turns = memory.add(
        [
            {"content": "Rita is vegan.", "name": "Ana", "happened_at": "2026-01-01T00:00:00Z", "metadata": {"a": 1}},
            "Tom likes chess. " * 200,
            {"content": "It rained.", "kind": "note", "session_id": "s"},
            "To be deleted.",
        ],
        namespace=("org", "team", "ana"),
    )
    memory.update(turns[2].id, text="It poured.", metadata={"b": 2}, trust=0.5)
    memory.put("k", {"v": ["one text", "another"]}, ttl=1000, namespace=("org",))
    memory.put("k2", 7, namespace=("org",))
    memory.link(turns[0].id, turns[1].id, "near", weight=0.5)
    memory.link(turns[1].id, turns[2].id, "far")
    memory.derive("Rita eats no fish.", sources=[turns[0].id, turns[1].id], recipe="r", metadata={"c": 3})
    memory.delete(turns[3].id)
    memory._store.record_uses({turns[0].id: 3}, 1_700_000_000_000_000)
    memory.maintain()


OWN_NUMBERS = ("meta", "embedders", "sketches", "sqlite_sequence")
"""Tables whose rows are numbered anew when they are made anew."""
BREAKS: dict[str, tuple[str, Break]] = {
    "words taken from another entry": ("memories", lambda c: c.execute("UPDATE memories SET said = 1 WHERE num = 2")),
    "an attribute": ("memories", lambda c: c.execute("UPDATE memories SET speaker = 'Eve' WHERE num = 1")),
    "a time": ("memories", lambda c: c.execute("UPDATE memories SET happened_at = 7 WHERE num = 1")),
    "metadata": ("memories", lambda c: c.execute("UPDATE memories SET metadata = '{}' WHERE num = 3")),
    "trust": ("memories", lambda c: c.execute("UPDATE memories SET trust = 1 WHERE num = 3")),
    "a version": ("memories", lambda c: c.execute("UPDATE memories SET version = 9 WHERE num = 1")),
    "hidden": ("memories", lambda c: c.execute("UPDATE memories SET hidden = 1 WHERE num = 1")),
    "a value": ("memories", lambda c: c.execute("UPDATE memories SET value = '8' WHERE key = 'k2'")),
    "an id": ("memories", lambda c: c.execute("UPDATE memories SET id = 'x' WHERE num = 3")),
    "another namespace": ("memories", lambda c: c.execute("UPDATE memories SET namespace = 2 WHERE num = 1")),
    "a row missing": ("memories", lambda c: c.execute("DELETE FROM memories WHERE num = 3")),
    "an item missing": ("memories", lambda c: c.execute("DELETE FROM memories WHERE key = 'k'")),
    "a row too many": (
        "memories",
        lambda c: c.execute(
            "INSERT INTO memories (num, id, namespace, seq, said, kind, created_at, updated_at) "
            "SELECT 4, 'extra', namespace, 4, 1, kind, 0, 0 FROM memories WHERE num = 1"
        ),
    ),
    "a row too many in place of another": (
        "memories",
        lambda c: c.executescript(
            "INSERT INTO memories (num, id, namespace, seq, said, kind, created_at, updated_at) "
            "SELECT 4, 'extra', namespace, 4, 1, kind, 0, 0 FROM memories WHERE num = 1;"
            "DELETE FROM memories WHERE num = 3;"
        ),
    ),
    "a number": ("memories", lambda c: c.execute("UPDATE memories SET num = 77 WHERE num = 3")),
    "passages missing": ("units", lambda c: c.execute("DELETE FROM units WHERE unit >> 20 = 1")),
    "the last passage missing": ("units", lambda c: c.execute("DELETE FROM units WHERE unit = (2 << 20) + 1")),
    "tokens": ("units", lambda c: c.execute("UPDATE units SET tokens = x'0102' WHERE unit >> 20 = 1")),
    "terms": ("units", lambda c: c.execute("UPDATE units SET terms = x'01020304' WHERE unit >> 20 = 1")),
    "a range": ("units", lambda c: c.execute("UPDATE units SET last = last - 1 WHERE unit >> 20 = 2")),
    "an item's passage": ("units", lambda c: c.execute("UPDATE units SET first = first + 1 WHERE unit >> 20 > 4")),
    "a derived memory's passage": ("units", lambda c: c.execute("DELETE FROM units WHERE unit < 0")),
    "a place": ("units", lambda c: c.execute("UPDATE units SET unit = unit + 5 WHERE unit >> 20 = 1")),
    "a passage of nothing": (
        "units",
        lambda c: c.execute("INSERT INTO units VALUES (99 << 20, 0, 1, x'', x'00000000')"),
    ),
    "a vector missing": ("vectors", lambda c: c.execute("DELETE FROM vectors WHERE unit >> 20 = 1")),
    "a vector": ("vectors", lambda c: c.execute("UPDATE vectors SET vector = zeroblob(512) WHERE unit >> 20 = 1")),
    "a vector's length": ("vectors", lambda c: c.execute("UPDATE vectors SET vector = x'0000' WHERE unit >> 20 = 1")),
    "a vector's embedder": (
        "vectors",
        lambda c: c.executescript(
            "INSERT INTO embedders VALUES (9, 'other', 256); UPDATE vectors SET embedder = 9 WHERE unit >> 20 = 1;"
        ),
    ),
    "a vector of nothing": ("vectors", lambda c: c.execute("INSERT INTO vectors VALUES (99 << 20, 1, x'')")),
    "a next vector of nothing": (
        "next_vectors",
        lambda c: c.execute("INSERT INTO next_vectors VALUES (9 << 20, 1, x'')"),
    ),
    "a link missing": ("links", lambda c: c.execute("DELETE FROM links WHERE source = 1")),
    "a link too many": ("links", lambda c: c.execute("INSERT INTO links VALUES (2, 1, 'back', 1)")),
    "a link's weight": ("links", lambda c: c.execute("UPDATE links SET weight = 0.25 WHERE source = 1")),
    "sources missing": ("sources", lambda c: c.execute("DELETE FROM sources")),
    "an ancestor missing": (
        "namespace_ancestors",
        lambda c: c.execute("DELETE FROM namespace_ancestors WHERE ancestor = 2"),
    ),
    "an ancestor too many": (
        "namespace_ancestors",
        lambda c: c.execute("INSERT INTO namespace_ancestors SELECT min(num), max(num) FROM namespaces"),
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_check_finds_it_and_reindex_mends_it(memory: Mnemos, path: Path, name: str) -> None:
    fill(memory)
    assert memory.check() == []
    whole = dump(path)
    table, breaking = BREAKS[name]
    with broken(path) as raw:
        breaking(raw)
    problems = memory.check()
    assert table in {problem.table for problem in problems}, problems
    assert all(problem.problem for problem in problems)
    memory.reindex()
    assert memory.check() == []
    memory.maintain()
    mended = dump(path)
    unlike = {table for table in whole if table not in OWN_NUMBERS and mended[table] != whole[table]}
    # without its sources nobody can say where a derived memory comes from: it goes
    derived = {
        "sources",
        "memories",
        "units",
        "vectors",
        "levels",
        "facts",
        "decisions",
        "mentions",
        "progress",
        "touched",
    }
    lost = derived if name == "sources missing" else set()
    # what the log does not know is lost with the row
    rows = ("an item missing", "an id", "a number", "a row missing", "a row too many")
    lost |= {"memories"} if name.startswith(rows) else set()
    assert unlike <= lost


def test_a_namespace_missing_above_another(memory: Mnemos, path: Path) -> None:
    fill(memory)
    before = memory.list(namespace=("org", "team"), descendants=True)
    with broken(path) as raw:
        raw.execute('DELETE FROM namespaces WHERE path = \'["org","team"]\'')
        raw.execute("DELETE FROM namespace_ancestors WHERE ancestor NOT IN (SELECT num FROM namespaces)")
        raw.execute("DELETE FROM namespace_ancestors WHERE namespace NOT IN (SELECT num FROM namespaces)")
    assert any(problem.table == "namespaces" for problem in memory.check())
    memory.reindex()
    assert memory.check() == []
    assert memory.list(namespace=("org", "team"), descendants=True) == before


def test_reindex_keeps_what_the_log_does_not_know(memory: Mnemos, clock: Clock) -> None:
    fill(memory)
    clock.tick(500)
    memory.get_item("k", namespace=("org",))
    before = {m.id: m for m in memory.list(namespace=("org",), descendants=True, limit=100)}
    links = [memory.links(memory_id) for memory_id in before]
    assert any(m.uses for m in before.values())
    assert memory.reindex() == 5
    after = {m.id: m for m in memory.list(namespace=("org",), descendants=True, limit=100)}
    assert after == before
    assert [memory.links(memory_id) for memory_id in before] == links
    clock.tick(900)
    assert memory.get_item("k", namespace=("org",)) is not None, "its time to live still counts from the last read"
    assert memory.search("Is Rita vegan?", namespace=("org",), descendants=True)[0].memory.text.startswith("Rita")


def test_a_reindex_that_fails_changes_nothing(memory: Mnemos, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(memory)
    whole = dump(path)

    def fail(*_: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr("mnemos.store.checking.write_units", fail)
    with pytest.raises(OSError, match="no"):
        memory.reindex()
    assert dump(path) == whole
    assert memory.check() == []


def test_another_analyzer_makes_the_passages_anew_on_opening(path: Path) -> None:
    with Mnemos(path) as memory:
        fill(memory)
        before = memory.search("rain", namespace=("org", "team", "ana"))
    with broken(path) as raw:
        raw.execute("UPDATE meta SET value = 'older' WHERE name = 'analyzer'")
        raw.execute("UPDATE units SET terms = x'00000000'")
    with Mnemos(path) as memory:
        assert memory.check() == []
        assert memory.search("rain", namespace=("org", "team", "ana")) == before


def test_a_repeat_of_an_event_whose_memory_is_missing_is_told(memory: Mnemos, path: Path) -> None:
    memory.add("x", happened_at="2026-01-01T00:00:00Z")
    with broken(path) as raw:
        raw.execute("DELETE FROM memories")
    problems = memory.check()
    assert {problem.table for problem in problems} >= {"memories"}
    memory.reindex()
    assert not memory.add("x", happened_at="2026-01-01T00:00:00Z")[0].is_new


def test_checking_writes_nothing(memory: Mnemos, path: Path) -> None:
    fill(memory)
    whole = dump(path)
    memory.check()
    assert dump(path) == whole
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
