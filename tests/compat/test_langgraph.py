"""LangGraph's store contract, held against LangGraph's own in-memory store: the same calls, the same answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from clock import Clock
from langgraph.store.base import (
    Item,
    SearchItem,
)

from mnemos import Mnemos
from mnemos.compat.langgraph import MnemosStore

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PEOPLE = {
    "ana": {"name": "Ana", "age": 34, "likes": {"drink": "tea", "food": ["bread", "figs"]}, "active": True},
    "ben": {"name": "Ben", "age": 7, "likes": {"drink": "milk", "food": []}, "active": False},
    "cem": {"name": "Cem", "age": 34.5, "likes": {"drink": "tea", "food": ["figs"]}, "active": True},
    "dot": {"name": "Dot", "likes": None},
}


def count_letters(texts: list[str]) -> list[list[float]]:
    """An embedder that a test can follow: how often each letter occurs."""
    return [[float(Counter(text.lower())[letter]) for letter in LETTERS] for text in texts]


INDEX = {"dims": len(LETTERS), "embed": count_letters, "fields": ["text"]}


@pytest.fixture
def store() -> Iterator[MnemosStore]:
    with MnemosStore() as store:
        yield store


@pytest.fixture
def ranked() -> Iterator[MnemosStore]:
    with MnemosStore(index=INDEX) as store:
        yield store


def shape(item: Item | None) -> Any:
    """What an item says, without the times at which two stores wrote it."""
    if item is None:
        return None
    score = getattr(item, "score", None)
    return item.namespace, item.key, item.value, None if score is None else round(score, 6)


def shapes(items: list[SearchItem]) -> list[Any]:
    """Found items; no two stores promise the same order where nothing ranks them."""
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
