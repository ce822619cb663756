"""Programs written for mem0, as its documentation writes them, in both of its generations."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemos import Mnemos
from mnemos.compat.mem0 import AsyncMemory, Memory, MemoryNotFoundError, ValidationError
from mnemos.compat.mem0.config import open_store
from mnemos.errors import InvalidInput, NotFound

CONVERSATION = [
    {"role": "user", "content": "Hi, I'm Alex. I'm a vegetarian and I'm allergic to nuts."},
    {"role": "assistant", "content": "Hello Alex! I'll remember that when I suggest a meal."},
]


@pytest.fixture
def m(path: Path) -> Iterator[Memory]:
    with Memory.from_config({"path": str(path), "background": False}) as memory:
        yield memory


def texts(reply: dict[str, Any]) -> list[str]:
    return [result["memory"] for result in reply["results"]]


# ── adding ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_message_is_one_result(m: Memory) -> None:
    reply = m.add(CONVERSATION, user_id="alex")
    assert texts(reply) == [message["content"] for message in CONVERSATION]
    assert all(set(result) == {"id", "memory", "event"} and result["event"] == "ADD" for result in reply["results"])
    assert len({result["id"] for result in reply["results"]}) == 2


def test_raw_messages_say_who_spoke(m: Memory) -> None:
    (result,) = m.add([{"role": "user", "content": "I moved.", "name": "Ana"}], user_id="g", infer=False)["results"]
    assert (result["actor_id"], result["role"]) == ("Ana", "user")
    held = m.get(result["id"])
    assert held is not None
    assert (held["actor_id"], held["role"]) == ("Ana", "user")


def test_a_string_and_a_single_message_are_what_a_user_said(m: Memory) -> None:
    m.add("I like tea.", user_id="ana")
    m.add({"role": "assistant", "content": "Noted."}, "ana")
    assert [(one["memory"], one["role"]) for one in m.get_all(user_id="ana")["results"]] == [
        ("I like tea.", "user"),
        ("Noted.", "assistant"),
    ]


def test_instructions_pictures_and_empty_messages_are_left_out(m: Memory) -> None:
    messages = [
        {"role": "system", "content": "You are a travel agent."},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1"}]},
        {"role": "user", "content": {"type": "image_url", "image_url": {"url": "data:"}}},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Look at this."}, {"type": "image_url", "image_url": {}}],
        },
        {"role": "tool", "content": "3 flights found", "tool_call_id": "call_1"},
        {"role": "user", "content": "  "},
        7,
    ]
    assert texts(m.add(messages, user_id="ana")) == ["Look at this.", "3 flights found"]  # type: ignore[arg-type]
    assert m.add([], user_id="ana") == {"results": []}


def test_a_repeat_of_the_same_event_is_reported_and_not_stored(m: Memory) -> None:
    first = m.add("I like tea.", user_id="ana", timestamp=1_700_000_000)["results"][0]
    again = m.add("I like tea.", user_id="ana", timestamp=1_700_000_000)["results"][0]
    assert (again["id"], again["event"]) == (first["id"], "NONE")
    assert len(m.get_all(user_id="ana")["results"]) == 1


MOMENTS = (
    1_700_000_000,
    1_700_000_000_000,
    "2023-11-14T22:13:20Z",
    "2023-11-14T22:13:20",
    datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_when_something_was_said_is_when_it_was_created(m: Memory, moment: object) -> None:
    found = m.get(m.add("I moved.", user_id="ana", timestamp=moment)["results"][0]["id"])
    assert found is not None
    assert found["created_at"] == found["updated_at"] == "2023-11-14T22:13:20+00:00"


def test_a_procedural_memory_is_marked(m: Memory) -> None:
    m.add(CONVERSATION, agent_id="cook", memory_type="procedural_memory", prompt="Summarise.")
    assert [one["metadata"] for one in m.get_all(agent_id="cook")["results"]] == [
        {"memory_type": "procedural_memory"}
    ] * 2


def test_metadata_cannot_move_a_memory_to_somebody_else(m: Memory, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        m.add("I like tea.", user_id="ana", metadata={"user_id": "bob", "topic": "taste"})
    (one,) = m.get_all(user_id="ana")["results"]
    assert (one["user_id"], one["metadata"]) == ("ana", {"topic": "taste"})
    assert m.get_all(user_id="bob") == {"results": []}
    assert "user_id" in caplog.text


def test_facts_are_derived_later_and_help_to_find_what_was_said(m: Memory) -> None:
    m.add("I live in Lisbon with my sister Eva.", user_id="ana")
    m.store.maintain()
    assert m.store.facts(user_id="ana")
    assert texts(m.search("Where does she live?", user_id="ana")) == ["I live in Lisbon with my sister Eva."]
    assert texts(m.get_all(user_id="ana")) == ["I live in Lisbon with my sister Eva."]


def test_what_is_written_bears_the_name_of_the_interface(m: Memory) -> None:
    held = m.store.get(m.add("I like tea.", user_id="ana")["results"][0]["id"])
    assert held is not None
    assert held.channel == "mem0"


# ── whose memories ───────────────────────────────────────────────────────────────────────────────────────────────


def fill(m: Memory) -> None:
    m.add("Ana likes tea", user_id="ana")
    m.add("Ana told the cook", user_id="ana", agent_id="cook")
    m.add("Ana in the run", user_id="ana", agent_id="cook", run_id="r1")
    m.add("Bob likes tea", user_id="bob", run_id="r1")
    m.add("The cook knows tea", agent_id="cook")
    m.add("The run is about tea", run_id="r1")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({"user_id": "ana"}, {"Ana likes tea", "Ana told the cook", "Ana in the run"}),
        ({"user_id": "ana", "agent_id": "cook"}, {"Ana told the cook", "Ana in the run"}),
        ({"user_id": "ana", "run_id": "r1"}, {"Ana in the run"}),
        ({"agent_id": "cook"}, {"The cook knows tea", "Ana told the cook", "Ana in the run"}),
        ({"run_id": "r1"}, {"The run is about tea", "Bob likes tea", "Ana in the run"}),
        ({"agent_id": "cook", "run_id": "r1"}, {"Ana in the run"}),
        ({"user_id": "eve"}, set()),
    ],
)
def test_ids_match_what_they_match_in_mem0(m: Memory, ids: dict[str, str], expected: set[str]) -> None:
    fill(m)
    assert set(texts(m.get_all(**ids))) == expected
    assert set(texts(m.get_all(filters=ids))) == expected
    assert set(texts(m.search("tea", **ids))) == expected  # type: ignore[arg-type]
    assert set(texts(m.search("tea", filters=ids))) == expected
    assert set(texts(m.search("tea", filters={"AND": [{name: value} for name, value in ids.items()]}))) == expected


def test_a_reply_says_whose_a_memory_is(m: Memory) -> None:
    fill(m)
    owners = {
        one["memory"]: {name: one[name] for name in ("user_id", "agent_id", "run_id") if name in one}
        for one in m.get_all(filters={"OR": [{"user_id": "ana"}, {"run_id": "r1"}, {"agent_id": "cook"}]})["results"]
    }
    assert owners == {
        "Ana likes tea": {"user_id": "ana"},
        "Ana told the cook": {"user_id": "ana", "agent_id": "cook"},
        "Ana in the run": {"user_id": "ana", "agent_id": "cook", "run_id": "r1"},
        "Bob likes tea": {"user_id": "bob", "run_id": "r1"},
        "The cook knows tea": {"agent_id": "cook"},
        "The run is about tea": {"run_id": "r1"},
    }


def test_a_call_that_names_nobody_is_refused(m: Memory) -> None:
    for call in (
        lambda: m.add("tea"),
        lambda: m.search("tea"),
        lambda: m.get_all(),
        lambda: m.get_all(filters={"topic": "tea"}),
        lambda: m.search("tea", filters={"OR": [{"user_id": "ana"}, {"topic": "tea"}]}),
        lambda: m.add("tea", user_id=" "),
    ):
        with pytest.raises(ValidationError) as refused:
            call()
        assert isinstance(refused.value, ValueError)
        assert refused.value.error_code == "VALIDATION_001"
    with pytest.raises(ValueError, match="reset"):
        m.delete_all()


@pytest.mark.parametrize("call", ["search", "get_all", "delete_all", "add"])
def test_a_star_is_nobody(m: Memory, call: str) -> None:
    m.add("Ana's secret", user_id="ana")
    first = ["secret"] if call in ("search", "add") else []
    with pytest.raises(ValueError, match="user_id"):
        getattr(m, call)(*first, user_id="*")
    if call in ("search", "get_all"):
        for filters in ({"user_id": "*"}, {"user_id": {"ne": "bob"}}, {"AND": [{"user_id": {"nin": ["bob"]}}]}):
            with pytest.raises(ValueError, match="user_id"):
                getattr(m, call)(*first, filters=filters)


def test_numbers_are_ids_and_spaces_around_one_do_not_count(m: Memory) -> None:
    m.add("I like tea", user_id=7)  # type: ignore[arg-type]
    assert texts(m.get_all(user_id=" 7 ")) == texts(m.get_all(filters={"user_id": 7})) == ["I like tea"]


HOSTILE = st.text(min_size=1, max_size=30) | st.sampled_from(
    [
        "../ana",
        "ana/*",
        "%",
        "_",
        "ana' OR '1'='1",
        '["user","ana"]',
        "user\x1fana",
        "ana\u200b",
        "ＡＮＡ",
        "ana ",
        "$ne",
    ]
)


@given(HOSTILE)
def test_no_id_reaches_somebody_elses_memories(hostile: str) -> None:
    m = SHARED["m"]
    if hostile.strip() == "ana":
        return
    for call in (
        lambda: m.search("secret", user_id=hostile),
        lambda: m.get_all(filters={"user_id": hostile}),
        lambda: m.get_all(agent_id=hostile),
        lambda: m.get_all(user_id="eve", run_id=hostile),
        lambda: m.get_all(filters={"user_id": "eve", hostile: "x"}),
    ):
        with suppress(InvalidInput):  # refused: nothing was read
            assert call() == {"results": []}
    assert not isinstance(_get(m, hostile), dict)


def _get(m: Memory, id: str) -> object:
    try:
        return m.get(id)
    except InvalidInput:
        return None


SHARED: dict[str, Memory] = {}


@pytest.fixture(autouse=True, scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    config = {"path": str(tmp_path_factory.mktemp("mem0") / "shared.db"), "background": False}
    with Memory.from_config(config) as memory:
        memory.add("Ana's secret", user_id="ana", agent_id="cook", run_id="r1")
        SHARED["m"] = memory
        yield
        SHARED.clear()


# ── filters ──────────────────────────────────────────────────────────────────────────────────────────────────────

PLACES: list[tuple[str, dict[str, Any]]] = [
    ("Lisbon", {"city": "Lisbon", "stars": 5, "tags": ["sea", "old"], "kind": "trip"}),
    ("Porto", {"city": "Porto", "stars": 3, "kind": "trip"}),
    ("home", {"stars": 4}),
]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"city": "Lisbon"}, ["Lisbon"]),
        ({"city": {"eq": "Lisbon"}}, ["Lisbon"]),
        ({"city": {"ne": "Lisbon"}}, ["Porto", "home"]),
        ({"stars": {"gte": 4}}, ["Lisbon", "home"]),
        ({"stars": {"gt": 3, "lt": 5}}, ["home"]),
        ({"stars": {"lte": 3}}, ["Porto"]),
        ({"city": {"in": ["Porto", "Faro"]}}, ["Porto"]),
        ({"city": {"nin": ["Porto", "Faro"]}}, ["Lisbon", "home"]),
        ({"city": {"contains": "isb"}}, ["Lisbon"]),
        ({"city": {"icontains": "PORT"}}, ["Porto"]),
        ({"tags": {"contains": "sea"}}, ["Lisbon"]),
        ({"city": "*"}, ["Lisbon", "Porto"]),
        ({"kind": "trip"}, ["Lisbon", "Porto"]),
        ({"AND": [{"kind": "trip"}, {"stars": {"gt": 3}}]}, ["Lisbon"]),
        ({"OR": [{"city": "Porto"}, {"stars": 4}]}, ["Porto", "home"]),
        ({"NOT": [{"city": "Porto"}, {"stars": 4}]}, ["Lisbon"]),
        ({"$or": [{"city": "Porto"}, {"AND": [{"city": "Lisbon"}, {"NOT": [{"stars": 3}]}]}]}, ["Lisbon", "Porto"]),
        ({"role": "user", "actor_id": "Ana"}, ["Lisbon", "Porto", "home"]),
        ({"actor_id": {"ne": "Ana"}}, []),
        ({"created_at": {"gte": "2023-01-01", "lt": "2024-01-01"}}, ["Lisbon", "Porto", "home"]),
        ({"created_at": {"lt": "2023-01-01"}}, []),
    ],
)
def test_filters_mean_what_mem0s_mean(m: Memory, filters: dict[str, Any], expected: list[str]) -> None:
    for text, metadata in PLACES:
        message = {"role": "user", "content": text, "name": "Ana"}
        m.add([message], user_id="ana", metadata=metadata, timestamp="2023-06-01")
    assert texts(m.get_all(filters={"user_id": "ana", **filters})) == expected
    assert sorted(texts(m.search("where", user_id="ana", filters=filters))) == sorted(expected)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"user_id": {"in": ["ana", "bob"]}}, 4),
        ({"OR": [{"user_id": "bob"}, {"AND": [{"user_id": "ana"}, {"run_id": "r1"}]}]}, 2),
        ({"user_id": "ana", "run_id": "*"}, 1),
        ({"user_id": "ana", "NOT": [{"run_id": "r1"}]}, 2),
        ({"user_id": "ana", "agent_id": {"ne": "cook"}}, 1),
        ({"AND": [{"user_id": "ana"}, {"user_id": "bob"}]}, 0),
    ],
)
def test_ids_inside_filters(m: Memory, filters: dict[str, Any], expected: int) -> None:
    fill(m)
    assert len(m.get_all(filters=filters)["results"]) == expected


@pytest.mark.parametrize(
    "filters",
    [
        {"user_id": "ana", "city": {"near": "Porto"}},
        {"user_id": "ana", "AND": "city"},
        {"user_id": "ana", "OR": []},
        {"user_id": "ana", "NOT": [3]},
        {"user_id": {"in": [f"u{number}" for number in range(30)]}},
        {"user_id": ["ana"]},
        {"user_id": "ana", "": 1},
        ["ana"],
    ],
)
def test_filters_that_cannot_be_read_are_refused(m: Memory, filters: Any) -> None:
    with pytest.raises(ValueError, match="filters"):
        m.search("tea", filters=filters)


def test_filters_nested_without_end_are_refused(m: Memory) -> None:
    filters: dict[str, Any] = {"user_id": "ana"}
    for _ in range(200):
        filters = {"OR": [filters]}
    with pytest.raises(InvalidInput, match="nested"):
        m.get_all(filters=filters)


# ── searching and listing ────────────────────────────────────────────────────────────────────────────────────────


def test_a_search_brings_what_mem0s_brings(m: Memory) -> None:
    m.add(CONVERSATION, user_id="alex", metadata={"category": "food"})
    best, *_ = m.search("What food should I avoid?", filters={"user_id": "alex"}, explain=True)["results"]
    assert best["memory"] == CONVERSATION[0]["content"]
    assert {"id", "memory", "hash", "metadata", "score", "created_at", "updated_at", "user_id"} <= best.keys()
    assert best["metadata"] == {"category": "food"}
    assert 0 < best["score"] < 1
    assert best["score_details"]["final_score"] == best["score"]
    assert datetime.fromisoformat(best["created_at"]).tzinfo is not None


def test_a_threshold_keeps_what_scores_at_least_so(m: Memory) -> None:
    m.add(CONVERSATION, user_id="alex")
    scores = [one["score"] for one in m.search("Is Alex allergic to nuts?", user_id="alex")["results"]]
    assert scores == sorted(scores, reverse=True)
    kept = m.search("Is Alex allergic to nuts?", user_id="alex", threshold=scores[0])["results"]
    assert [one["score"] for one in kept] == scores[:1]
    for wrong in (-0.1, 1.5, "high", True):
        with pytest.raises(ValueError, match="threshold"):
            m.search("nuts", user_id="alex", threshold=wrong)  # type: ignore[arg-type]


def test_results_are_twenty_or_a_hundred_unless_told(m: Memory) -> None:
    m.add([{"role": "user", "content": f"I have {n} cats"} for n in range(120)], user_id="ana")
    for call in (m.get_all, lambda **named: m.search("cats", **named)):
        assert len(call(filters={"user_id": "ana"})["results"]) == 20
        assert len(call(user_id="ana")["results"]) == 100
        assert len(call(user_id="ana", limit=3)["results"]) == 3
        assert len(call(filters={"user_id": "ana"}, top_k=110)["results"]) == 110
        assert call(user_id="ana", top_k=0) == {"results": []}
        with pytest.raises(ValueError, match="top_k"):
            call(user_id="ana", top_k=-1)


def test_a_blank_question_is_refused(m: Memory) -> None:
    for query in ("", "  ", None, 3):
        with pytest.raises(ValueError, match="query"):
            m.search(query, user_id="ana")  # type: ignore[arg-type]


def test_what_has_expired_is_hidden_until_asked_for(m: Memory) -> None:
    yesterday, tomorrow = (date.today() + timedelta(days=days) for days in (-2, 2))
    m.add("The sale ends", user_id="ana", expiration_date=str(yesterday))
    m.add("The sale begins", user_id="ana", expiration_date=tomorrow)
    m.add("The sale is good", user_id="ana")
    shown = ["The sale begins", "The sale is good"]
    assert texts(m.get_all(user_id="ana")) == shown
    assert sorted(texts(m.search("The sale ends", user_id="ana", limit=2))) == shown
    assert texts(m.search("The sale ends", user_id="ana", limit=1))[0] in shown
    assert len(m.search("sale", user_id="ana", show_expired=True)["results"]) == 3
    everything = m.get_all(user_id="ana", show_expired=True)["results"]
    assert [one.get("expiration_date") for one in everything] == [str(yesterday), str(tomorrow), None]
    m.update(everything[0]["id"], expiration_date=None)
    assert len(m.get_all(user_id="ana")["results"]) == 3
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        m.add("x", user_id="ana", expiration_date="soon")


def test_yesterday_is_read_against_the_reference_date(m: Memory) -> None:
    m.add("I swam in the lake.", user_id="ana", timestamp="2024-05-02T10:00:00Z")
    m.add("I swam in the pool.", user_id="ana", timestamp="2024-05-20T10:00:00Z")
    found = m.search("Where did I swim yesterday?", user_id="ana", reference_date="2024-05-03")
    assert texts(found)[0] == "I swam in the lake."


# ── one memory ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_update_changes_words_and_adds_to_metadata(m: Memory) -> None:
    (id,) = (one["id"] for one in m.add("I like tea.", user_id="ana", metadata={"a": 1})["results"])
    assert m.update(id, "I like coffee.") == {"message": "Memory updated successfully!"}
    m.update(memory_id=id, data="I like cocoa.", metadata={"b": 2, "user_id": "eve"})
    held = m.get(id)
    assert held is not None
    assert (held["memory"], held["metadata"], held["user_id"]) == ("I like cocoa.", {"a": 1, "b": 2}, "ana")
    assert held["updated_at"] > held["created_at"]
    with pytest.raises(ValueError, match="text"):
        m.update(id)


def test_a_history_has_mem0s_columns(m: Memory) -> None:
    (id,) = (one["id"] for one in m.add([{"role": "user", "content": "tea", "name": "Ana"}], "ana")["results"])
    m.update(id, "coffee")
    m.update(id, metadata={"a": 1})
    rows = m.history(id)
    columns = "id memory_id old_memory new_memory event created_at updated_at is_deleted actor_id role".split()
    assert all(list(row) == columns and row["memory_id"] == id for row in rows)
    assert [(row["event"], row["old_memory"], row["new_memory"]) for row in rows] == [
        ("ADD", None, "tea"),
        ("UPDATE", "tea", "coffee"),
        ("UPDATE", "coffee", "coffee"),
    ]
    assert {(row["actor_id"], row["role"], row["is_deleted"]) for row in rows} == {("Ana", "user", False)}
    assert len({row["id"] for row in rows}) == 3
    assert m.history(id) == rows


def test_what_is_deleted_leaves_no_words(m: Memory) -> None:
    (id,) = (one["id"] for one in m.add("my secret", user_id="ana")["results"])
    m.update(id, "my other secret")
    assert m.delete(id) == {"message": "Memory deleted successfully!"}
    assert m.get(id) is None
    rows = m.history(id)
    assert [row["event"] for row in rows] == ["ADD", "UPDATE", "DELETE"]
    assert rows[-1]["is_deleted"]
    assert {row[name] for row in rows for name in ("old_memory", "new_memory")} == {None}


def test_an_unknown_id_is_an_error_of_both_libraries(m: Memory) -> None:
    assert m.get("01890000-0000-7000-8000-000000000000") is None
    assert m.history("01890000-0000-7000-8000-000000000000") == []
    for call in (m.delete, lambda id: m.update(id, "x")):
        with pytest.raises(MemoryNotFoundError, match="not found") as refused:
            call("01890000-0000-7000-8000-000000000000")
        assert isinstance(refused.value, ValueError)
        assert isinstance(refused.value, NotFound)


@pytest.mark.parametrize(
    ("ids", "left"),
    [
        ({"user_id": "ana"}, 3),
        ({"user_id": "ana", "agent_id": "cook"}, 4),
        ({"user_id": "ana", "run_id": "r1"}, 5),
        ({"agent_id": "cook"}, 3),
        ({"run_id": "r1"}, 3),
        ({"user_id": "eve"}, 6),
    ],
)
def test_delete_all_deletes_what_get_all_lists(m: Memory, ids: dict[str, str], left: int) -> None:
    fill(m)
    m.store.maintain()
    assert m.delete_all(**ids) == {"message": "Memories deleted successfully!"}
    assert m.get_all(**ids) == {"results": []}
    everyone = {"OR": [{"user_id": "ana"}, {"user_id": "bob"}, {"agent_id": "cook"}, {"run_id": "r1"}]}
    assert len(m.get_all(filters=everyone)["results"]) == left
    assert m.store.check() == []


def test_a_reset_leaves_what_is_not_mem0s(m: Memory) -> None:
    fill(m)
    m.store.add("a note of another program", namespace=("team", "a"))
    m.reset()
    assert m.store.namespaces() == [("team", "a")]
    m.add("again", user_id="ana")
    assert texts(m.get_all(user_id="ana")) == ["again"]


def test_a_list_can_be_deleted_one_by_one(m: Memory) -> None:
    m.add("I live in Lisbon with my sister Eva.", user_id="ana")
    m.add(CONVERSATION, user_id="ana")
    m.store.maintain()
    for one in m.get_all(user_id="ana")["results"]:
        m.delete(one["id"])
    assert m.get_all(user_id="ana") == {"results": []}
    assert m.store.list(user_id="ana") == []


@pytest.mark.parametrize("messages", [7, None, b"tea"])
def test_what_is_no_message_is_refused(m: Memory, messages: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        m.add(messages, user_id="ana")
    assert refused.value.error_code == "VALIDATION_003"
    with pytest.raises(ValidationError):
        m.add("x", user_id="ana", memory_type="semantic_memory")


# ── opening ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_configuration_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNEMOS_STORE", raising=False)
    with Memory() as memory:
        assert memory.store.path == Path("mnemos.db")
    monkeypatch.setenv("MNEMOS_STORE", str(tmp_path / "other.db"))
    with Memory() as memory:
        memory.add("I like tea", user_id="ana")
    with Memory(config={"path": str(tmp_path / "other.db")}) as memory:
        assert texts(memory.get_all(user_id="ana")) == ["I like tea"]
    memory.close()


def test_what_a_thread_derives_needs_no_call(path: Path) -> None:
    with Memory({"path": str(path)}) as memory:
        memory.add("I live in Lisbon with my sister Eva.", user_id="ana")
        for _ in range(200):
            if memory.store.facts(user_id="ana"):
                break
            asyncio.run(asyncio.sleep(0.05))
        assert memory.store.facts(user_id="ana")


def test_a_configuration_written_for_mem0_is_accepted(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = {
        "path": str(path),
        "background": False,
        "vector_store": {"provider": "qdrant", "config": {"host": "localhost"}},
        "graph_store": {"provider": "neo4j", "config": {}},
        "embedder": {"provider": "openai", "config": {"model": "text-embedding-3-small"}},
        "llm": {"provider": "openai", "config": {"model": "gpt-4o-mini", "api_key": "sk-secret"}},
        "history_db_path": "/tmp/history.db",
        "version": "v1.1",
        "surprising": 1,
    }
    with caplog.at_level(logging.WARNING):
        with Memory.from_config(config_dict=config):
            pass
        said = caplog.text
        with Memory.from_config(config):
            pass
    assert "'surprising'" in said
    assert caplog.text == said, "it is said once"
    assert "sk-secret" not in said


class Config:
    """A configuration object, as mem0's own class is one."""

    def __init__(self, **sections: Any) -> None:
        self.sections = sections

    def model_dump(self) -> dict[str, Any]:
        return self.sections


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"model": "llama3.1", "ollama_base_url": "http://127.0.0.1:1"}, "http://127.0.0.1:1/v1"),
        ({"model": "m", "openai_base_url": "http://127.0.0.1:1/v1/"}, "http://127.0.0.1:1/v1"),
        ({"model": "m", "vllm_base_url": "http://127.0.0.1:1/v1", "api_key": "k"}, "http://127.0.0.1:1/v1"),
    ],
)
def test_a_model_is_asked_where_its_address_is_named(path: Path, settings: dict[str, Any], address: str) -> None:
    section = {"provider": "any", "config": settings}
    store = open_store(Config(path=str(path), background=False, llm=section))
    with store:
        assert repr(store._llm) == f"LanguageModel({address!r}, {settings['model']!r})"


@pytest.mark.parametrize("settings", [None, {}, {"model": "gpt-4o"}, {"openai_base_url": "http://127.0.0.1:1"}])
def test_nothing_is_sent_to_a_model_without_an_address(path: Path, settings: Any) -> None:
    with open_store(
        {"path": str(path), "background": False, "llm": {"provider": "openai", "config": settings}}
    ) as store:
        assert store._llm is None


def test_an_open_store_is_shared_and_left_open(memory: Mnemos) -> None:
    with Memory(memory) as m:
        m.add("I like tea", user_id="ana")
    assert [one.text for one in memory.list(user_id="ana")] == ["I like tea"]
    with pytest.raises(InvalidInput, match="config"):
        Memory(7)


# ── the async class ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_async_class_works_concurrently(path: Path) -> None:
    async def run() -> None:
        config = {"path": str(path), "background": False}
        async with await AsyncMemory.from_config(config) as m:
            added = await asyncio.gather(*(m.add(f"I have {n} cats", user_id=f"u{n % 4}") for n in range(40)))
            ids = [reply["results"][0]["id"] for reply in added]
            assert len(set(ids)) == 40
            pages = await asyncio.gather(*(m.get_all(filters={"user_id": f"u{n}"}) for n in range(4)))
            assert [len(page["results"]) for page in pages] == [10] * 4
            found = await m.search("How many cats?", user_id="u1", limit=5)
            assert len(found["results"]) == 5
            await m.update(ids[0], "I have no cats")
            assert [row["event"] for row in await m.history(ids[0])] == ["ADD", "UPDATE"]
            await asyncio.gather(*(m.delete(id) for id in ids[:10]))
            held = m.store.get(ids[20])
            assert held is not None
            assert held.channel == "mem0"
            assert await m.get(ids[0]) is None
            await m.delete_all(user_id="u1")
            await m.reset()
            assert m.store.namespaces() == []

    asyncio.run(run())


def test_the_example_runs() -> None:
    example = Path(__file__).parents[2] / "examples" / "mem0_memory.py"
    said = subprocess.run([sys.executable, "-W", "error", str(example)], capture_output=True, text=True, check=True)
    assert said.stdout == "I'm planning dinner. I'm a vegetarian and allergic to nuts.\n"


def test_a_secret_is_masked_before_it_is_stored(m: Memory) -> None:
    (result,) = m.add("The token is ghp_" + "a1B2" * 9, user_id="ana")["results"]
    assert "ghp_" not in result["memory"]
    assert texts(m.get_all(user_id="ana")) == [result["memory"]]


PAGE = (Path(__file__).parents[2] / "docs" / "mem0.md").read_text(encoding="utf-8")


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mem0.json").write_text('{"results": [{"id": "1", "memory": "Ana moved to Lisbon", "user_id": "ana"}]}')
    program: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(compile(example, "docs/mem0.md", "exec"), program)  # noqa: S102 - our own examples
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "I'm a vegetarian, and allergic to nuts."
    assert said[-1] == "1"
    assert "allergic" in "\n".join(said[1:-1])
