"""Derivation: batches in one transaction each, that can be stopped, killed and repeated; what it decides is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from clock import Clock
from storetools import HashingEmbedder, dump
from test_durability import fork

from mnemos import Mnemos
from mnemos.pipeline import BATCH
from mnemos.recall.snapshot import Snapshot
from mnemos.records import KINDS
from mnemos.stages import Again, Batch
from mnemos.store import decisions
from mnemos.store.deriving import Derivation
from mnemos.store.rows import Stored

TURNS = [f"Turn number {n} speaks of {'tea' if n % 3 else 'coffee'}." for n in range(700)]


class Drinks:
    """A stage that derives one fact from each turn about coffee, and rests every turn about nothing."""

    name = "drinks"

    def __init__(self, fail_at: int | None = None, kill_at: int | None = None) -> None:
        self.fail_at = fail_at
        self.kill_at = kill_at
        self.seen: list[int] = []

    @property
    def again(self) -> Mapping[str, Again]:
        return {"drinks": lambda batch, stored, sources: self._say(sources)}

    def take(self, batch: Batch) -> None:
        found = []
        for stored in batch.memories:
            self.seen.append(stored.num)
            if stored.num == self.fail_at:
                raise RuntimeError("the stage broke")
            if stored.num == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if "nothing" in stored.memory.text:
                batch.rest(stored.num, "filler", "drinks")
            elif "coffee" in stored.memory.text:
                found.append(self._fact(stored))
        batch.derive_all(found)

    def _fact(self, stored: Stored) -> Derivation:
        memory = stored.memory
        return Derivation(memory.namespace, "fact", self._say([stored]) or "", "drinks", "coffee", (memory.id,))

    def _say(self, sources: Sequence[Stored]) -> str | None:
        told = [s.memory.text.removeprefix("Turn number ") for s in sources if "coffee" in s.memory.text]
        return f"Coffee was spoken of: {'; '.join(told)}" if told else None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Mnemos]:
    with Mnemos(path, stages=[Drinks()], clock=Clock()) as opened:
        yield opened


def derived(memory: Mnemos) -> list[str]:
    return [found.id for found in memory.list(kinds=["fact"], limit=1000)]


def test_everything_is_read_once_and_again_changes_nothing(memory: Mnemos, path: Path) -> None:
    memory.add(TURNS)
    assert memory.stats().jobs == {"queued": 1}
    assert memory.maintain().read == 700
    assert len(derived(memory)) == 234
    assert memory.stats().jobs == {}
    assert memory.maintain().read == 0
    before = derived(memory)
    with memory._store.db.write() as connection:
        connection.execute("DELETE FROM progress")
    memory.add("One more turn about coffee.")
    assert memory.maintain().read == 701
    assert set(before) < set(derived(memory))
    assert len(derived(memory)) == 235
    assert memory.check() == []


def test_it_stops_after_a_batch_and_goes_on(memory: Mnemos) -> None:
    memory.add(TURNS)
    first = memory.maintain(seconds=1e-9)
    assert first.waiting
    assert first.read in (0, BATCH)
    told: list[int] = []
    rest = memory.maintain(progress=told.append)
    assert first.read + rest.read == 700
    assert told[-1] == rest.read
    assert len(derived(memory)) == 234


def test_a_stage_that_breaks_loses_nothing(path: Path) -> None:
    clock = Clock()
    with Mnemos(path, stages=[Drinks(fail_at=400)], clock=clock) as memory:
        memory.add(TURNS)
        broken = memory.maintain()
        assert broken.failed == 1
        assert broken.read == BATCH
        assert memory.search("coffee 399", limit=3)
    clock.tick(60)
    with Mnemos(path, stages=[Drinks()], clock=clock) as memory:
        assert memory.maintain().read == 700 - BATCH
        assert len(derived(memory)) == 234
        assert memory.check() == []


def test_a_kill_in_the_middle_of_a_batch_leaves_whole_batches(path: Path) -> None:
    with Mnemos(path, stages=[Drinks()], clock=Clock()) as memory:
        memory.add(TURNS)
    child = fork()
    if not child:
        with Mnemos(path, stages=[Drinks(kill_at=600)], clock=Clock()) as memory:
            memory.maintain()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    stage = Drinks()
    with Mnemos(path, stages=[stage], clock=Clock()) as memory:
        assert len(derived(memory)) == len([t for t in TURNS[: 2 * BATCH] if "coffee" in t])
        assert memory.maintain().read == 700 - 2 * BATCH
        assert len(derived(memory)) == 234
        assert min(stage.seen) == 2 * BATCH + 1


def test_a_search_follows_what_derivation_changed_without_reading_all_anew(memory: Mnemos, path: Path) -> None:
    memory.add(TURNS[:30])
    memory.search("coffee")
    built: list[int] = []
    snapshots = memory._searcher._snapshots
    build = snapshots._build
    snapshots._build = lambda namespaces: built.append(1) or build(namespaces)  # type: ignore[method-assign,func-returns-value]
    memory.add(["I say nothing.", "A turn about nothing but coffee, nothing."])
    memory.maintain()
    hits = memory.search("coffee spoken of", limit=100)
    assert any(hit.memory.kind == "fact" or hit.also for hit in hits)
    assert not any("nothing" in hit.memory.text for hit in hits)
    assert not built
    (namespaces,) = snapshots._kept
    followed = snapshots.view(namespaces)
    fresh = build(namespaces)
    assert sorted(followed.snapshot.memories.tolist()) == sorted(fresh.snapshot.memories.tolist())
    assert_same_groups(followed.snapshot, fresh.snapshot)
    with Mnemos(path) as other:
        anew = {hit.memory.id: hit.score for hit in other.search("coffee spoken of", limit=100)}
    assert anew.keys() == {hit.memory.id for hit in hits}
    for hit in hits:
        assert hit.score == pytest.approx(anew[hit.memory.id], abs=1e-5)


def assert_same_groups(one: Snapshot, two: Snapshot) -> None:
    """Which units share a session does not depend on the way a snapshot came about."""

    def groups(snapshot: Snapshot) -> set[frozenset[int]]:
        columns = snapshot.columns
        return {frozenset(columns.num[columns.session == s].tolist()) for s in np.unique(columns.session)}

    assert groups(one) == groups(two)


def test_a_changed_source_is_derived_from_again(memory: Mnemos) -> None:
    (turn,) = memory.add("A turn about coffee.")
    memory.maintain()
    (fact,) = derived(memory)
    memory.update(turn.id, text="A turn about coffee with milk.")
    assert memory.get(fact) is None, "hidden until it is derived again"
    memory.maintain()
    found = memory.get(fact)
    assert found is not None
    assert "with milk" in found.text
    memory.update(turn.id, text="A turn about tea.")
    memory.maintain()
    assert derived(memory) == []
    assert memory.check() == []


def test_decisions_are_lines_of_history_and_survive_rebuild_and_export(memory: Mnemos, tmp_path: Path) -> None:
    (turn,) = memory.add("I say nothing.")
    memory.maintain()
    (line,) = [change for change in memory.history(turn.id) if change.op == "rest"]
    assert (line.by, line.undone, line.metadata["why"]) == ("drinks", False, "filler")
    resting = memory.get(turn.id)
    assert resting is not None
    assert resting.resting == "filler"
    assert not memory.search("nothing")
    memory.reindex()
    assert memory.check() == []
    assert not memory.search("nothing")
    assert memory.list()[0].resting == "filler"
    memory.export_file(tmp_path / "all.jsonl")
    with Mnemos(tmp_path / "other.db", stages=[]) as other:
        other.import_file(tmp_path / "all.jsonl")
        assert [change.op for change in other.history(turn.id)] == ["add", "rest"]
        assert not other.search("nothing")
        other.import_file(tmp_path / "all.jsonl")
        assert [change.op for change in other.history(turn.id)] == ["add", "rest"]


def test_what_is_derived_is_moved_whole(tmp_path: Path) -> None:
    """An export that is put back and derived from again says the same, under the same ids."""
    talk = [
        {
            "content": "I moved to Porto last week.",
            "name": "Ana",
            "session_id": "s1",
            "happened_at": "2026-01-10T10:00Z",
        },
        {"content": "I live in Braga now.", "name": "Ana", "session_id": "s2", "happened_at": "2026-03-10T10:00Z"},
    ]
    with Mnemos(tmp_path / "one.db", clock=Clock()) as memory, Mnemos(tmp_path / "two.db", clock=Clock()) as other:
        memory.add(talk, user_id="ana")
        memory.maintain()
        memory.export_file(tmp_path / "all.jsonl")
        other.import_file(tmp_path / "all.jsonl")
        everything = [*KINDS]

        def told(one: Mnemos) -> set[tuple[object, ...]]:
            found = one.list(user_id="ana", kinds=everything)
            return {
                (m.id, m.kind, m.text, m.speaker, m.session_id, m.valid_at, m.invalid_at, m.version, m.updated_at)
                for m in found
            }

        assert told(other) == told(memory)
        assert {m.kind for m in memory.list(user_id="ana", kinds=everything)} >= {"turn", "fact", "profile"}
        assert other.check() == []
        other.maintain()
        assert told(other) == told(memory)
        assert other.check() == []


def test_a_standing_decision_is_recorded_once_and_one_undone_is_remembered(memory: Mnemos) -> None:
    (turn,) = memory.add("I say nothing.")
    memory.maintain()
    with memory._store.db.write() as connection:
        num = connection.execute("SELECT num FROM memories WHERE id = ?", (turn.id,)).fetchone()[0]
        (made,) = decisions.about(connection, num)
        assert decisions.decide(connection, num, "rest", "drinks", 1) == made.id
        assert not decisions.was_undone(connection, num, "rest")
        decisions.mark_undone(connection, made.id, 2)
        assert decisions.was_undone(connection, num, "rest")
    memory.delete(turn.id)
    assert dump(memory.path)["decisions"] == []


def test_derivation_does_not_wait_for_a_network(path: Path) -> None:
    embedder = HashingEmbedder()
    with Mnemos(path, stages=[Drinks()], embedder=embedder, clock=Clock()) as memory:
        memory.add("A turn about coffee.")
        calls = embedder.calls
        with memory._store.db.write():
            for _ in memory._pipeline.run(1, lambda: False):
                assert embedder.calls == calls
        assert memory.search("coffee", kinds=["fact"])
        memory.maintain()
        assert embedder.calls > calls
        assert memory.check() == []
