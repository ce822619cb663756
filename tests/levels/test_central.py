"""Sentences that stand for a whole: prose, in the speakers' words, no two alike."""

from __future__ import annotations

import numpy as np
import pytest

from mnemos.levels.central import Voice, central, pick
from mnemos.levels.keywords import keywords
from mnemos.levels.sentences import content, sentences, shortened
from mnemos.levels.telling import EVENT, telling
from mnemos.levels.vectors import embed, rarity, topics


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I saw Dr. Reid on Monday. He was kind to me!", ["I saw Dr. Reid on Monday.", "He was kind to me!"]),
        ("It costs £3.50 at the market", ["It costs £3.50 at the market"]),
        ("- bread and butter\n- strong black tea", ["bread and butter", "strong black tea"]),
        ("Look:\n```sql\nselect 1;\n```\nThat is the whole query.", ["Look:", "That is the whole query."]),
        ("| week | miles |\n|---|---|\n| 1 | 8 |\nRun slowly on Sundays.", ["Run slowly on Sundays."]),
        ("WE GOT IT. There were three other bids.", ["WE GOT IT. There were three other bids."]),
        ("See [the vet's page](https://a.example/b) for opening hours", ["See the vet's page for opening hours"]),
        ("今天下雨了。我们在家里看书。", ["今天下雨了。", "我们在家里看书。"]),
        ("1234 5678", []),
    ],
)
def test_sentences(text: str, found: list[str]) -> None:
    assert sentences(text) == found


def test_a_long_sentence_ends_at_a_clause() -> None:
    long = "We went to the market, where we bought apples, " + "and then a great many other things " * 9
    short = shortened(long, 60)
    assert short.endswith(" …")
    assert long.startswith(short.removesuffix(" …"))
    assert len(short) <= 62


def test_the_most_central_are_chosen_and_no_two_alike() -> None:
    rows = np.array([[1, 0, 0], [0.99, 0.14, 0], [0.6, 0.8, 0], [0, 0, 1]], np.float32)
    first, second = pick(rows, np.ones(4, np.float32), 2)
    assert {first, second} != {0, 1}
    assert 3 not in (first, second)


def test_what_people_say_comes_before_what_an_assistant_says() -> None:
    voices = [
        Voice("My greyhound is afraid of skateboards in the park.", "Ana"),
        Voice("Greyhounds are often afraid of skateboards in the park.", "assistant", own=False),
    ]
    assert [line.speaker for line in central(voices, embed, 1)] == ["Ana"]


def test_the_sentence_that_tells_an_event_is_among_them() -> None:
    voices = [
        Voice("The roundabout near the station has four exits and two lanes on each side.", "Ana"),
        Voice("The second exit of the roundabout leads to the station.", "Ana"),
        Voice("I PASSED MY DRIVING TEST this morning!!", "Ana"),
    ]
    assert "I PASSED MY DRIVING TEST this morning!!" in [line.text for line in central(voices, embed, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "We moved to Porto on Friday.",
        "Kasia got ENGAGED.",
        "I left my phone on the train yesterday.",
        "I passed!! At last.",
    ],
)
def test_events_tell(text: str) -> None:
    assert telling(text) >= EVENT


@pytest.mark.parametrize(
    "text",
    [
        "Can you move this line down?",
        "maybe we should get married",
        "The sky is blue today",
        "ok thanks",
        "df.moved_at = 1",
    ],
)
def test_questions_wishes_and_code_do_not(text: str) -> None:
    assert telling(text) < EVENT


def test_keywords_are_shared_and_rare() -> None:
    texts = ["The greyhound sleeps on the sofa", "Our greyhound ran in the park", "I fed the greyhounds at seven"]
    assert keywords(texts, rarity, 1) == ["greyhound"]
    assert keywords(["one thing", "another matter"], rarity) == []


def test_vectors_of_topics_leave_common_words_out() -> None:
    same = topics(["greyhound sofa", "and then the greyhound was on a sofa again"])
    assert float(same[0] @ same[1]) == pytest.approx(1.0, abs=1e-3)
    assert topics([]).shape[0] == 0
    assert not topics(["and then it was"]).any()


def test_content_words_are_folded() -> None:
    assert content("The Café was FULL of tourists") == ["cafe", "tourists"]
