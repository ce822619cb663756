"""Filters: the SQL that they become says the same as plain Python would."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos import InvalidInput, Mnemos

NAMES = ["a", "b", "speaker", "trust", 'we"ird %_.key', "ключ", "value.a", "metadata.a"]
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=6) | st.sampled_from(
    ["Lisbon", "lisbon", "LISBON 2", "Straße", "STRASSE", "%", "_", "'", '"', "true", "null", "1"]
)
NUMBER = (
    st.integers(-3, 3)
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e6, 1e6, width=32)
    | st.sampled_from([0.1, 1e-9, 2.5])
)
SCALAR = st.none() | st.booleans() | NUMBER | TEXT
METADATA = st.dictionaries(
    st.sampled_from(["a", "b", 'we"ird %_.key', "ключ"]),
    SCALAR | st.lists(SCALAR, max_size=4) | st.dictionaries(TEXT, SCALAR, max_size=2),
    max_size=4,
)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(NAMES))
    op = draw(
        st.sampled_from(
            ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "icontains", "exists", None, "*"]
        )
    )
    if op in ("contains", "icontains") and name == "trust":
        name = "a"
    if op == "*":
        return {name: "*"}
    if op in ("in", "nin"):
        operand: Any = draw(st.lists(SCALAR, max_size=4))
    elif op == "exists":
        operand = draw(st.booleans())
    elif op == "icontains" or (op == "contains" and name == "speaker"):
        operand = draw(TEXT)
    elif op in ("gt", "gte", "lt", "lte"):
        operand = draw(NUMBER | TEXT)
    else:
        operand = draw(SCALAR)
    if op is None:
        return {name: operand if operand != "*" else "x"}
    return {name: {draw(st.sampled_from(["", "$"])) + op: operand}}


FILTERS = st.recursive(
    conditions(),
    lambda inner: st.builds(
        lambda joint, parts: {joint: parts},
        st.sampled_from(["AND", "OR", "NOT", "$and", "$or", "$not"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


def same(left: Any, right: Any) -> bool:
    """Equality that keeps truth, text and numbers apart."""
    kinds = (bool, str, type(None), (int, float))
    return any(isinstance(left, kind) and isinstance(right, kind) for kind in kinds) and (
        isinstance(left, bool) == isinstance(right, bool) and left == right
    )


MISSING = object()


def holds(held: Any, op: str, operand: Any) -> bool:
    """What one comparison means, without SQL."""
    if op == "exists":
        return (held is not MISSING) == operand
    if op == "eq":
        return held in (None, MISSING) if operand is None else same(held, operand)
    if op == "in":
        return any(holds(held, "eq", each) for each in operand)
    if op in ("ne", "nin"):
        return not holds(held, "eq" if op == "ne" else "in", operand)
    if op == "contains":
        if isinstance(held, list):
            return any(same(each, operand) for each in held)
        return isinstance(held, str) and isinstance(operand, str) and operand in held
    if op == "icontains":
        return isinstance(held, str) and operand.casefold() in held.casefold()
    comparable = isinstance(held, str) == isinstance(operand, str) and not isinstance(held, bool | list | dict)
    if held in (None, MISSING) or not comparable:
        return False
    compare = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}[op]
    return bool(compare(held, operand))


def accepts(filters: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """The reference: whether a filter accepts a row of attributes, metadata and value."""
    return all(_entry(name, wanted, row) for name, wanted in filters.items())


def _entry(name: str, wanted: Any, row: Mapping[str, Any]) -> bool:
    joint = name.removeprefix("$").upper()
    if joint in ("AND", "OR", "NOT"):
        found = [accepts(part, row) for part in wanted]
        return {"AND": all(found), "OR": any(found), "NOT": not any(found)}[joint]
    if name in ("speaker", "trust"):
        held = MISSING if row[name] is None else row[name]
    elif name.startswith("value."):
        held = row["value"].get(name[6:], MISSING)
    else:
        held = row["metadata"].get(name.removeprefix("metadata."), MISSING)
    if not isinstance(wanted, dict):
        return holds(held, "exists", True) if wanted == "*" else holds(held, "eq", wanted)
    ((op, operand),) = wanted.items()
    return holds(held, op.removeprefix("$"), operand)


ROWS = st.lists(
    st.tuples(
        METADATA, METADATA, st.none() | st.sampled_from(["Ana", "ana", "Ben"]), st.sampled_from([0.0, 0.1, 0.5, 1.0])
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150)
@given(rows=ROWS, filters=st.lists(FILTERS, min_size=1, max_size=6))
def test_sql_agrees_with_plain_python(memory: Mnemos, rows: list[Any], filters: list[dict[str, Any]]) -> None:
    memory.delete_all(namespace=("filters",), descendants=True)
    held: dict[str, dict[str, Any]] = {}
    for place, (metadata, value, speaker, trust) in enumerate(rows):
        message = {"content": "x", "metadata": metadata, "name": speaker, "trust": trust}
        (turn,) = memory.add(message, namespace=("filters",))
        held[turn.id] = {"metadata": metadata, "value": {}, "speaker": speaker, "trust": trust}
        item = memory.put(f"k{place}", value, namespace=("filters",), texts=[], metadata=metadata)
        held[item.id] = {"metadata": metadata, "value": value, "speaker": None, "trust": 1.0}
    for each in filters:
        listed = {m.id for m in memory.list(namespace=("filters",), filters=each, limit=1000)}
        assert listed == {key for key, row in held.items() if accepts(each, row)}, each


def test_search_and_list_filter_alike(memory: Mnemos) -> None:
    memory.add([{"content": f"turn {n}", "metadata": {"n": n, "tags": ["odd"] if n % 2 else []}} for n in range(10)])
    wanted = {"OR": [{"n": {"gte": 8}}, {"AND": [{"tags": {"contains": "odd"}}, {"NOT": {"n": {"in": [1, 3]}}}]}]}
    listed = [m.metadata["n"] for m in memory.list(filters=wanted)]
    assert listed == [5, 7, 8, 9]
    hits = memory.search("turn", filters=wanted)
    assert (sorted(hit.memory.metadata["n"] for hit in hits), hits.total) == (listed, 4)


def test_attributes_are_filtered_too(memory: Mnemos) -> None:
    memory.add(
        {"content": "a", "name": "Ana", "role": "user", "session_id": "s", "happened_at": "2026-01-01T00:00:00Z"}
    )
    memory.add({"content": "b", "name": "Ben"}, kind="note")
    for wanted, texts in (
        ({"speaker": "Ana"}, ["a"]),
        ({"speaker": {"icontains": "EN"}}, ["b"]),
        ({"kind": {"in": ["note", "turn"]}}, ["a", "b"]),
        ({"happened_at": {"gte": "2026-01-01T01:00:00+01:00"}}, ["a"]),
        ({"happened_at": {"lt": "2026-01-01T00:00:00Z"}}, []),
        ({"happened_at": None}, ["b"]),
        ({"session_id": "*"}, ["a"]),
        ({"version": {"gt": 1}}, []),
        ({"role": {"ne": "user"}}, ["b"]),
    ):
        assert [m.text for m in memory.list(filters=wanted)] == texts, wanted


def test_large_filters_are_read_and_too_large_ones_refused(memory: Mnemos) -> None:
    memory.add({"content": "x", "metadata": {"n": 70_000}})
    assert memory.list(filters={"n": {"in": list(range(100_000))}}).total == 1
    assert memory.list(filters={"n": {"nin": [str(n) for n in range(100_000)]}}).total == 1
    assert memory.list(filters={"AND": [{"n": 70_000}] * 500}).total == 1
    assert memory.list(filters={"OR": [{"n": {"ne": 70_000}}] * 499 + [{"n": 70_000}]}).total == 1
    deep: dict[str, Any] = {"n": 70_000}
    for _ in range(20):
        deep = {"AND": [deep]}
    assert memory.list(filters=deep).total == 1
    for wrong in ({"AND": [{"n": 1}] * 501}, {"NOT": [deep]}):
        with pytest.raises(InvalidInput, match="filters"):
            memory.list(filters=wrong)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ([], "filters"),
        ("x", "filters"),
        ({"": 1}, "filters"),
        ({1: 1}, "filters"),
        ({"a\ud800": 1}, "filters"),
        ({"a": {}}, "filters.a"),
        ({"a": {"like": "x"}}, "filters.a"),
        ({"a": {"$where": "x"}}, "filters.a"),
        ({"$where": "1"}, "filters.$where"),
        ({"a": [1, 2]}, "filters.a"),
        ({"a": {"in": "abc"}}, "filters.a.in"),
        ({"a": {"gt": None}}, "filters.a.gt"),
        ({"a": {"gt": True}}, "filters.a.gt"),
        ({"a": {"eq": object()}}, "filters.a.eq"),
        ({"a": {"eq": float("nan")}}, "filters.a.eq"),
        ({"a": {"eq": 2**63}}, "filters.a.eq"),
        ({"a": "x\x00y"}, "filters.a.eq"),
        ({"a": "\ud800"}, "filters.a.eq"),
        ({"a": {"exists": "yes"}}, "filters.a.exists"),
        ({"AND": []}, "filters.AND"),
        ({"OR": "x"}, "filters.OR"),
        ({"NOT": [1]}, "filters.NOT[0]"),
        ({"happened_at": {"gt": "soon"}}, "filters.happened_at.gt"),
        ({"happened_at": {"gt": "2026-01-01T00:00:00"}}, "filters.happened_at.gt"),
        ({"happened_at": 5}, "filters.happened_at.eq"),
        ({"trust": {"contains": "1"}}, "filters.trust.contains"),
        ({"speaker": {"contains": 1}}, "filters.speaker.contains"),
    ],
)
def test_a_filter_that_cannot_be_read_names_its_place(memory: Mnemos, path: Path, wrong: Any, field: str) -> None:
    for call in (lambda: memory.list(filters=wrong), lambda: memory.search("x", filters=wrong)):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert caught.value.field == field
        assert caught.value.mend
