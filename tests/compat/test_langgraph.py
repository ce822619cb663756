"""LangGraph's store contract, held against LangGraph's own in-memory store: the same calls, the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchItem,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from mnemos import InvalidInput, Mnemos
from mnemos.compat.langgraph import MnemosStore

PEOPLE: dict[str, dict[str, Any]] = {
    "ana": {"name": "Ana", "age": 34, "likes": {"drink": "tea", "food": ["bread", "figs"]}, "active": True},
    "ben": {"name": "Ben", "age": 7, "likes": {"drink": "milk", "food": []}, "active": False},
    "cem": {"name": "Cem", "age": 34.5, "likes": {"drink": "tea", "food": ["figs"]}, "active": True},
}
PLACES = [("a",), ("a", "b"), ("a", "b", "c"), ("a", "bb"), ("a", "x", "c"), ("b", "a"), ("c", "b", "a", "d")]
LABELS = st.sampled_from(["a", "b", "ab", "a_", "%", "A", "é", "a b", "a\n", "[x]", "*a"])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
VALUES = st.fixed_dictionaries({"n": st.integers(-9, 9)}, optional={"text": TEXTS, "deep": st.lists(TEXTS, max_size=2)})


@pytest.fixture
def store() -> Iterator[MnemosStore]:
    with MnemosStore() as store:
        yield store


def shape(item: Item | None) -> Any:
    """What an item says, without the times at which two stores wrote it."""
    return None if item is None else (item.namespace, item.key, item.value)


def shapes(items: list[SearchItem]) -> list[Any]:
    """Found items; where nothing ranks them LangGraph promises no order."""
    return sorted(map(shape, items), key=repr)


def test_an_item_is_put_read_changed_and_deleted(clock: Clock, memory: Mnemos) -> None:
    store = MnemosStore(memory)
    store.put(("users", "ana"), "diet", {"text": "allergic to walnuts", "since": 2019})
    first = store.get(("users", "ana"), "diet")
    assert first is not None
    assert (first.value, first.created_at) == ({"text": "allergic to walnuts", "since": 2019}, clock.now)
    later = clock.tick(60)
    store.put(("users", "ana"), "diet", {"text": "eats everything"})
    second = store.get(("users", "ana"), "diet")
    assert second is not None
    assert second.value == {"text": "eats everything"}
    assert (second.created_at, second.updated_at) == (first.created_at, later)
    assert store.get(("users",), "diet") is None
    store.delete(("users", "ana"), "diet")
    assert store.get(("users", "ana"), "diet") is None
    store.delete(("users", "ana"), "diet")


def test_a_value_of_none_deletes_and_leaves_no_trace(store: MnemosStore) -> None:
    store.put(("users",), "secret", {"text": "zanzibar"})
    assert store.batch([PutOp(("users",), "secret", None)]) == [None]
    assert store.search(("users",)) == []
    assert store.memory.verify_erased("zanzibar").clean
    assert store.memory.verify_erased("zanzibar").live == ()


def test_an_item_is_a_memory_of_the_library(store: MnemosStore) -> None:
    store.put(("user", "ana"), "diet", {"text": "Ana is allergic to walnuts"})
    found = store.memory.search("What can Ana not eat?", user_id="ana", kinds=["item"])[0].memory
    assert (found.key, found.value, found.channel) == ("diet", {"text": "Ana is allergic to walnuts"}, "langgraph")
    store.memory.put("list", ["bread", "figs"], user_id="ana")
    item = store.get(("user", "ana"), "list")
    assert item is not None
    assert item.value == {"value": ["bread", "figs"]}
    assert [hit.memory.key for hit in store.memory.search("walnuts", user_id="ana")] == ["diet", "list"]


def test_a_file_is_kept_and_shared_by_path(path: Path) -> None:
    with MnemosStore.from_conn_string(str(path)) as store:
        store.setup()
        store.put(("users",), "ana", {"name": "Ana"})
    with Mnemos(path) as memory, MnemosStore(memory) as store:
        assert store.get(("users",), "ana") is not None
        store.close()
        assert memory.get_item("ana", namespace=("users",)) is not None, "a memory of the caller's stays open"


FILTERS: list[dict[str, Any]] = [
    {},
    {"name": "Ana"},
    {"age": 34},
    {"active": True, "name": "Cem"},
    {"age": {"$gt": 7}},
    {"age": {"$gte": 34, "$lt": 34.5}},
    {"age": {"$lte": "34"}},
    {"age": {"$eq": 7}},
    {"age": {"$ne": 7}},
    {"name": {"$ne": "Ana"}, "active": {"$eq": True}},
    {"likes": {"drink": "tea"}},
    {"likes": {"drink": {"$ne": "tea"}}},
    {"likes": {"drink": "tea", "food": ["figs"]}},
    {"likes": {"food": []}},
    {"likes": {"food": ("bread", {"$eq": "figs"})}},
    {"likes": {"missing": None}},
    {"nothing": "here"},
    {"nothing": {"$eq": None}},
    {"nothing": {"$ne": 3}},
]


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_filters_count_what_langgraph_counts(store: MnemosStore, wanted: dict[str, Any]) -> None:
    theirs = InMemoryStore()
    for key, value in PEOPLE.items():
        store.put(("people",), key, value)
        theirs.put(("people",), key, value)
    assert shapes(store.search(("people",), filter=wanted)) == shapes(theirs.search(("people",), filter=wanted))


def test_filters_reach_in_by_dots_and_compare_texts(store: MnemosStore) -> None:
    for key, value in PEOPLE.items():
        store.put(("people",), key, value)
    store.put(("people",), "dot", {"likes": None, "likes.drink": "rain"})

    def keys(wanted: dict[str, Any], query: str | None = None) -> list[str]:
        return sorted(item.key for item in store.search(("people",), filter=wanted, query=query))

    assert keys({"likes.drink": "tea"}) == keys({"likes.drink": {"$gt": "milk", "$lt": "z", "$ne": "rain"}})
    assert keys({"likes.drink": "rain"}) == ["dot"]
    assert keys({"name": {"$gte": "Ben"}}, query="milk") == ["ben", "cem"]
    assert keys({"age": {"$gt": "many"}}) == keys({"name": {"$gt": 3}}) == keys({"likes.drink.cup": 1}) == []


@pytest.mark.parametrize(
    "wanted",
    [{"age": {"$near": 3}}, {"likes": {"drink": {"$in": ["tea"]}}}, {"') OR 1=1 --": "x"}, {3: 3}, ["name"]],
    ids=str,
)
def test_a_filter_that_cannot_be_read_is_refused(store: MnemosStore, wanted: Any) -> None:
    store.put(("people",), "ana", PEOPLE["ana"])
    with pytest.raises(InvalidInput, match=r"^filter"):
        store.search(("people",), filter=wanted)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"prefix": ("a",)},
        {"prefix": ("a", "b")},
        {"prefix": ("*", "b")},
        {"suffix": ("c",)},
        {"suffix": ("b", "*")},
        {"prefix": ("a",), "suffix": ("c",)},
        {"prefix": ("a",), "max_depth": 2},
        {"max_depth": 1},
        {"limit": 2, "offset": 1},
        {"max_depth": 2, "limit": 3, "offset": 1},
        {"prefix": ("nowhere",)},
        {"offset": 99},
        {"limit": 0},
    ],
    ids=str,
)
def test_namespaces_are_listed_as_langgraph_lists_them(store: MnemosStore, asked: dict[str, Any]) -> None:
    theirs = InMemoryStore()
    for place in PLACES:
        store.put(place, "k", {"v": 1})
        theirs.put(place, "k", {"v": 1})
    assert store.list_namespaces(**asked) == theirs.list_namespaces(**asked)


def test_a_namespace_without_items_is_not_listed(store: MnemosStore) -> None:
    store.put(("a", "b"), "k", {"v": 1})
    store.memory.add("only a turn", namespace=("a", "c"))
    assert store.list_namespaces() == [("a", "b")]
    store.delete(("a", "b"), "k")
    assert store.list_namespaces() == []


@pytest.mark.parametrize("asked", [{"limit": -1}, {"offset": -1}, {"max_depth": 0}, {"limit": 1.5}], ids=str)
def test_counts_out_of_range_are_refused(store: MnemosStore, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(asked))):
        store.list_namespaces(**asked)


BAD = [(), ("",), ("a.b",), ("langgraph", "x"), (3,), ("\x00",), (" ",), ("x" * 2000,), ("a",) * 50]


@pytest.mark.parametrize("namespace", BAD, ids=repr)
def test_namespaces_that_cannot_be_are_refused(store: MnemosStore, namespace: Any) -> None:
    with pytest.raises(InvalidNamespaceError):
        store.put(namespace, "k", {"v": 1})
    if namespace and namespace[0] != "langgraph":
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(namespace, "k", {"v": 1})])
        with pytest.raises(InvalidNamespaceError):
            store.search(namespace)
        with pytest.raises(InvalidNamespaceError):
            store.get(namespace, "k")


def test_the_root_holds_nothing_itself_and_begins_everything(store: MnemosStore) -> None:
    store.put(("a",), "k", {"v": 1})
    assert store.get((), "k") is None
    store.delete((), "k")
    assert [item.key for item in store.search(())] == ["k"]


@pytest.mark.parametrize("value", ["text", ["list"], {3: 4}, {"x": {1, 2}}, {"x": float("nan")}], ids=repr)
def test_a_value_that_is_no_json_mapping_is_refused_and_nothing_is_kept(store: MnemosStore, value: Any) -> None:
    with pytest.raises(InvalidInput, match="value"):
        store.batch([PutOp(("a",), "good", {"v": 1}), PutOp(("a",), "bad", value)])
    assert store.search(()) == []


def test_an_unknown_operation_is_refused(store: MnemosStore) -> None:
    with pytest.raises(ValueError, match="Unknown operation"):
        store.batch(["put"])  # type: ignore[list-item]
    store.put(("a",), "k", {"v": 1})
    with pytest.raises(ValueError, match="Unsupported match type"):
        store.batch([ListNamespacesOp((MatchCondition("infix", ("a",)),))])  # type: ignore[arg-type]


def test_a_batch_reads_what_was_there_before_and_the_last_put_of_a_key_counts(store: MnemosStore) -> None:
    store.put(("a",), "k", {"v": 1})
    got, _, found, _, listed, _ = store.batch(
        [
            GetOp(("a",), "k"),
            PutOp(("a",), "k", {"v": 2}),
            SearchOp(("a",)),
            PutOp(("a",), "k", {"v": 3}),
            ListNamespacesOp(),
            PutOp(("b",), "k", {"v": 4}),
        ]
    )
    assert isinstance(got, Item)
    assert (got.value, [item.value for item in found], listed) == ({"v": 1}, [{"v": 1}], [("a",)])  # type: ignore
    assert [item.value for item in store.search(())] in ([{"v": 3}, {"v": 4}], [{"v": 4}, {"v": 3}])
    assert [item.value for item in store.search(("a",))] == [{"v": 3}]


def test_the_last_written_stands_first_and_pages_meet(clock: Clock, memory: Mnemos) -> None:
    store = MnemosStore(memory)
    for number in range(7):
        clock.tick()
        store.put(("n", str(number % 2)), f"k{number}", {"number": number})
    clock.tick()
    store.put(("n", "0"), "k2", {"number": 2})
    whole = [item.key for item in store.search(("n",))]
    assert whole == ["k2", "k6", "k5", "k4", "k3", "k1", "k0"]
    pages = [[item.key for item in store.search(("n",), limit=3, offset=offset)] for offset in (0, 3, 6, 9)]
    assert pages == [whole[:3], whole[3:6], whole[6:], []]
    assert store.search(("n",), limit=0) == []


KEYS = st.sampled_from(["k", "K", "k.1"])
OPS: st.SearchStrategy[list[Op]] = st.lists(
    st.tuples(NAMESPACES, KEYS, VALUES | st.none()).map(lambda put: PutOp(*put))
    | st.tuples(NAMESPACES, KEYS).map(lambda got: GetOp(*got))
    | st.tuples(st.just(()) | NAMESPACES, st.none() | st.just({"n": {"$gt": 3}})).map(
        lambda s: SearchOp(*s, limit=999)
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(st.lists(OPS, max_size=4))
def test_any_batches_are_answered_as_langgraph_answers_them(batches: list[list[Op]]) -> None:
    def answer(store: BaseStore, ops: list[Op]) -> list[Any]:
        return [
            (shapes(result) if isinstance(op, SearchOp) else result) if isinstance(result, list) else shape(result)
            for op, result in zip(ops, store.batch(ops), strict=True)
        ]

    theirs = InMemoryStore()
    with MnemosStore() as ours:
        for ops in batches:
            assert answer(ours, ops) == answer(theirs, ops)
        held = {item.namespace for item in theirs.search((), limit=999)}
        assert ours.list_namespaces(limit=999) == sorted(held)


async def every_verb(store: BaseStore) -> list[Any]:
    await store.aput(("a", "b"), "k", {"text": "figs and bread"})
    await store.aput(("a",), "l", {"text": "tea"}, index=False)
    got = await store.aget(("a", "b"), "k")
    found = await store.asearch(("a",), filter={"text": {"$eq": "tea"}})
    listed = await store.alist_namespaces(prefix=("a",))
    await store.adelete(("a", "b"), "k")
    gone = (await store.abatch([GetOp(("a", "b"), "k"), PutOp(("z",), "z", {"z": 1})]))[0]
    return [shape(got), shapes(found), listed, gone, shapes(await store.asearch(()))]


def test_the_async_verbs_do_the_same(path: Path) -> None:
    async def ours() -> list[Any]:
        async with MnemosStore.from_conn_string(str(path)) as store:
            return await every_verb(store)

    assert asyncio.run(ours()) == asyncio.run(every_verb(InMemoryStore()))


def test_many_at_once_in_one_loop_and_in_threads_lose_nothing(path: Path) -> None:
    async def put_many(store: MnemosStore) -> None:
        await asyncio.gather(*(store.aput(("loop",), f"k{number}", {"n": number}) for number in range(40)))

    with MnemosStore(path) as store:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: store.put(("pool",), f"k{number}", {"n": number}), range(40)))
        asyncio.run(put_many(store))
        assert sorted(item.value["n"] for item in store.search(("pool",), limit=100)) == list(range(40))
        assert sorted(item.value["n"] for item in store.search(("loop",), limit=100)) == list(range(40))
