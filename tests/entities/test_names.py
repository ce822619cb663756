"""Names in texts: found by capitals and cues, of the right kind, and nothing else taken for one."""

from __future__ import annotations

import pytest

from mnemos.entities import chinese
from mnemos.entities.names import Reader, plain


def found(*texts: str, known: dict[str, str] | None = None) -> list[list[tuple[str, str]]]:
    reader = Reader(texts)
    return [[(name.name, name.kind) for name in names] for names in reader.names(known or {})]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("My sister Rita lives in Lisbon.", [("Rita", "person"), ("Lisbon", "place")]),
        ("we walked our dog Milo to the park", [("Milo", "animal")]),
        ("I met Dr. Paula Silva at Google.", [("Dr. Paula Silva", "person"), ("Google", "thing")]),
        ("The next day Rita's brother called.", [("Rita", "person")]),
        ("I flew to New York City with Jean-Luc.", [("New York City", "place"), ("Jean-Luc", "person")]),
        ("We stayed on Great Western Road.", [("Great Western Road", "place")]),
        ('I just finished the book "A Month in the Country".', [("A Month in the Country", "thing")]),
        ("it was written by J.K. Rowling", [("J.K. Rowling", "person")]),
        ("she is at the University of Galway", [("University of Galway", "thing")]),
        ("my aunt is called Bríd", [("Bríd", "person")]),
        ("Hey Zbyszek! How are you?", [("Zbyszek", "person")]),
    ],
)
def test_a_name_and_its_kind(text: str, names: list[tuple[str, str]]) -> None:
    assert found(text) == [names]


@pytest.mark.parametrize(
    "text",
    [
        "Thanks! I'm glad. Next Monday I will bake Spanish bread for Christmas.",
        "Identify the problem. Consider your options. Take a break.",
        "## Key Considerations For Remote Work\n\n- **Time Management**: plan it\n1. **Set Goals**: write them down",
        "WE GOT IT and I'm SO happy, OMG",
        "see https://example.org/Lisbon and `Rita = 1` and rita@example.org",
        "Mom and Dad said Grandma will come on Sunday",
        "",
        "…",
        "\x00\x01\ud800",
    ],
)
def test_what_is_no_name(text: str) -> None:
    assert found(text) == [[]]


def test_a_name_at_the_start_is_believed_where_another_text_confirms_it() -> None:
    assert found("Skerry slept all day.") == [[]]
    first, second = found("Skerry slept all day.", "we named the boat of my cousin Skerry and then we saw Skerry sail")
    assert [name for name, _ in first] == ["Skerry"]
    assert second


def test_known_people_are_found_in_small_letters() -> None:
    assert found("then shazia called me", known={"shazia": "person"}) == [[("shazia", "person")]]
    assert found("then shazia called me") == [[]]
    assert found("he will mark it", known={"mark": "person", "will": "person"}) == [[]]


def test_names_stand_where_they_are_written() -> None:
    text = "Yesterday my friend Tomasz came from  Kraków."
    (names,) = Reader([text]).names({})
    assert [text[name.start : name.end] for name in names] == ["Tomasz", "Kraków"]


def test_plain_names_are_equal_whatever_their_spelling() -> None:
    assert plain("BRÍD  Kinsella’s") == plain("Brid Kinsella")
    assert plain("O'Brien") == plain("O’Brien") == "obrien"


def test_chinese_people_and_places() -> None:
    assert [name[:2] for name in chinese.names("我同事叫王小明。")] == [("王小明", "person")]
    assert [name[:2] for name in chinese.names("李华是我的表哥，在杭州工作。")] == [
        ("李华", "person"),
        ("杭州", "place"),
    ]
    assert list(chinese.names("今天天气很好。")) == []
