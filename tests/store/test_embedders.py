"""Changing the embedder: the old vectors serve until the new ones are complete, in every process."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from clock import Clock
from numpy.typing import NDArray
from storetools import HashingEmbedder, broken

from mnemos import Mnemos
from mnemos.embed.static import StaticEmbedder

TEXTS = ["Rita is vegan.", "Tom likes chess.", "It rained in Porto. " * 150, "The dog barked."]


@pytest.fixture(autouse=True)
def verbatim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is derived here: what counts is what was said."""
    monkeypatch.setattr("mnemos.keeping.default_stages", lambda: ())


def embedders(path: Path) -> dict[str, int]:
    """How many vectors of each embedder serve."""
    with closing(sqlite3.connect(path)) as raw:
        query = "SELECT e.name, count(*) FROM vectors v JOIN embedders e ON e.num = v.embedder GROUP BY 1"
        return dict(raw.execute(query).fetchall())


def works(memory: Mnemos) -> None:
    """Search finds what it should, and nothing disagrees."""
    assert memory.search("Who is vegan?")[0].memory.text == "Rita is vegan."
    assert memory.search("chess")[0].memory.text == "Tom likes chess."
    assert memory.check() == []


def test_a_store_begun_with_another_embedder(path: Path) -> None:
    with Mnemos(path, embedder=HashingEmbedder()) as memory:
        memory.add(TEXTS)
        works(memory)
        assert memory.stats().embedder == "hashing-32"
    assert list(embedders(path)) == ["hashing-32"]


def test_search_works_before_during_and_after_a_change(path: Path) -> None:
    with Mnemos(path) as memory:
        memory.add(TEXTS)
        memory.put("k", {"v": ["one text", "another"]})
    static = StaticEmbedder.bundled().name
    with Mnemos(path, embedder=HashingEmbedder()) as memory:
        works(memory)
        assert list(embedders(path)) == [static]
        memory.add("Added before the change.")
        works(memory)
        report = memory.maintain()
        assert (report.done, report.waiting) == (1, 0)
        assert list(embedders(path)) == ["hashing-32"]
        works(memory)
        memory.add("Added after the change.")
        memory.update(memory.list()[1].id, text="Tom likes chess.")
        works(memory)
        assert memory.maintain().done == 0
    with Mnemos(path, embedder=HashingEmbedder()) as memory:
        works(memory)
        assert memory.maintain().done == 0


def test_without_its_embedder_a_store_keeps_working(path: Path) -> None:
    with Mnemos(path, embedder=HashingEmbedder()) as memory:
        memory.add(TEXTS)
    vectors = embedders(path)
    with Mnemos(path) as memory:
        works(memory)
        memory.add("Added without the embedder.")
        assert memory.search("Added without the embedder.")[0].memory.text == "Added without the embedder."
        memory.reindex()
        works(memory)
        assert embedders(path) == vectors, "vectors that cannot be made again are kept"
        assert memory.maintain().waiting == 1
    with Mnemos(path, embedder=HashingEmbedder()) as memory:
        assert {problem.table for problem in memory.check()} == {"vectors"}
        memory.maintain()
        works(memory)
        assert embedders(path)["hashing-32"] == vectors["hashing-32"] + 1


def test_and_back_to_the_bundled_one(path: Path) -> None:
    with Mnemos(path, embedder=HashingEmbedder()) as memory:
        memory.add(TEXTS)
    with Mnemos(path, embedder=StaticEmbedder.bundled()) as memory:
        works(memory)
        memory.maintain()
        works(memory)
    assert list(embedders(path)) == [StaticEmbedder.bundled().name]


def test_other_processes_follow_a_change(path: Path) -> None:
    with Mnemos(path) as bystander, Mnemos(path, embedder=HashingEmbedder()) as changer:
        bystander.add(TEXTS)
        works(bystander)
        changer.maintain()
        works(changer)
        # it was not given the new embedder: its additions wait for vectors, and its searches go on
        assert bystander.search("Who is vegan?")[0].memory.text == "Rita is vegan."
        bystander.add("Added by the bystander.")
        assert bystander.search("bystander")[0].memory.text == "Added by the bystander."
        assert set(embedders(path)) == {"hashing-32"}
        assert changer.maintain().done == 1
        works(changer)
        assert changer.search("bystander").total == 5


def test_work_between_the_passages_and_the_switch_is_not_lost(path: Path) -> None:
    class Intruder(HashingEmbedder):
        def embed(self, texts: list[str]) -> NDArray[np.float32]:  # type: ignore[override]
            if self.calls == 0:
                self.calls += 1
                self.other.add("Added during the change.")
                self.other.update(self.first, text="Rita is vegan.")
                self.other.delete(self.doomed)
            return super().embed(texts)

        other: Mnemos
        first: str
        doomed: str

    intruder = Intruder()
    with Mnemos(path) as other:
        added = other.add(["Rita eats fish.", *TEXTS[1:]])
        intruder.other, intruder.first, intruder.doomed = other, added[0].id, added[3].id
        with Mnemos(path, embedder=intruder) as memory:
            memory.maintain()
            works(memory)
            assert memory.list().total == 4


def test_a_change_that_fails_goes_on_later(path: Path, clock: Clock) -> None:
    class Flaky(HashingEmbedder):
        def embed(self, texts: list[str]) -> NDArray[np.float32]:  # type: ignore[override]
            if self.calls == 0:
                self.calls += 1
                raise ConnectionError("no answer")
            return super().embed(texts)

    with Mnemos(path) as memory:
        memory.add(TEXTS)
    with Mnemos(path, embedder=Flaky(), clock=clock) as memory:
        assert memory.maintain().failed == 1
        works(memory)
        clock.tick(60)
        assert memory.maintain().done == 1
        works(memory)


@pytest.mark.parametrize(
    "rows",
    [np.zeros((1, 32)), np.full((4, 32), np.nan), np.zeros((4, 31)), [["a"]] * 4],
    ids=["few", "nan", "dim", "text"],
)
def test_an_embedder_that_answers_nonsense_is_refused(path: Path, rows: object) -> None:
    class Nonsense(HashingEmbedder):
        def embed(self, texts: list[str]) -> NDArray[np.float32]:  # type: ignore[override]
            return rows  # type: ignore[return-value]

    from mnemos import EmbedderError

    with Mnemos(path, embedder=Nonsense()) as memory:
        with pytest.raises(EmbedderError, match="hashing-32"):
            memory.add(TEXTS)
        assert memory.list().total == 0


def test_a_derivation_during_a_change_is_embedded_by_the_one_that_serves(path: Path) -> None:
    with Mnemos(path) as memory:
        one, two = memory.add(["one thing", "another thing"])
        memory.derive("both things", sources=[one.id, two.id], recipe="r")
    derivers = {"r": lambda sources: "one thing only"}
    with Mnemos(path, embedder=HashingEmbedder(), derivers=derivers) as memory:
        memory.delete(two.id)
        memory.maintain()
        assert memory.check() == []
        assert list(embedders(path)) == ["hashing-32"]


def test_vectors_that_are_missing_are_made(path: Path) -> None:
    with Mnemos(path) as memory:
        memory.add(TEXTS)
        before = embedders(path)
    with broken(path) as raw:
        raw.execute("DELETE FROM vectors WHERE unit >> 20 < 3")
    with Mnemos(path) as memory:
        assert memory.maintain().done == 1
        works(memory)
        assert embedders(path) == before
