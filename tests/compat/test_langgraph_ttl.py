"""Times to live in a LangGraph store: minutes, refreshed by reads and writes, swept by hand or by a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from langgraph.store.base import GetOp, SearchOp, TTLConfig

from mnemos import InvalidInput, Mnemos
from mnemos.compat.langgraph import MnemosStore
from mnemos.errors import StoreError

NS = ("n",)
VALUE = {"text": "tea"}


@pytest.fixture
def store(memory: Mnemos) -> Iterator[MnemosStore]:
    with MnemosStore(memory, ttl={"default_ttl": 10}) as store:
        yield store


def keys(store: MnemosStore, **more: Any) -> list[str]:
    return sorted(item.key for item in store.search(NS, refresh_ttl=False, **more))


def test_what_has_expired_is_not_found_and_then_swept(store: MnemosStore, clock: Clock) -> None:
    store.put(NS, "default", VALUE)
    store.put(NS, "short", VALUE, ttl=1)
    store.put(NS, "never", VALUE, ttl=None)
    clock.tick(61)
    assert keys(store) == keys(store, query="tea") == ["default", "never"]
    assert store.get(NS, "short") is None
    assert store.sweep_ttl() == 1
    clock.tick(10 * 60)
    assert keys(store) == ["never"]
    assert (store.sweep_ttl(), store.sweep_ttl()) == (1, 0)
    assert store.memory.verify_erased("tea").live == (store.memory.get_item("never", namespace=NS).id,)  # type: ignore


def test_a_namespace_whose_items_have_expired_is_not_listed(store: MnemosStore, clock: Clock) -> None:
    store.put(("short",), "k", VALUE, ttl=0.5)
    store.put(("long",), "k", VALUE)
    clock.tick(31)
    assert store.list_namespaces() == [("long",)]


@pytest.mark.parametrize(
    ("config", "asked", "lives"),
    [
        (None, None, True),
        ({}, None, True),
        ({"refresh_on_read": True}, None, True),
        ({"refresh_on_read": False}, None, False),
        ({"refresh_on_read": False}, True, True),
        ({"refresh_on_read": True}, False, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["get", "search", "question"])
def test_reading_refreshes_as_configured_or_asked(
    memory: Mnemos, clock: Clock, config: TTLConfig | None, asked: bool | None, lives: bool, verb: str
) -> None:
    store = MnemosStore(memory, ttl=config)
    store.put(NS, "k", VALUE, ttl=1)
    clock.tick(50)
    if verb == "get":
        assert store.get(NS, "k", refresh_ttl=asked) is not None
    else:
        assert store.search(NS, query="tea" if verb == "question" else None, refresh_ttl=asked)
    clock.tick(50)
    assert (store.get(NS, "k", refresh_ttl=False) is not None) is lives


def test_only_what_a_search_returns_is_refreshed(store: MnemosStore, clock: Clock) -> None:
    for key in ("a", "b", "c"):
        store.put(NS, key, {"text": "tea", "key": key}, ttl=1)
        clock.tick()
    clock.tick(40)
    found = store.batch([SearchOp(NS, {"key": {"$ne": "c"}}, limit=1), GetOp(NS, "c", refresh_ttl=False)])
    assert [item.key for item in found[0]] == ["b"]  # type: ignore[union-attr]
    clock.tick(40)
    assert keys(store) == ["b"]


def test_a_write_starts_the_time_anew_and_may_change_it(store: MnemosStore, clock: Clock) -> None:
    store.put(NS, "k", VALUE, ttl=1)
    clock.tick(50)
    store.put(NS, "k", VALUE, ttl=2)
    clock.tick(110)
    assert keys(store) == ["k"]
    store.put(NS, "k", VALUE, ttl=None)
    clock.tick(10_000)
    assert keys(store) == ["k"]


def test_an_expired_key_can_be_put_again_as_a_new_item(store: MnemosStore, clock: Clock) -> None:
    store.put(NS, "k", VALUE, ttl=1)
    before = store.get(NS, "k")
    later = clock.tick(120)
    store.put(NS, "k", VALUE)
    after = store.get(NS, "k")
    assert before is not None
    assert after is not None
    assert after.created_at == later > before.created_at


@pytest.mark.parametrize("ttl", [0, -1, "5", True, float("nan"), float("inf")], ids=str)
def test_a_time_that_cannot_be_is_refused(store: MnemosStore, ttl: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^ttl: .*minutes"):
        store.put(NS, "k", VALUE, ttl=ttl)


class Swept(MnemosStore):
    """Says when its sweeper has come by."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.came = threading.Event()

    def sweep_ttl(self) -> int:
        try:
            return super().sweep_ttl()
        finally:
            self.came.set()


def wait(event: threading.Event) -> None:
    event.clear()
    assert event.wait(10)


def test_a_sweeper_deletes_until_it_is_stopped(path: Path, clock: Clock) -> None:
    with Mnemos(path, clock=clock) as memory, Swept(memory, ttl={"default_ttl": 1}) as store:
        store.put(NS, "k", {"text": "zanzibar"})
        clock.tick(61)
        ended = store.start_ttl_sweeper(0.0001)
        assert store.start_ttl_sweeper(0.0001) is ended
        wait(store.came)
        wait(store.came)
        assert memory.verify_erased("zanzibar").live == ()
        assert store.stop_ttl_sweeper(10)
        assert ended.result(10) is None
        assert store.stop_ttl_sweeper()
        again = store.start_ttl_sweeper(0.0001)
        wait(store.came)
        assert again.cancel()
        assert store.stop_ttl_sweeper(10)


def test_a_sweeper_outlives_a_store_that_cannot_be_written(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Mnemos(path, clock=clock)
    with Swept(memory, ttl={"sweep_interval_minutes": 0.0001}) as store:  # type: ignore[typeddict-item]
        memory.close()
        store.start_ttl_sweeper()
        wait(store.came)
        wait(store.came)
        with pytest.raises(StoreError):
            store.sweep_ttl()
    assert "will be deleted later" in caplog.text


def test_closing_stops_the_sweeper() -> None:
    with Swept(ttl={"default_ttl": 1}) as store:
        ended = store.start_ttl_sweeper(0.0001)
        wait(store.came)
    assert ended.result(10) is None


def test_without_a_configuration_there_is_nothing_to_sweep() -> None:
    with MnemosStore() as store:
        ended = store.start_ttl_sweeper()
        assert isinstance(ended, Future)
        assert ended.result(0) is None
        assert store.stop_ttl_sweeper()
