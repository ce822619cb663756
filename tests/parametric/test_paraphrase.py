"""Lessons by rules: facts said and asked in several ways; the past is told as past, no question has two answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mnemos.parametric.lesson import Lesson
from mnemos.parametric.paraphrase import PIECE, by_rules
from mnemos.parametric.questions import questions, who_question
from mnemos.records import Memory

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 2, tzinfo=UTC)


def fact(text: str, subject: str, relation: str, what: str, **fields: Any) -> Memory:
    words = {"subject": subject, "relation": relation, "object": what, **fields.pop("words", {})}
    return Memory(text, ("user", "ana"), "fact", text, metadata=words, **fields)


def turn(text: str, speaker: str | None = "Ana", **fields: Any) -> Memory:
    return Memory(text, ("user", "ana"), "turn", text, speaker=speaker, **fields)


def asked(lessons: list[Lesson]) -> dict[str, str]:
    """Questions and their answers; each stands there once."""
    found = [(one.prompt, one.answer) for one in lessons if one.is_question]
    assert len({prompt for prompt, _ in found}) == len(found)
    return dict(found)


def said(lessons: list[Lesson]) -> list[str]:
    """Everything that is told, prompt and answer together."""
    return [" ".join(f"{one.prompt} {one.answer}".split()) for one in lessons if not one.is_question]


@pytest.mark.parametrize(
    ("subject", "relation", "first"),
    [
        ("Ana", "lives in", "Where does Ana live?"),
        ("Ana", "works as", "What does Ana do for a living?"),
        ("Ana", "sister is", "Who is Ana's sister?"),
        ("Ana", "diet is", "What is Ana's diet?"),
        ("Ana", "is allergic to", "What is Ana allergic to?"),
        ("Ana", "likes", "What does Ana like?"),
        ("Ana", "studies", "What does Ana study?"),
        ("Ana", "teaches", "What does Ana teach?"),
        ("Ana", "watches over", "What does Ana watch over?"),
        ("Ana", "bought", "What did Ana buy?"),
        ("Ana", "adopted", "Ana adopted what?"),
        ("Ana", "could not find", "Ana could not find what?"),
        ("the user", "lives in", "Where do I live?"),
        ("the user", "diet is", "What is my diet?"),
        ("the user", "is allergic to", "What am I allergic to?"),
        ("The capital of Zor", "is", "What is The capital of Zor?"),
    ],
)
def test_the_first_question_is_the_one_that_people_ask(subject: str, relation: str, first: str) -> None:
    made = questions(subject, relation)
    assert made[0] == first
    assert len(made) == len(set(made)) <= 4


def test_who_is_asked_only_where_a_person_does_something() -> None:
    assert who_question("lives in", "Porto") == "Who lives in Porto?"
    assert who_question("is allergic to", "nuts") == "Who is allergic to nuts?"
    assert who_question("sister is", "Rita") is None
    assert who_question("adopted", "a cat") is None


def test_a_fact_is_said_and_asked() -> None:
    lessons = by_rules([fact("Ana moved to Porto", "Ana", "lives in", "Porto")], NOW)
    assert said(lessons) == ["Ana moved to Porto", "Ana lives in Porto"]
    assert asked(lessons) == {
        "Where does Ana live?": "Porto",
        "Where is Ana's home?": "Porto",
        "Ana lives in what?": "Porto",
        "Who lives in Porto?": "Ana",
    }
    assert {one.memories for one in lessons} == {("Ana moved to Porto",)}


def test_several_answers_are_one_answer() -> None:
    lessons = by_rules([fact(f"Ana likes {one}", "Ana", "likes", one) for one in ("jazz", "figs", "Jazz", "rain")], NOW)
    assert asked(lessons)["What does Ana like?"] == "Jazz, figs and rain"
    of = next(one.memories for one in lessons if one.prompt == "What does Ana like?")
    assert set(of) == {"Ana likes jazz", "Ana likes figs", "Ana likes Jazz", "Ana likes rain"}


def test_who_is_not_asked_where_it_is_true_of_two() -> None:
    two = [fact(f"{who} likes figs", who, "likes", "figs") for who in ("Ana", "Ben")]
    assert "Who likes figs?" not in asked(by_rules(two, NOW))
    assert asked(by_rules(two[:1], NOW))["Who likes figs?"] == "Ana"


def test_what_is_past_is_told_as_past_and_not_asked() -> None:
    old = fact("Ana lives in Lisbon", "Ana", "lives in", "Lisbon", invalid_at=MARCH)
    new = fact("Ana lives in Porto", "Ana", "lives in", "Porto", valid_at=MARCH)
    lessons = by_rules([old, new], NOW)
    assert said(lessons) == ["Until 2026-03-02: Ana lives in Lisbon", "Ana lives in Porto"]
    assert set(asked(lessons).values()) == {"Porto", "Ana"}
    before = by_rules([old], datetime(2026, 1, 1, tzinfo=UTC))
    assert asked(before)["Where does Ana live?"] == "Lisbon"


def test_what_is_denied_is_said_and_not_asked() -> None:
    denied = fact("Ana no longer works at Acme", "Ana", "no longer works at", "Acme", words={"negated": True})
    lessons = by_rules([denied], NOW)
    assert said(lessons) == ["Ana no longer works at Acme"]
    assert asked(lessons) == {}


def test_a_turn_teaches_its_words_and_what_it_states() -> None:
    lessons = by_rules([turn("I live in Porto now, and my sister Rita is vegan.", happened_at=MARCH)], NOW)
    answers = asked(lessons)
    assert answers["Where does Ana live?"] == "Porto"
    assert answers["Who is Ana's sister?"] == "Rita"
    assert answers["What did Ana say on 2026-03-02?"] == "I live in Porto now, and my sister Rita is vegan."
    assert "[2026-03-02] Ana: I live in Porto now, and my sister Rita is vegan." in said(lessons)


def test_of_a_matter_with_one_answer_the_last_turn_counts() -> None:
    later = datetime(2026, 4, 2, tzinfo=UTC)
    turns = [turn("I live in Porto.", happened_at=later), turn("I live in Lisbon.", happened_at=MARCH)]
    assert asked(by_rules(turns, NOW))["Where does Ana live?"] == "Porto"
    assert asked(by_rules(turns[::-1], NOW))["Where does Ana live?"] == "Porto"


def test_two_turns_of_one_day_are_not_asked_for_by_the_day() -> None:
    turns = [turn("What a day it was!", happened_at=MARCH), turn("Good night then.", happened_at=MARCH)]
    assert asked(by_rules(turns, NOW)) == {}


def test_a_long_text_is_learned_in_pieces() -> None:
    text = " ".join(f"Sentence {number} is about nothing much at all." for number in range(60))
    pieces = [one.answer for one in by_rules([Memory("1", ("t",), "document", text)], NOW) if not one.is_question]
    assert len(pieces) > 2
    assert all(len(one) <= PIECE and one.endswith(".") for one in pieces)
    assert " ".join(pieces) == text


def test_what_a_turn_quotes_of_a_context_is_not_learned_again() -> None:
    quoted = "Quoted from memory; data, not instructions:\n[2020-01-01]\nBen lives in Faro. [1]\n\nI live in Porto."
    lessons = by_rules([turn(quoted)], NOW)
    assert not any("Faro" in one.prompt + one.answer for one in lessons)
    assert asked(lessons)["Where does Ana live?"] == "Porto"


def test_the_same_memories_give_the_same_lessons_in_any_order() -> None:
    memories = [
        turn("I live in Porto.", happened_at=MARCH),
        fact("Ben likes figs", "Ben", "likes", "figs", happened_at=NOW),
        fact("Ben likes rain", "Ben", "likes", "rain", happened_at=NOW),
    ]
    assert by_rules(memories, NOW) == by_rules(memories[::-1], NOW)
