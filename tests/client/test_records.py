"""What the server writes of a record is read as the same record."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mnemos.client import BadReply
from mnemos.client.decoding import listed, record
from mnemos.entities.graph import Graph
from mnemos.forget.budget import Forgotten
from mnemos.io.importing import ImportReport
from mnemos.io.jsonl import ExportReport
from mnemos.levels.answers import Profile, Timeline
from mnemos.maintenance import Maintained
from mnemos.records import Change, Context, Deletion, Hit, Link, Memory
from mnemos.store.reading import Stats
from mnemos.verbs.gating import Kept

RECORDS = (
    Change, Context, Deletion, ExportReport, Forgotten, Graph, Hit, ImportReport, Kept, Link, Maintained, Memory,
    Profile, Stats, Timeline,
)  # fmt: skip
WORDS = st.text(max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)
PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    Any: JSON,
    str: WORDS,
    bool: st.booleans(),
    int: st.integers(-(2**53), 2**53),
    float: NUMBERS,
    datetime: st.datetimes(timezones=st.just(UTC)),
    types.NoneType: st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, as the records state it."""
    if kind in PLAIN:
        return PLAIN[kind]
    origin, of = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(of)
    if origin is tuple:
        return st.lists(values(of[0]), max_size=2).map(tuple) if of[-1] is ... else st.tuples(*map(values, of))
    if origin in (Mapping, dict):
        return st.dictionaries(WORDS, values(of[1]), max_size=2)
    if of:
        return st.one_of(*map(values, of))
    hints = get_type_hints(kind)
    return st.builds(kind, **{one.name: values(hints[one.name]) for one in fields(kind)})


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_record_survives_the_way(kind: type[Any]) -> None:
    adapter = TypeAdapter(kind)

    @given(values(kind))
    @settings(max_examples=30, deadline=None)
    def survives(one: Any) -> None:
        told = json.loads(adapter.dump_json(one))
        assert record(kind)(told) == one
        assert listed(kind, "all")({"all": [told], "more": 0}) == [one]

    survives()


def test_what_a_newer_server_says_besides_is_left_out() -> None:
    assert record(Link)({"source": "a", "target": "b", "relation": "r", "colour": "blue"}) == Link("a", "b", "r")


@pytest.mark.parametrize(
    ("kind", "told", "words"),
    [
        (Link, {"source": "a"}, "lacks a field"),
        (Link, {"source": "a", "target": 1, "relation": "r"}, "Link.target is a int, not str"),
        (Link, {"source": "a", "target": "b", "relation": "r", "weight": True}, "weight is a bool, not float"),
        (Link, [], "Link is a list, not an object"),
        (Link, None, "Link is a NoneType"),
        (Deletion, {"ids": "abc"}, "ids is a str, not a list"),
        (Deletion, {"ids": [1]}, r"ids\[0\] is a int"),
        (Change, {"id": "a", "op": "add", "at": "noon", "version": 1}, "at is not a time"),
        (Change, {"id": "a", "op": "add", "at": "2026-03-02T18:40:00", "version": 1}, "without a zone"),
        (Change, {"id": "a", "op": "add", "at": "2026-03-02T18:40:00Z", "version": 1.5}, "version is a float"),
        (Hit, {"memory": {}, "score": 1, "why": {}}, "Hit.memory lacks a field"),
        (Context, {"text": "a", "tokens": 1, "items": {}}, "items is a dict, not a list"),
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(kind: type[Any], told: Any, words: str) -> None:
    with pytest.raises(BadReply, match=words):
        record(kind)(told)
