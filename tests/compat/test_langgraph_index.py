"""By what a LangGraph store finds items: the bundled ranking, or the vectors of an embedder of the user's own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore

from mnemos import InvalidInput, Mnemos
from mnemos.compat.langgraph import MnemosStore
from mnemos.errors import EmbedderError

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def count_letters(texts: Sequence[str]) -> list[list[float]]:
    """An embedder that a test can follow: how often each letter occurs."""
    return [[float(Counter(text.lower())[letter]) for letter in LETTERS] for text in texts]


class Letters(Embeddings):
    """The same for LangChain, counting what it was asked; refuses while `broken`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.broken:
            raise ConnectionError("no network")
        self.asked += texts
        return count_letters(texts)

    def embed_query(self, text: str) -> list[float]:
        return count_letters([text])[0]


def config(**fields: Any) -> dict[str, Any]:
    return {"dims": len(LETTERS), "embed": count_letters, **fields}


@pytest.fixture
def bundled() -> Iterator[MnemosStore]:
    with MnemosStore() as store:
        yield store


def keys(store: BaseStore, query: str, **more: Any) -> list[str]:
    return [item.key for item in store.search((), query=query, **more) if item.score is not None]


DOCUMENTS: list[tuple[str, dict[str, Any], Any]] = [
    ("whole", {"text": "zebra", "tags": ["quick", "jumpy"]}, None),
    ("fields", {"text": "unseen", "body": {"lines": [{"t": "kayak"}, {"t": "level"}]}}, ["body.lines[*].t"]),
    ("last", {"lines": ["first", "pizzazz"]}, ["lines[-1]", "missing.path"]),
    ("hidden", {"text": "pizzazz"}, False),
    ("number", {"text": "none", "count": 12345}, ["count"]),
]


@pytest.mark.parametrize("fields", [["text"], None, ["$"], ["tags[*]", "text"]], ids=str)
@pytest.mark.parametrize("query", ["zebra", "kayak level", "pizzazz", "jumpy"])
def test_an_embedder_ranks_and_scores_as_in_langgraphs_own_store(fields: Any, query: str) -> None:
    theirs = InMemoryStore(index=config(fields=fields))  # type: ignore[arg-type]
    with MnemosStore(index=config(fields=fields)) as ours:
        for store in (theirs, ours):
            for key, value, index in DOCUMENTS:
                store.put(("docs",), key, value, index)
        expected = {item.key: item.score for item in theirs.search((), query=query)}
        found = {item.key: item.score for item in ours.search((), query=query)}
        assert found.keys() == expected.keys()
        for key, score in expected.items():
            assert found[key] == (None if score is None else pytest.approx(score, abs=1e-6)), key
        scores = [item.score for item in ours.search((), query=query) if item.score is not None]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(("distance", "score"), [("cosine", 0.8), ("inner_product", 4.0), ("l2", -(2**0.5))])
def test_scores_are_by_distance_and_higher_is_nearer(distance: str, score: float) -> None:
    with MnemosStore(index=config(distance_type=distance, fields=["text"])) as store:
        store.put(("n",), "k", {"text": "aab"})
        store.put(("n",), "far", {"text": "zz"})
        found = store.search((), query="aac")
        assert [item.key for item in found] == ["k", "far"]
        assert found[0].score == pytest.approx(score)


def test_an_update_and_a_delete_reach_the_vectors(path: Path) -> None:
    with MnemosStore(path, index=config(fields=["text"])) as store:
        store.put(("n",), "k", {"text": "zzz"})
        store.put(("n",), "l", {"text": "bbb"})
        assert keys(store, "zzz")[0] == "k"
        store.put(("n",), "k", {"text": "aaa"})
        assert [item.score for item in store.search((), query="zzz")] == [0.0, 0.0]
        store.put(("n",), "k", {"text": "aaa"}, index=False)
        assert keys(store, "aaa") == ["l"]
        store.delete(("n",), "l")
        assert keys(store, "bbb") == []
        assert [vector.id for vector in store.memory.item_vectors(f"count_letters:{len(LETTERS)}", 26).all(())] == []


def test_one_embedder_reads_each_text_once_and_reopening_reads_none(path: Path) -> None:
    embedder = Letters()
    with MnemosStore(path, index=config(embed=embedder, fields=["text"])) as store:
        store.batch([PutOp(("n",), f"k{number}", {"text": "same"}) for number in range(5)])
        store.put(("n",), "other", {"text": "else", "note": "unread"})
        assert set(keys(store, "same")[:5]) == {f"k{number}" for number in range(5)}
        assert embedder.asked == ["same", "else"]
    again = Letters()
    with MnemosStore(path, index=config(embed=again, fields=["text"])) as store:
        assert len(keys(store, "same")) == 6
        assert again.asked == []


def test_items_that_came_another_way_are_embedded_before_the_next_question(path: Path) -> None:
    with Mnemos(path) as memory:
        memory.put("k", {"text": "zebra"}, namespace=("n",))
        memory.put("l", {"text": "bread"}, namespace=("n",))
        with MnemosStore(memory, index=config(fields=["text"])) as store:
            assert keys(store, "zebra")[0] == "k"


def test_a_put_whose_embedder_fails_keeps_nothing(path: Path) -> None:
    embedder = Letters()
    with MnemosStore(path, index=config(embed=embedder)) as store:
        store.put(("n",), "k", {"text": "before"})
        embedder.broken = True
        with pytest.raises(ConnectionError):
            store.batch([PutOp(("n",), "k", {"text": "after"}), PutOp(("n",), "l", {"text": "new"})])
        store.put(("n",), "m", {"text": "not indexed"}, index=False)
        assert sorted((item.key, item.value["text"]) for item in store.search(())) == [
            ("k", "before"),
            ("m", "not indexed"),
        ]


@pytest.mark.parametrize(
    "answer", [lambda texts: [[1.0]] * len(texts), lambda texts: [], lambda texts: [["x"]], lambda texts: None]
)
def test_an_embedder_that_answers_wrongly_is_named(answer: Any) -> None:
    with MnemosStore(index=config(embed=answer)) as store, pytest.raises(EmbedderError, match=r"index\.embed"):
        store.put(("n",), "k", {"text": "zebra"})


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"dims": 0}, "index.dims"),
        ({"dims": "26"}, "index.dims"),
        ({"distance_type": "hamming"}, "index.distance_type"),
        ({"fields": [3]}, "index.fields"),
    ],
)
def test_a_configuration_that_cannot_be_is_named(named: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        MnemosStore(index=config(**named))
    assert caught.value.field == field


def test_a_puts_own_paths_are_read_strictly(bundled: MnemosStore) -> None:
    with pytest.raises(InvalidInput, match=r"^index:"):
        bundled.put(("n",), "k", {"text": "zebra"}, index="text")  # type: ignore[arg-type]


def test_an_async_embedder_is_awaited_in_the_callers_loop() -> None:
    loops: list[object] = []

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return count_letters(texts)

    async def use() -> list[str]:
        async with MnemosStore(index=config(embed=embed, fields=["text"])) as store:
            await asyncio.gather(*(store.aput(("n",), text, {"text": text}) for text in ("zebra", "bread", "figs")))
            found = await store.asearch((), query="bread")
            assert set(loops) == {asyncio.get_running_loop()}
            return [item.key for item in found]

    assert asyncio.run(use())[0] == "bread"


def test_without_an_embedder_the_bundled_ranking_finds_by_meaning(bundled: MnemosStore) -> None:
    bundled.put(("users", "ana"), "diet", {"text": "Ana is allergic to walnuts"})
    bundled.put(("users", "ana"), "work", {"text": "Ana teaches mathematics at a school"})
    bundled.put(("users", "ben"), "diet", {"text": "Ben eats everything but mushrooms"})
    found = bundled.search(("users",), query="Which nuts must Ana avoid?")
    assert (found[0].namespace, found[0].key) == (("users", "ana"), "diet")
    assert all(0 <= item.score <= 1 for item in found if item.score is not None)
    assert [item.key for item in bundled.search(("users", "ana"), query="  ")] == ["work", "diet"]
    assert [item.score for item in bundled.search(("users", "ana"), query="")] == [None, None]


@pytest.mark.parametrize("index", [None, {"fields": ["text", "notes[*].body"]}])
def test_paths_narrow_the_bundled_ranking(index: Any) -> None:
    with MnemosStore(index=index) as store:
        value = {"text": "walnuts", "notes": [{"body": "kayak", "by": "zanzibar"}]}
        store.put(("n",), "k", value, index=None if index else ["text", "notes[*].body"])
        store.put(("n",), "hidden", value, index=False)
        assert keys(store, "kayak") == keys(store, "walnuts") == ["k"]
        assert [hit.memory.key for hit in store.memory.search("walnuts", namespace=("n",))] == ["k"]
        assert [item.score for item in store.search((), query="kayak")][1:] == [None]
        stored = store.memory.get_item("k", namespace=("n",))
        assert stored is not None
        assert "zanzibar" not in stored.text
        assert stored.value == value


def test_the_bundled_ranking_is_the_librarys(bundled: MnemosStore) -> None:
    for number, drink in enumerate(["green tea", "black tea", "coffee", "water", "milk"]):
        bundled.put(("user", "ana", str(number % 2)), drink, {"text": f"Ana drinks {drink} in the morning"})
    asked, place = "Does Ana drink tea?", ("user", "ana")
    hits = bundled.memory.search(asked, namespace=place, descendants=True, kinds=["item"])
    found = [(item.namespace, item.key, item.score) for item in bundled.search(place, query=asked)]
    assert found == [(hit.memory.namespace, hit.memory.key, hit.score) for hit in hits]
    assert {key for _, key, _ in found[:2]} == {"green tea", "black tea"}


def test_what_is_not_ranked_comes_after_and_pages_meet(bundled: MnemosStore) -> None:
    for number in range(6):
        bundled.put(("n",), f"k{number}", {"text": f"tea number {number}"}, index=False if number % 2 else None)
    whole = [(item.key, item.score is None) for item in bundled.search(("n",), query="tea")]
    assert [unranked for _, unranked in whole] == [False] * 3 + [True] * 3
    pages = [bundled.search(("n",), query="tea", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [(item.key, item.score is None) for page in pages for item in page] == whole


def test_a_filter_and_a_question_together() -> None:
    for index in (None, config(fields=["text"])):
        with MnemosStore(index=index) as store:
            for number in range(30):
                store.put(("n",), f"k{number}", {"text": f"tea {'green' if number % 3 else 'black'}", "n": number})
            found = store.search(("n",), query="green tea", filter={"n": {"$gte": 10, "$lt": 14}}, limit=3)
            assert [item.value["n"] % 3 > 0 for item in found] == [True, True, True]
            assert all(10 <= item.value["n"] < 14 for item in found)
