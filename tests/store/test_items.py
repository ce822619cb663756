"""Items: put and get by key, time to live, replacing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from clock import Clock

from mnemos import InvalidInput, Mnemos


def test_put_and_get(memory: Mnemos) -> None:
    value = {"name": "Rita", "diet": ["vegan", "no nuts"], "age": 31, "none": None, "tuple": (1, 2)}
    put = memory.put("sister", value, user_id="ana", metadata={"from": "chat"})
    got = memory.get_item("sister", user_id="ana")
    assert got is not None
    assert got.value == put.value == {**value, "tuple": [1, 2]}
    assert (got.kind, got.key, got.text, got.metadata) == ("item", "sister", "Rita\nvegan\nno nuts", {"from": "chat"})
    assert memory.get_item("sister") is None
    assert memory.get_item("brother", user_id="ana") is None
    assert memory.get(put.id) == got


@pytest.mark.parametrize("value", [None, True, 0, "", "text", [], {}, [1, {"a": "b"}], 1.5, "null"])
def test_every_json_value_comes_back(memory: Mnemos, value: object) -> None:
    memory.put("k", value)
    found = memory.get_item("k")
    assert found is not None
    assert found.value == value
    assert type(found.value) is type(value)


def test_an_item_is_found_by_its_texts_and_by_nothing_else(memory: Mnemos) -> None:
    memory.put("a", {"words": "quantum entanglement"}, texts=["breakfast pancakes", "maple syrup"])
    memory.put("b", {"words": "silent"}, texts=[])
    assert [hit.memory.key for hit in memory.search("maple syrup")] == ["a"]
    assert memory.search("silent").total == 1
    assert memory.list().total == 2
    assert memory.check() == []


def test_a_second_put_replaces_the_value_and_keeps_the_id(memory: Mnemos, clock: Clock) -> None:
    first = memory.put("k", {"v": "oranges"}, metadata={"a": 1})
    clock.tick()
    second = memory.put("k", {"v": "bicycles"})
    assert (second.id, second.version, second.value, second.metadata) == (first.id, 2, {"v": "bicycles"}, {})
    assert not second.is_new
    assert memory.list().total == 1
    hits = memory.search("bicycles")
    assert [hit.memory.value for hit in hits] == [{"v": "bicycles"}]
    assert hits[0].score > memory.search("oranges")[0].score
    assert memory.check() == []
    assert [change.text for change in memory.history(first.id)] == ["oranges", "bicycles"]


def test_a_large_value_can_be_put_twice(memory: Mnemos) -> None:
    value = ["word " * 100_000]
    memory.put("k", value)
    memory.put("k", value, metadata={"note": "x" * 900_000})
    assert memory.list().total == 1


def test_keys_are_unique_in_their_namespace_only(memory: Mnemos) -> None:
    for user in ("ana", "ben"):
        memory.put("k", user, user_id=user)
    assert [memory.get_item("k", user_id=user).value for user in ("ana", "ben")] == ["ana", "ben"]  # type: ignore[union-attr]


def test_an_item_expires(memory: Mnemos, clock: Clock) -> None:
    put = memory.put("k", {"v": "short lived"}, ttl=60)
    memory.put("stays", {"v": "long lived"})
    clock.tick(59)
    assert memory.search("lived").total == 2
    clock.tick(1)
    assert memory.get_item("k") is None
    assert memory.get(put.id) is None
    assert [m.key for m in memory.list()] == ["stays"]
    assert [hit.memory.key for hit in memory.search("lived")] == ["stays"]
    assert [hit.memory.key for hit in memory.search("lived", filters={"kind": "item"})] == ["stays"]
    assert memory.stats().memories == 1
    assert memory.maintain().expired == 1
    assert memory.maintain().expired == 0
    assert memory.check() == []
    assert [change.text for change in memory.history(put.id)] == [None, None]


def test_reading_starts_the_time_to_live_anew(memory: Mnemos, clock: Clock) -> None:
    memory.put("k", {"v": "read often"}, ttl=timedelta(seconds=60))
    assert memory.search("often").total == 1
    clock.tick(50)
    assert memory.get_item("k") is not None
    clock.tick(50)
    assert memory.search("often").total == 1, "a snapshot taken before the refresh still finds it"
    assert memory.get_item("k", refresh=False) is not None
    clock.tick(10)
    assert memory.get_item("k", refresh=False) is None
    assert memory.search("often").total == 0


def test_putting_starts_the_time_to_live_anew_or_ends_it(memory: Mnemos, clock: Clock) -> None:
    memory.put("k", 1, ttl=60)
    clock.tick(50)
    memory.put("k", 2, ttl=60)
    clock.tick(50)
    assert memory.get_item("k", refresh=False) is not None
    memory.put("k", 3)
    clock.tick(10_000_000)
    assert memory.get_item("k") is not None


def test_an_expired_key_can_be_put_again_as_a_new_item(memory: Mnemos, clock: Clock) -> None:
    first = memory.put("k", "old", ttl=1)
    clock.tick(2)
    second = memory.put("k", "new", ttl=1)
    assert second.id != first.id
    assert second.is_new
    assert memory.list().total == 1
    assert memory.verify_erased("old").clean


def test_reading_an_item_without_a_time_to_live_writes_nothing(memory: Mnemos, path: Path) -> None:
    memory.put("k", "v")
    size = path.with_name(path.name + "-wal").stat().st_size
    memory.get_item("k")
    assert path.with_name(path.name + "-wal").stat().st_size == size


def test_an_items_words_follow_from_its_value(memory: Mnemos) -> None:
    put = memory.put("k", {"v": "words"})
    with pytest.raises(InvalidInput, match=r"text: .*use put\(\)"):
        memory.update(put.id, text="other words")
    changed = memory.update(put.id, metadata={"a": 1}, trust=0.5, happened_at="2026-01-01T00:00:00Z")
    assert (changed.value, changed.metadata, changed.trust) == ({"v": "words"}, {"a": 1}, 0.5)
    assert memory.check() == []


def test_an_expired_item_cannot_be_updated(memory: Mnemos, clock: Clock) -> None:
    put = memory.put("k", "v", ttl=1)
    clock.tick(2)
    with pytest.raises(KeyError):
        memory.update(put.id, trust=0.5)
