"""`add`: order, idempotence, one transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from storetools import dump

from mnemos import InvalidInput, Mnemos

AT = "2026-03-02T18:40:00Z"


def test_a_string_a_message_and_a_list(memory: Mnemos) -> None:
    (one,) = memory.add("I moved to Lisbon in May.", user_id="ana")
    assert (one.text, one.namespace, one.kind, one.is_new) == (
        "I moved to Lisbon in May.",
        ("user", "ana"),
        "turn",
        True,
    )
    assert one.happened_at is None
    assert memory.get(one.id) is not None
    (two,) = memory.add({"role": "user", "name": "Ana", "content": "Hello", "happened_at": AT}, session_id="s1")
    assert (two.role, two.speaker, two.session_id, two.namespace) == ("user", "Ana", "s1", ("default",))
    assert two.happened_at == datetime(2026, 3, 2, 18, 40, tzinfo=UTC)
    three = memory.add(["a", {"content": "b"}, {"content": "c", "session_id": "other"}], session_id="s2")
    assert [m.text for m in three] == ["a", "b", "c"]
    assert [m.session_id for m in three] == ["s2", "s2", "other"]
    assert memory.add([]) == []


def test_what_add_returns_is_what_get_returns(memory: Mnemos) -> None:
    message = {
        "role": "assistant",
        "name": "Botje",
        "content": "ünïcode 猫 \N{PILE OF POO} ‏שלום",
        "happened_at": "2026-03-02T19:40:00+01:00",
        "metadata": {"turn_id": "7", "nested": {"a": [1, 2.5, None, True]}, "tuple": (1, 2)},
        "session_id": "s",
        "kind": "note",
        "source_id": "x-1",
        "valid_at": "2026-01-01T00:00:00Z",
        "invalid_at": "2027-01-01T00:00:00Z",
        "trust": 0.25,
    }
    (added,) = memory.add(message, user_id="ana", agent_id="helper")
    stored = memory.get(added.id)
    assert stored is not None
    for name in added.__slots__:
        if name != "is_new":
            assert getattr(stored, name) == getattr(added, name), name
    assert stored.metadata["tuple"] == [1, 2]
    assert (stored.agent_id, stored.trust) == ("helper", 0.25)


def test_openai_text_parts_are_joined(memory: Mnemos) -> None:
    content = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert memory.add({"role": "user", "content": content})[0].text == "one\ntwo"


def test_notes_and_documents(memory: Mnemos) -> None:
    memory.add("A note.", kind="note")
    memory.add("A document. " * 400, kind="document")
    assert [m.kind for m in memory.list()] == ["note", "document"]
    assert memory.search("document", limit=5)[0].passage is not None


def test_reading_order_is_the_order_of_adding(memory: Mnemos) -> None:
    memory.add([{"content": "late", "happened_at": "2026-01-02T00:00:00Z"}])
    memory.add([{"content": "early", "happened_at": "2020-01-02T00:00:00Z"}, "undated"])
    assert [m.text for m in memory.list()] == ["late", "early", "undated"]
    ids = [m.id for m in memory.list()]
    assert ids == sorted(ids)


@pytest.mark.parametrize("change", ["content", "name", "role", "session_id", "happened_at"])
def test_a_dated_event_is_stored_once_and_any_part_makes_another(memory: Mnemos, change: str) -> None:
    message = {"content": "next", "name": "Ana", "role": "user", "session_id": "s1", "happened_at": AT}
    (first,) = memory.add(message, user_id="ana")
    (again,) = memory.add(message, user_id="ana")
    assert (again.id, again.is_new) == (first.id, False)
    other = {**message, change: "2026-03-02T18:41:00Z" if change == "happened_at" else "other"}
    (new,) = memory.add(other, user_id="ana")
    assert new.is_new
    assert new.id != first.id
    (elsewhere,) = memory.add(message, user_id="ben")
    assert elsewhere.is_new
    assert len(memory.list(user_id="ana")) == 2


def test_equal_events_of_one_call_are_told_apart_by_their_ordinal(memory: Mnemos) -> None:
    said = {"content": "next", "happened_at": AT}
    first = memory.add([said, {"content": "no", "happened_at": AT}, said])
    assert [m.is_new for m in first] == [True] * 3
    again = memory.add([said, said])
    assert [(m.id, m.is_new) for m in again] == [(first[0].id, False), (first[2].id, False)]
    third = memory.add([said, said, said])
    assert [m.is_new for m in third] == [False, False, True]
    assert memory.list().total == 4


def test_without_a_time_the_same_words_are_two_memories(memory: Mnemos) -> None:
    assert memory.add("next")[0].id != memory.add("next")[0].id
    assert [m.is_new for m in memory.add(["next", "next"])] == [True, True]
    assert memory.list().total == 4


def test_a_source_id_makes_a_repeat(memory: Mnemos) -> None:
    (first,) = memory.add({"content": "hi", "source_id": "m1"}, user_id="ana")
    (again,) = memory.add({"content": "hi, edited", "source_id": "m1"}, user_id="ana")
    assert (again.id, again.is_new, again.text) == (first.id, False, "hi")
    assert memory.add({"content": "hi", "source_id": "m2"}, user_id="ana")[0].is_new
    assert memory.add({"content": "hi", "source_id": "m1"}, user_id="ben")[0].is_new
    twice = memory.add([{"content": "x", "source_id": "m9"}, {"content": "y", "source_id": "m9"}])
    assert [m.is_new for m in twice] == [True, False]
    assert twice[0].id == twice[1].id


def test_an_idempotency_key_makes_a_repeat(memory: Mnemos) -> None:
    first = memory.add(["a", "b"], idempotency_key="k")
    again = memory.add(["a", "b"], idempotency_key="k")
    assert [m.id for m in again] == [m.id for m in first]
    assert not any(m.is_new for m in again)
    (own,) = memory.add({"content": "a", "idempotency_key": "k2"})
    assert memory.add("a", idempotency_key="k2")[0].id == own.id
    assert memory.add("a", idempotency_key="k3")[0].is_new
    assert memory.add("a", idempotency_key="k", user_id="ana")[0].is_new


def test_a_repeat_after_an_update_is_still_a_repeat(memory: Mnemos) -> None:
    (first,) = memory.add("old words", happened_at=AT)
    memory.update(first.id, text="new words")
    (again,) = memory.add("old words", happened_at=AT)
    assert (again.id, again.is_new, again.text) == (first.id, False, "new words")


def test_a_repeat_after_a_deletion_is_new(memory: Mnemos) -> None:
    (first,) = memory.add("words", happened_at=AT)
    memory.delete(first.id)
    (again,) = memory.add("words", happened_at=AT)
    assert again.is_new
    assert again.id != first.id


def test_a_message_that_fails_leaves_nothing_of_its_call(memory: Mnemos, path: Path) -> None:
    memory.add("before")
    stored = dump(path)
    with pytest.raises(InvalidInput) as caught:
        memory.add(["fine", {"content": "fine too", "happened_at": AT}, {"content": ""}])
    assert caught.value.field == "messages[2].content"
    assert dump(path) == stored


def test_the_keywords_hold_where_a_message_does_not_say_otherwise(memory: Mnemos) -> None:
    found = memory.add(
        [
            "a",
            {
                "content": "b",
                "name": "Ben",
                "metadata": {"x": 2},
                "happened_at": "2026-05-01T00:00:00Z",
                "kind": "note",
            },
        ],
        name="Ana",
        role="user",
        metadata={"x": 1},
        happened_at=AT,
    )
    assert [(m.speaker, m.role, m.metadata["x"], m.kind) for m in found] == [
        ("Ana", "user", 1, "turn"),
        ("Ben", "user", 2, "note"),
    ]
    assert [m.happened_at.month for m in found if m.happened_at] == [3, 5]


def test_naive_times_are_read_in_the_zone_that_is_given(path: Path) -> None:
    with Mnemos(path, timezone="Europe/Lisbon") as memory:
        (summer,) = memory.add("a", happened_at="2026-07-01T12:00:00")
        (other,) = memory.add("b", happened_at="2026-07-01T12:00:00", timezone="America/New_York")
    assert summer.happened_at == datetime(2026, 7, 1, 11, tzinfo=UTC)
    assert other.happened_at == datetime(2026, 7, 1, 16, tzinfo=UTC)
