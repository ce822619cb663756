"""Namespaces: no scope ever sees another's memories, whatever the labels are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storetools import dump

from mnemos import InvalidInput, Mnemos

HOSTILE = [
    "%", "_", "..", ".", "/", "a/b", "'", '"', "';--", '","', "\n", "a\n", "\\", "[]", '["user"]', "*", "ana",
    "Ana",
    "ana ", "é", "é", "猫", "\u202e", "\U0001f600", "NULL", "0", "user", "x" * 1024, "a%", "a_",
    "\ufeff",
]  # fmt: skip
LABEL = (
    st.sampled_from(HOSTILE) | st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"))
).filter(lambda label: bool(label.strip()) and len(label.encode()) <= 1024)
NAMESPACE = st.lists(LABEL, min_size=1, max_size=4).map(tuple)


@settings(max_examples=60)
@given(spaces=st.lists(NAMESPACE, min_size=2, max_size=5, unique=True), data=st.data())
def test_no_scope_sees_another(memory: Mnemos, spaces: list[tuple[str, ...]], data: st.DataObject) -> None:
    for namespace in memory.namespaces():
        memory.delete_all(namespace=namespace)
    ids = {}
    for number, namespace in enumerate(spaces):
        (turn,) = memory.add(f"secret number {number}", namespace=namespace)
        item = memory.put("key", {"number": f"secret {number}"}, namespace=namespace)
        ids[namespace] = {turn.id, item.id}
    assert set(memory.namespaces()) == set(spaces)
    for number, namespace in enumerate(spaces):
        own = ids[namespace]
        below = set().union(*(ids[other] for other in spaces if other[: len(namespace)] == namespace))
        assert {m.id for m in memory.list(namespace=namespace)} == own
        assert {hit.memory.id for hit in memory.search("secret number", namespace=namespace)} == own
        assert {m.id for m in memory.list(namespace=namespace, descendants=True)} == below
        hits = memory.search("secret number", namespace=namespace, descendants=True, limit=50)
        assert {hit.memory.id for hit in hits} == below
        item = memory.get_item("key", namespace=namespace)
        assert item is not None
        assert item.value == {"number": f"secret {number}"}
        assert memory.stats(namespace=namespace).memories == 2
    gone = data.draw(st.sampled_from(spaces))
    assert set(memory.delete_all(namespace=gone).ids) == ids[gone]
    for namespace in spaces:
        expected = set() if namespace == gone else ids[namespace]
        assert {m.id for m in memory.list(namespace=namespace)} == expected
    assert memory.get_item("key", namespace=gone) is None
    assert memory.list(namespace=("never stored",)).total == 0


def test_users_agents_and_the_default(memory: Mnemos) -> None:
    memory.add("default")
    memory.add("ana", user_id="ana")
    memory.add("ana with helper", user_id="ana", agent_id="helper")
    memory.add("helper alone", agent_id="helper")
    assert [m.text for m in memory.list()] == ["default"]
    assert [m.text for m in memory.list(namespace=("default",))] == ["default"]
    assert [m.text for m in memory.list(user_id="ana")] == ["ana", "ana with helper"]
    assert [m.text for m in memory.list(user_id="ana", agent_id="helper")] == ["ana with helper"]
    assert [h.memory.text for h in memory.search("ana", user_id="ana", agent_id="helper")] == ["ana with helper"]
    assert [m.text for m in memory.list(agent_id="helper")] == ["helper alone"]
    assert [m.text for m in memory.list(namespace=("agent", "helper"))] == ["helper alone"]
    assert memory.stats(user_id="ana").memories == 2
    assert memory.stats(user_id="ana", agent_id="helper").memories == 1
    assert memory.stats().memories == 4
    assert len(memory.delete_all(user_id="ana", agent_id="helper").ids) == 1
    assert [m.text for m in memory.list(user_id="ana")] == ["ana"]


def test_sessions_do_not_scope_recall(memory: Mnemos) -> None:
    memory.add("Rita is vegan.", user_id="ana", session_id="s1")
    memory.add("Rita came for dinner.", user_id="ana", session_id="s2")
    assert memory.search("Rita", user_id="ana").total == 2


def test_descendants_are_seen_when_they_come_later(memory: Mnemos) -> None:
    memory.add("above", namespace=("org",))
    assert memory.search("x", namespace=("org",), descendants=True).total == 1
    memory.add("below", namespace=("org", "team", "ana"))
    assert memory.search("x", namespace=("org",), descendants=True).total == 2
    assert memory.list(namespace=("org", "team"), descendants=True).total == 1
    assert memory.list(namespace=("org", "team")).total == 0
    assert memory.list(namespace=("or",), descendants=True).total == 0


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "  \n"}, "user_id"),
        ({"user_id": 7}, "user_id"),
        ({"user_id": "a\x00b"}, "user_id"),
        ({"user_id": "\ud800"}, "user_id"),
        ({"user_id": "x" * 10_000}, "user_id"),
        ({"agent_id": ""}, "agent_id"),
        ({"namespace": ()}, "namespace"),
        ({"namespace": "user"}, "namespace"),
        ({"namespace": ("user", "")}, "namespace[1]"),
        ({"namespace": ("user", None)}, "namespace[1]"),
        ({"namespace": ("a",) * 33}, "namespace"),
        ({"namespace": ("a", "é" * 5_000)}, "namespace[1]"),
        ({"namespace": ("a",), "user_id": "b"}, "namespace"),
        ({"namespace": {"a"}}, "namespace"),
    ],
)
def test_a_scope_that_cannot_be_read(memory: Mnemos, path: Path, scope: dict[str, object], field: str) -> None:
    memory.add("before")
    stored = dump(path)
    calls = [
        lambda: memory.add("x", **scope),  # type: ignore[arg-type]
        lambda: memory.search("x", **scope),  # type: ignore[arg-type]
        lambda: memory.list(**scope),  # type: ignore[arg-type]
        lambda: memory.put("k", 1, **scope),  # type: ignore[arg-type]
        lambda: memory.get_item("k", **scope),  # type: ignore[arg-type]
        lambda: memory.delete_all(**scope),  # type: ignore[arg-type]
        lambda: memory.stats(**scope),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as caught:
            call()
        assert caught.value.field == field
    assert dump(path) == stored


def test_delete_all_needs_a_scope(memory: Mnemos) -> None:
    memory.add("kept")
    with pytest.raises(InvalidInput, match="name what to delete"):
        memory.delete_all()
    assert memory.list().total == 1
    assert len(memory.delete_all(namespace=("default",)).ids) == 1
    assert memory.delete_all(user_id="nobody").ids == ()


def test_delete_all_below(memory: Mnemos) -> None:
    memory.add("a", namespace=("org",))
    memory.add("b", namespace=("org", "x"))
    memory.add("c", namespace=("organ",))
    assert len(memory.delete_all(namespace=("org",), descendants=True).ids) == 2
    assert memory.namespaces() == [("organ",)]
