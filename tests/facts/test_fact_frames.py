"""Statements about others: subject, relation and object without a list of relations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemos.facts.extract import extract
from mnemos.facts.frames import read_frame
from mnemos.facts.keys import keys, subject_key
from mnemos.records import Memory


@pytest.mark.parametrize(
    ("text", "subject", "relation", "obj"),
    [
        ("The capital of Zubrowka is Lutz.", "Zubrowka", "capital of is", "Lutz"),
        ("The Quiet Harbour was painted by Ilse Brandt.", "The Quiet Harbour", "was painted by", "Ilse Brandt"),
        ("Otto Wren plays the position of sweeper.", "Otto Wren", "plays the position of", "sweeper"),
        ("Otto Wren was born in the city of Tarn.", "Otto Wren", "was born in the city of", "Tarn"),
        ("The school where Otto Wren was taught is Elm House.", "Otto Wren", "school where was taught is", "Elm House"),
        ("Otto Wren's child is Mina Wren.", "Otto Wren", "child is", "Mina Wren"),
        ("Paul I of Zubrowka is a subject of Lutz.", "Paul I of Zubrowka", "is a subject of", "Lutz"),
        ("What Is Tea was sung by The Kettles", "What Is Tea", "was sung by", "The Kettles"),
        ("12. The chair of Tarn United is Edda Holm.", "Tarn United", "chair of is", "Edda Holm"),
        ("Acme Lamps was bought by Initech Inc..", "Acme Lamps", "was bought by", "Initech Inc."),
        ("The deploy server runs on Debian 12.", "deploy server", "runs on", "Debian 12"),
        ("The wifi password is teapot42", "wifi password", "is", "teapot42"),
        ("chess is linked with the land of Persia.", "chess", "is linked with the land of", "Persia"),
    ],
)
def test_a_statement_falls_into_its_parts(text: str, subject: str, relation: str, obj: str) -> None:
    frame = read_frame(text)
    assert frame is not None
    assert (frame.subject, frame.relation, frame.object, frame.single) == (subject, relation, obj, True)


@pytest.mark.parametrize(
    "text",
    [
        "I live in Porto.",
        "My flat is in Porto.",
        "Is the capital of Zubrowka Lutz?",
        "What is the capital of Zubrowka",
        "It is in the city of Lutz.",
        "The capital would be Lutz.",
        "The capital of Zubrowka is Lutz. Its river is the Orm.",
        "List the towns on the coast",
        "Lutz",
        "Well, that was in the city of Lutz",
    ],
)
def test_what_is_no_statement_about_others_has_no_frame(text: str) -> None:
    assert read_frame(text) is None


@pytest.mark.parametrize("mark", ["12. ", "12) ", "Fact 12: ", "#12 ", "[12] ", "(12) ", "- ", "• ", "  3: "])
def test_the_mark_of_a_list_is_no_part_of_a_statement(mark: str) -> None:
    (one,) = extract(Memory("1", ("u",), "turn", f"{mark}The capital of Zubrowka is Lutz.", role="user"))
    assert (one.text, one.subject) == ("The capital of Zubrowka is Lutz.", "Zubrowka")


def test_several_objects_are_usual_for_some_relations() -> None:
    for text in ("Edda visited Tarn", "Edda is allergic to plums", "Rust is fast"):
        frame = read_frame(text)
        assert frame is not None
        assert not frame.single


NAMES = st.lists(
    st.sampled_from("Otto Edda Mina Ilse Tarn Lutz Orm Wren Holm Brandt Zubrowka Initech Quiet Harbour".split()),
    min_size=1,
    max_size=3,
    unique=True,
).map(" ".join)
SHAPES = st.sampled_from(
    [
        "The {noun} of {s} is {o}.",
        "{s} was {verb} by {o}.",
        "{s} is {verb} with the {noun} of {o}.",
        "The {noun} that {s} keeps is {o}.",
        "{s} holds the {noun} of {o}.",
        "{s}'s {noun} is {o}.",
    ]
)


@given(SHAPES, st.sampled_from("keeper mayor river anthem".split()), st.sampled_from("carved moved linked".split()),
       NAMES, NAMES, NAMES)  # fmt: skip
def test_two_statements_that_differ_only_in_their_object_are_one_matter(
    shape: str, noun: str, verb: str, subject: str, one: str, two: str
) -> None:
    first = read_frame(shape.format(s=subject, noun=noun, verb=verb, o=one))
    second = read_frame(shape.format(s=subject, noun=noun, verb=verb, o=two))
    assert first is not None
    assert second is not None
    a, b = keys(*first[:3]), keys(*second[:3])
    assert (a.subject, a.matter) == (b.subject, b.matter)
    assert (a.object == b.object) == (one == two)


def test_statements_come_as_turns_notes_and_facts() -> None:
    text = "The capital of Zubrowka is Lutz."
    for kind, role in (("turn", "user"), ("turn", None), ("note", None), ("fact", None), ("document", None)):
        (one,) = extract(Memory("1", ("u",), kind, text, role=role))  # type: ignore[arg-type]
        assert (one.text, one.single) == (text, True)
    assert extract(Memory("1", ("u",), "turn", text, role="assistant")) == []


def test_a_note_holds_several() -> None:
    note = "1. The capital of Zubrowka is Lutz.\n2. The capital of Tarnia is Orm.\nBuy milk!"
    found = extract(Memory("1", ("u",), "note", note))
    assert [one.object for one in found] == ["Lutz", "Orm"]
    assert [note[one.start : one.end] for one in found] == note.splitlines()[:2]
    assert extract(Memory("1", ("u",), "turn", note, role="user")) == []


def test_keys_are_the_same_in_every_run_and_blind_to_what_does_not_matter() -> None:
    assert keys("Ana", "lives in", "Porto") == keys("ana", "lived in", "the Porto!")
    assert keys("Ana", "no longer works at", "Lumen") == keys("Ana", "works at", "lumen")
    assert keys("Ana", "does not like", "plums").matter == keys("Ana", "likes", "plums").matter
    assert keys("Ana", "lives in", "Porto").matter != keys("Ana", "works in", "Porto").matter
    assert subject_key("the user") == subject_key("The User")
    assert keys("Ana", "lives in", "Porto") == (3306474922172727500, 930040139659784608, 8045888904187599893)


@given(st.text(), st.text(), st.text())
def test_keys_take_any_words(subject: str, relation: str, obj: str) -> None:
    made = keys(subject, relation, obj)
    assert all(0 <= number < 2**63 for number in made)
    assert made == keys(subject, relation, obj)


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    for kind in ("turn", "note"):
        for one in extract(Memory("1", ("u",), kind, text, role="user")):
            assert one.text
            assert one.subject
            assert one.object
            assert 0 <= one.start <= one.end <= len(text)


WORDS = "I I'm my we live moved from to in Porto sister Rita is the a dog love , . ! ? and but if never 32 on 3 May"


@given(st.lists(st.sampled_from(WORDS.split()), max_size=40).map(" ".join))
def test_words_that_rules_look_for_can_stand_in_any_order(text: str) -> None:
    for one in extract(Memory("1", ("u",), "turn", text, role="user")):
        assert one.text.strip()
        assert keys(one.subject, one.relation, one.object).matter >= 0
