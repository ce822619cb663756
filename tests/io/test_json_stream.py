"""The incremental JSON reader gives what json.loads gives, at any size of piece, and says where a file breaks."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos.errors import ImportFailed
from mnemos.io import json_stream
from mnemos.io.json_stream import read_elements

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Dribble:
    """Gives a few characters at a time, however many are asked for."""

    def __init__(self, text: str, size: int) -> None:
        self.stream = io.StringIO(text)
        self.size = size

    def read(self, size: int, /) -> str:
        return self.stream.read(min(size, self.size))


def values(text: str, size: int = 1 << 20, **keys: Any) -> list[Any]:
    return [element.value for element in read_elements(Dribble(text, size), "f.json", **keys)]


@settings(deadline=None)
@given(st.lists(JSON, max_size=6), st.integers(1, 9), st.sampled_from([None, 1, 4]))
def test_it_reads_what_json_reads_in_pieces_of_any_size(data: list[Any], size: int, indent: int | None) -> None:
    assert values(json.dumps(data, indent=indent), size) == data
    assert values(json.dumps(data, ensure_ascii=False), size) == data


@settings(deadline=None)
@given(st.lists(JSON, min_size=1, max_size=4), st.data())
def test_a_text_cut_anywhere_gives_a_beginning_of_its_elements_and_then_an_error(
    data: list[Any], choice: st.DataObject
) -> None:
    text = json.dumps(data)
    cut = text[: choice.draw(st.integers(0, len(text) - 1))]
    got: list[Any] = []
    with pytest.raises(ImportFailed, match=r"f\.json"):
        got.extend(element.value for element in read_elements(Dribble(cut, 3), "f.json"))
    # a number cut in two still reads as a number
    assert got[:-1] == data[: len(got)][:-1]


def test_an_array_inside_an_object_is_streamed_by_its_key() -> None:
    text = json.dumps({"page": {"results": [9]}, "results": [{"id": 1}, {"id": 2}], "relations": []})
    assert values(text, 2, keys={"results"}) == [{"id": 1}, {"id": 2}]
    assert values('{"other": [1]}', keys={"results"}) == []
    assert values("{}", keys={"results"}) == []


def test_an_object_without_keys_asked_for_is_one_element() -> None:
    assert values('{"a": [1, 2]}') == [{"a": [1, 2]}]


@pytest.mark.parametrize(
    ("text", "place", "kept"),
    [
        ('[{"a": 1}, {"a": oops}, {"a": 3}]' + " " * 50, "character 18 in element 2", 1),
        ('[{"a": 1} {"a": 2}]' + " " * 50, "expected , or ]", 1),
        ('[{"a": "x\ny"}]', "element 1", 0),
        ('[{"a": "\\q"}, 2, 3, 4, 5, 6, 7, 8, 9]', "element 1", 0),
        ("[1, 2] [3]", "text after the end", 2),
        ('"just text"', "expected", 0),
        ('[{"a": 1}, {"a": [1, 2', "middle of element 2", 1),
        ('[{"a": 1}, {"a": "never closed', "middle of element 2", 1),
        ('[{"a": 1}, {"a": tru', "middle of element 2", 1),
        ('[{"a": 1},', "element", 1),
        ('[{"a": 1}', "cut short", 1),
        ("", "cut short", 0),
        ("[" * 100_000, "element 1", 0),
        ("[" + "1" * 5_000 + "]", "element 1", 0),
    ],
)
def test_errors_say_where(text: str, place: str, kept: int) -> None:
    got: list[Any] = []
    with pytest.raises(ImportFailed) as caught:
        got.extend(read_elements(Dribble(text, 7), "f.json"))
    assert place in str(caught.value)
    assert len(got) == kept


def test_an_invalid_element_does_not_load_the_rest_of_the_file() -> None:
    class Endless:
        given = 0

        def read(self, size: int, /) -> str:
            self.given += size
            return '[{"a": nope} ' + "," * size if self.given == size else "," * size

    text = Endless()
    with pytest.raises(ImportFailed, match="element 1"):
        list(read_elements(text, "f.json"))
    assert text.given <= 2 * json_stream.CHUNK


def test_one_element_may_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_ELEMENT", 5_000)
    monkeypatch.setattr(json_stream, "CHUNK", 1_000)
    with pytest.raises(ImportFailed, match="longer than 5,000"):
        values('["' + "x" * 20_000 + '"]', 1_000)


def test_no_more_than_a_few_elements_are_held_at_once() -> None:
    class Counting:
        """An array of 64 MB, made while it is read."""

        sent = 0

        def read(self, size: int, /) -> str:
            if self.sent >= 64_000_000:
                return ""
            piece = ('{"text": "' + "y" * 1000 + '"},') * (size // 1013)
            start = "" if self.sent else "["
            self.sent += len(piece)
            return start + piece + ("0]" if self.sent >= 64_000_000 else "")

    source = Counting()
    ahead = max(source.sent - number * 1013 for number, _ in read_elements(source, "f.json"))
    assert source.sent >= 64_000_000
    assert ahead < 3 * json_stream.CHUNK
