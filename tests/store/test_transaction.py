"""Several verbs in one transaction, and items that are given another key."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from clock import Clock

from mnemos import InvalidInput, Mnemos, NotFound


def keys(memory: Mnemos) -> list[str | None]:
    return sorted(str(item.key) for item in memory.list(kinds=["item"]))


def test_what_is_written_inside_stands_together(memory: Mnemos, path: Path) -> None:
    memory.put("old", {"v": "harbour"})
    with memory.transaction():
        memory.put("a", {"v": "oranges"})
        memory.add("We sail at noon.")
        old = memory.get_item("old")
        assert old is not None
        assert memory.delete(old.id).purge == "pending"
        assert keys(memory) == ["a"]
        with Mnemos(path) as other:
            assert keys(other) == ["old"]
    assert keys(memory) == ["a"]
    assert memory.stats().purge == "done"
    assert memory.verify_erased("harbour").clean
    assert [hit.memory.key for hit in memory.search("oranges", kinds=["item"])] == ["a"]
    assert memory.check() == []


def test_what_is_written_inside_falls_together(memory: Mnemos) -> None:
    memory.put("a", {"v": "oranges"})
    memory.search("oranges")
    with pytest.raises(InvalidInput, match="text: is empty"):
        _fail_half_way(memory)
    assert keys(memory) == ["a"]
    assert [hit.memory.value for hit in memory.search("bicycles lemons")] == [{"v": "oranges"}]
    assert memory.check() == []


def _fail_half_way(memory: Mnemos) -> None:
    with memory.transaction():
        item = memory.put("a", {"v": "bicycles"})
        memory.put("b", {"v": "lemons"})
        memory.delete(item.id)
        memory.update(item.id, text="")


@pytest.mark.parametrize("verb", ["search", "context"])
def test_questions_are_refused_inside(memory: Mnemos, verb: str) -> None:
    memory.add("We sail at noon.")
    with memory.transaction(), pytest.raises(InvalidInput, match="inside a transaction"):
        getattr(memory, verb)("When do we sail?")
    assert getattr(memory, verb)("When do we sail?")


def test_another_thread_waits_for_the_end(memory: Mnemos) -> None:
    seen: list[list[str | None]] = []
    with memory.transaction():
        memory.put("a", 1)
        thread = threading.Thread(target=lambda: seen.append(keys(memory)))
        thread.start()
        memory.put("b", 2)
    thread.join(10)
    assert seen == [["a", "b"]]


def test_an_item_keeps_its_id_and_history_under_another_key(memory: Mnemos, clock: Clock) -> None:
    first = memory.put("draft", {"v": "oranges"}, user_id="ana", metadata={"a": 1})
    clock.tick()
    renamed = memory.rename_item("draft", "final", user_id="ana")
    assert (renamed.id, renamed.key, renamed.value, renamed.metadata) == (first.id, "final", {"v": "oranges"}, {"a": 1})
    assert renamed.version == 2
    assert memory.get_item("draft", user_id="ana") is None
    assert [change.metadata.get("key") for change in memory.history(first.id)] == ["draft", "final"]
    assert [hit.memory.key for hit in memory.search("oranges", user_id="ana")] == ["final"]
    then = memory.list(user_id="ana", known_at=first.created_at)
    assert [item.key for item in then] == ["draft"]
    memory.put("draft", {"v": "another"}, user_id="ana")
    assert memory.check() == []
    memory.reindex()
    assert keys_of(memory, "ana") == ["draft", "final"]
    assert memory.check() == []


def keys_of(memory: Mnemos, user: str) -> list[str]:
    return sorted(str(item.key) for item in memory.list(user_id=user))


def test_a_key_that_is_taken_or_unknown_is_refused(memory: Mnemos, clock: Clock) -> None:
    memory.put("a", 1)
    memory.put("b", 2, ttl=5)
    with pytest.raises(InvalidInput, match="new_key: 'b' is taken"):
        memory.rename_item("a", "b")
    with pytest.raises(InvalidInput, match="new_key: 'a' is taken"):
        memory.rename_item("a", "a")
    with pytest.raises(NotFound, match="key: nothing"):
        memory.rename_item("c", "d")
    with pytest.raises(NotFound, match="key: nothing"):
        memory.rename_item("a", "d", user_id="ana")
    clock.tick(6)
    assert memory.rename_item("a", "b").value == 1
    assert memory.check() == []


def test_exchanged_keys_survive_an_export_and_a_merge(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    memory.put("a", {"v": "oranges"})
    memory.put("b", {"v": "bicycles"})
    memory.export_file(file)
    with Mnemos(tmp_path / "copy.db", clock=clock) as copy:
        copy.import_file(file)
        clock.tick()
        memory.rename_item("a", "spare")
        memory.rename_item("b", "a")
        memory.rename_item("spare", "b")
        memory.put("c", {"v": "lemons"})
        memory.export_file(file)
        copy.import_file(file)
        copy.import_file(file)
        assert {item.key: item.value["v"] for item in copy.list()} == {"a": "bicycles", "b": "oranges", "c": "lemons"}
        assert copy.check() == []


def test_a_merge_leaves_the_old_key_where_the_new_one_is_taken(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    memory.put("a", {"v": "oranges"})
    memory.export_file(file)
    with Mnemos(tmp_path / "copy.db", clock=clock) as copy:
        copy.import_file(file)
        copy.put("b", {"v": "bicycles"})
        clock.tick()
        memory.rename_item("a", "b")
        memory.export_file(file)
        assert copy.import_file(file).added == 0
        assert {item.key: item.value["v"] for item in copy.list()} == {"a": "oranges", "b": "bicycles"}
        assert copy.check() == []
