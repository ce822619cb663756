"""Every released store opens, checks and answers; a migration that fails leaves the file as it was."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from storetools import dump

from mnemos import Mnemos, NewerSchema, StoreError, __version__
from mnemos.records import KINDS
from mnemos.store import database
from mnemos.store.schema import MIGRATIONS

STORES = Path(__file__).parent.parent / "data" / "stores"
RELEASES = sorted(STORES.glob("*.db"))


def test_this_release_has_its_store() -> None:
    assert STORES / f"{__version__}.db" in RELEASES, "run tools/make_release_store.py"


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.stem)
def test_a_released_store_opens_and_answers(path: Path, release: Path) -> None:
    shutil.copy(release, path)
    expected: dict[str, Any] = json.loads(release.with_suffix(".json").read_text(encoding="utf-8"))
    with Mnemos(path) as memory:
        assert memory.check() == []
        found = {m.id: m for namespace in memory.namespaces() for m in memory.list(namespace=namespace, kinds=KINDS)}
        assert len(found) == len(expected["memories"]) > 10
        for held in expected["memories"]:
            m = found[held["id"]]
            assert list(m.namespace) == held["namespace"]
            for name in (
                "kind",
                "text",
                "speaker",
                "version",
                "uses",
                "value",
                *(("trust",) if "trust" in held else ()),
            ):
                assert getattr(m, name) == held[name], name
            # releases before 0.3.0 knew no origins
            assert (m.channel, m.writer) == (held.get("channel"), held.get("writer"))
            assert (dict(m.metadata), list(m.sources)) == (held["metadata"], held["sources"])
            assert (m.happened_at and m.happened_at.isoformat()) == held["happened_at"]
            assert [change.text for change in memory.history(m.id)] == held["history"]
            links = [[link.source, link.target, link.relation, link.weight] for link in memory.links(m.id)]
            assert links == held["links"]
        if "item_vectors" in expected:
            assert len(memory.item_vectors("by-hand", 2).all(())) == expected["item_vectors"] > 0
        wanted = sorted(one.memory for one in memory.artifacts.wanted(form="parametric"))
        assert wanted == expected.get("wanted", [])
        for question, answer in expected["questions"].items():
            texts = [hit.memory.text for hit in memory.search(question, user_id="ana", kinds=["turn", "note"])]
            assert answer in texts[:2]
        memory.add("Added by a later release.", user_id="ana")
        assert memory.maintain().waiting == 0
        assert any("vegan" in fact.text for fact in memory.facts(user_id="ana"))
        assert memory.reindex() > 10
        assert memory.check() == []


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute("PRAGMA user_version").fetchone()[0])


def test_a_migration_is_applied_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Mnemos(path) as memory:
        memory.add("kept")
    later = (*MIGRATIONS, "CREATE TABLE later (x INTEGER) STRICT;\nINSERT INTO later VALUES (1); -- one\n")
    monkeypatch.setattr(database, "MIGRATIONS", later)
    for _ in range(2):
        with Mnemos(path) as memory:
            assert [m.text for m in memory.list()] == ["kept"]
    assert version(path) == len(MIGRATIONS) + 1
    assert dump(path)["later"] == [(1,)]
    monkeypatch.undo()
    with pytest.raises(NewerSchema):
        Mnemos(path)


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Mnemos(path) as memory:
        memory.add("kept")
    before = dump(path)
    failing = (
        *MIGRATIONS,
        "CREATE TABLE later (x INTEGER);\nUPDATE log SET text = 'lost';\nINSERT INTO nowhere VALUES (1);\n",
    )
    monkeypatch.setattr(database, "MIGRATIONS", failing)
    with pytest.raises(StoreError):
        Mnemos(path)
    assert dump(path) == before
    assert version(path) == len(MIGRATIONS)
    monkeypatch.undo()
    with Mnemos(path) as memory:
        assert [m.text for m in memory.list()] == ["kept"]


def test_a_creation_that_fails_leaves_a_file_that_can_be_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", (MIGRATIONS[0] + "INSERT INTO nowhere VALUES (1);\n",))
        with pytest.raises(StoreError):
            Mnemos(path)
    assert dump(path) == {}
    with Mnemos(path) as memory:
        memory.add("x")
        assert memory.check() == []


def test_an_unfinished_statement_is_noticed() -> None:
    with pytest.raises(ValueError, match="unfinished"):
        list(database.split_statements("CREATE TABLE a (x);\nCREATE TABLE b ("))


def test_every_commit_waits_for_the_disk(path: Path) -> None:
    with Mnemos(path) as memory, memory._store.db.plain() as connection:
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
