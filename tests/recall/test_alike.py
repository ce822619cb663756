"""Which statements are about one matter: the same but for their object."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemos.recall.alike import LONGEST_OBJECT, Statement, alike
from mnemos.recall.analyze import hash_words

ONE_MATTER = (
    ("The capital of Peru is Lima.", "The capital of Peru is Cusco."),
    ("Rita works at Lusa", "Rita works at Publico"),
    ("I live in Lisbon now.", "I live in Porto."),
    ("I have 3 cats", "I have 4 cats"),
    ("Rita is a citizen of the United States of America.", "Rita is a citizen of South America."),
    ("Rita is married to Tom", "Rita is married to Tim"),
    ("The school where Paulo was taught is Saint Mary", "The school where Paulo was taught is Camoes"),
    ("12. Bo Li plays the position of center.", "88. Bo Li plays the position of point guard."),
    ("Rita's child is Tom", "Rita's child is Pia Lo"),
    ("My rent is 500 euros a month", "My rent is 650 euros a month"),
    ("My favourite colour is blue", "My favourite colour is green"),
    ("The deadline is May 5", "The deadline is May 9"),
    ("Fado Fina was founded by Ana Lopes.", "Fado Fina was founded by Rui Paz."),
    (
        "The name of the current head of the Porto council is A B",
        "The name of the current head of the Porto council is C",
    ),
    ("Rita lives in Porto with her dog", "Rita lives in Faro with her dog"),
    ("Bo Li plays the position of tight end.", "Bo Li plays the position of defensive end."),
    ("Our meeting is on Friday", "Our meeting is on Monday"),
)
DENIED = (
    ("Rita works at Lusa", "Rita does not work at Lusa"),
    ("Rita no longer works at Lusa", "Rita works at Lusa"),
    ("I am vegan", "I am not vegan"),
    ("I've used Flask before", "I've never used Flask before"),
)
OTHER_MATTERS = (
    ("Fado Fina was founded by Ana Lopes", "Casa Azul was founded by Ana Lopes"),
    ("The author of Maresia is Ana", "The author of Sal is Ana"),
    ("The author of Maresia is Ana", "The author of Sal is Rui"),
    ("The type of music that Ana plays is fado", "The type of music that Rui plays is jazz"),
    ("Paulo Reis was born in Faro", "Paulo Reis was raised in Braga"),
    ("Rita is tall", "Rita is a nurse"),
    ("Rita Silva loves pizza", "Rita Costa loves pizza"),
    ("Rita likes pizza", "Paulo likes pizza"),
    ("Tom Reis is a citizen of England", "Tom Reis is famous for The Long Walk"),
    ("Tom Reis is a citizen of England", "Tom Reis died in the city of London"),
    ("She lives in Porto", "She lives in Faro"),
    ("Great idea!", "Great day!"),
    ("My dog likes fish", "My dog is called Bo"),
    ("Rita works in the field of law", "Rita works in the city of Porto"),
    ("On 5 May I ran 5 km", "On 6 May I ran 5 km"),
    ("The director of Lusa is Ana", "The author of Lusa is Ana"),
    ("I went to the shop", "I want to leave"),
    ("Thanks, Rita! That was lovely", "Thanks, Rita! See you soon"),
    ("", "I live in Porto"),
)


@pytest.mark.parametrize(("one", "two"), [*ONE_MATTER, *DENIED])
def test_statements_that_differ_in_their_object_or_in_a_denial_are_one_matter(one: str, two: str) -> None:
    assert alike(one, two)
    assert alike(two, one)


@pytest.mark.parametrize(("one", "two"), OTHER_MATTERS)
def test_statements_of_other_subjects_or_relations_are_not(one: str, two: str) -> None:
    assert not alike(one, two)
    assert not alike(two, one)


def test_a_statement_is_alike_to_itself() -> None:
    assert alike("Rita works at Lusa", "1. Rita now works at Lusa")


def test_what_is_long_holds_more_than_one_matter() -> None:
    long = "Rita works at Lusa " + "with more of it " * 10
    assert not alike(long + "in Porto", long + "in Faro")


@pytest.mark.parametrize(
    ("text", "personal"),
    [("I live in Porto", True), ("My cat is 3", True), ("The father of Ana is Pedro I", False), ("Ana sings", False)],
)
def test_a_personal_statement_speaks_of_who_says_it(text: str, personal: bool) -> None:
    assert Statement.read(text).personal is personal


NAMES = st.sampled_from(("Rita", "Paulo Reis", "the harbour of Velha", "Lusa Inc.", "My dog", "Ana's sister"))
RELATIONS = st.sampled_from(("works at", "was born in", "is married to", "lives in the city of", "was founded by"))
OBJECTS = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=8).map(str.title), min_size=1, max_size=LONGEST_OBJECT
).map(" ".join)


@given(NAMES, RELATIONS, OBJECTS, OBJECTS)
def test_any_two_objects_of_one_subject_and_relation_are_alike(who: str, what: str, one: str, two: str) -> None:
    first, second = f"{who} {what} {one}.", f"{who} {what} {two}."
    assert alike(first, second) == alike(second, first)
    if not set(hash_words(one.lower().split())) & set(hash_words(two.lower().split())):
        assert alike(first, second)


@given(NAMES, NAMES, RELATIONS, RELATIONS, OBJECTS, OBJECTS)
def test_another_subject_or_relation_is_another_matter(a: str, b: str, c: str, d: str, one: str, two: str) -> None:
    if (a, c) != (b, d):
        assert not alike(f"{a} {c} {one}", f"{b} {d} {two}")


@given(st.text(max_size=200), st.text(max_size=200))
def test_nothing_that_can_be_written_breaks_it(one: str, two: str) -> None:
    assert alike(one, two) == alike(two, one)
