"""A context keeps its budget, cites what it shows, stands in reading order and says nothing twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos.embed.static import StaticEmbedder
from mnemos.recall.compose import FLOOR, OPENING, compose
from mnemos.recall.excerpt import Focus, one_line, word_list
from mnemos.store.candidates import Candidate
from mnemos.times import to_micros

START = datetime(2026, 3, 2, 18, 40, tzinfo=UTC)


def count(text: str) -> int:
    return StaticEmbedder.bundled().count(text)


def by_words(text: str) -> int:
    return len(text.split())


def hit(number: int, text: str, score: float = 0.5, **more: Any) -> Candidate:
    plain = Candidate(
        num=number,
        id=f"m{number:03d}",
        seq=number,
        kind="turn",
        text=text,
        speaker="Ana",
        role=None,
        session_id="s1",
        happened_at=to_micros(START + timedelta(minutes=number)),
        created_at=to_micros(START),
        invalid_at=None,
        score=score,
    )
    times = {name: value and to_micros(value) for name, value in more.items() if name.endswith("_at")}
    return plain._replace(**(more | times))


def test_a_context_is_dated_cited_and_in_reading_order() -> None:
    hits = [
        hit(2, "Then no cheese on Sunday.", 0.6, speaker="Ben"),
        hit(9, "I bought tofu.", 0.3, session_id="s2", happened_at=START + timedelta(days=3)),
        hit(1, "My sister Rita is vegan.", 0.9),
    ]
    context = compose("what can Rita eat?", hits, budget=200, count_tokens=count)
    assert str(context) == (
        f"{OPENING}\n"
        "[2026-03-02]\n"
        "Ana: My sister Rita is vegan. [1]\n"
        "Ben: Then no cheese on Sunday. [2]\n"
        "[2026-03-05]\n"
        "Ana: I bought tofu. [3]"
    )
    assert [item.memory_ids for item in context.items] == [("m001",), ("m002",), ("m009",)]
    assert context.items[1].speaker == "Ben"
    assert context.tokens == count(str(context))


def test_an_unknown_date_is_not_invented() -> None:
    context = compose("tofu", [hit(1, "I bought tofu.", happened_at=None)], budget=100, count_tokens=count)
    assert "[undated]" in str(context)
    assert "2026" not in str(context)


def test_reading_order_holds_within_a_session() -> None:
    hits = [hit(1, "The first of two.", seq=9), hit(2, "And after it another.", seq=4)]
    context = compose("two", hits, budget=100, count_tokens=count)
    assert [item.memory_ids[0] for item in context.items] == ["m002", "m001"]


@pytest.mark.parametrize(
    ("hits", "budget", "threshold"),
    [
        ([], 1000, 0.0),
        ([hit(1, "My sister Rita is vegan.", 0.4)], 1000, 0.5),
        ([hit(1, "My sister Rita is vegan.", FLOOR / 2)], 1000, 0.0),
        ([hit(1, "My sister Rita is vegan.", 0.9)], 12, 0.0),
        ([hit(1, " \n\t ", 0.9)], 1000, 0.0),
    ],
    ids=["no hits", "below the threshold", "below the floor", "no room", "nothing to show"],
)
def test_nothing_known_is_an_empty_context(hits: list[Candidate], budget: int, threshold: float) -> None:
    context = compose("what can Rita eat?", hits, budget=budget, count_tokens=count, threshold=threshold)
    assert not context
    assert (str(context), context.tokens, context.items) == ("", 0, ())


def test_the_threshold_is_for_the_best_hit() -> None:
    hits = [hit(1, "My sister Rita is vegan.", 0.6), hit(2, "We had soup on Sunday.", 0.2)]
    context = compose("what can Rita eat?", hits, budget=200, count_tokens=count, threshold=0.5)
    assert len(context.items) == 2


def test_repeats_are_shown_once_and_name_each_other() -> None:
    text = "My sister Rita is vegan and lives in Porto."
    hits = [hit(1, text, 0.9), hit(2, text.upper(), 0.8), hit(3, text, 0.7), hit(4, text, 0.6)]
    context = compose("Rita", hits, budget=500, count_tokens=count)
    assert [item.memory_ids for item in context.items] == [("m001", "m002", "m003")]


def test_a_longer_text_takes_the_place_of_what_it_repeats() -> None:
    short = "My sister Rita is vegan and lives in Porto."
    hits = [hit(1, short, 0.9), hit(2, f"{short} She moved there in May to study medicine.", 0.5)]
    context = compose("Rita", hits, budget=500, count_tokens=count)
    assert [item.memory_ids for item in context.items] == [("m002", "m001")]


def test_a_part_of_what_is_shown_is_not_shown_again() -> None:
    long = "My sister Rita is vegan and lives in Porto. She moved there in May to study medicine."
    hits = [hit(1, long, 0.9), hit(2, "She moved there in May", 0.2)]
    context = compose("Rita", hits, budget=500, count_tokens=count)
    assert [item.memory_ids for item in context.items] == [("m001", "m002")]


def test_long_texts_are_cut_to_what_the_question_asks_about() -> None:
    def text(number: int) -> str:
        filler = [f"Item {number}x{n} bears mark {number * n} in book {number}a{n}." for n in range(60)]
        return " ".join([*filler[:30], f"Rita has allergy number {number} to walnuts.", *filler[30:]])

    hits = [hit(number, text(number), 0.9 - number / 100) for number in range(20)]
    context = compose("Which allergy does Rita have?", hits, budget=1000, count_tokens=count)
    assert len(context.items) >= 3
    for item in context.items:
        assert re.search(r"allergy number \d+ to walnuts", item.text)
        assert item.text.startswith("… ")
        assert item.text.endswith(" …")
        assert 60 <= len(word_list(item.text)) <= 140


def test_a_small_budget_still_shows_something_of_a_long_text() -> None:
    text = "Ana spoke of many things. " * 200 + "The code of the door is 4711. " + "And of others. " * 200
    context = compose("What is the code of the door?", [hit(1, text)], budget=60, count_tokens=count)
    assert "4711" in str(context)
    assert context.tokens <= 60


def test_the_best_hit_is_shown_before_shorter_ones() -> None:
    best = "Rita came by with bread, soup, olives and a cake, and said that walnuts make her throat swell, as in 1998."
    hits = [hit(1, best, 0.3), *(hit(number, f"Rita has hat number {number}.", 0.25) for number in range(2, 9))]
    context = compose("Which allergy does Rita have?", hits, budget=60, count_tokens=count)
    assert "walnuts" in str(context)


def test_what_is_cut_comes_back_where_there_is_room() -> None:
    def text(town: str) -> str:
        return f"Thanks, Ben! I booked the ferry to {town} for the ninth of May with my sister Rita. How are you doing?"

    hits = [hit(number, text(town)) for number, town in enumerate(["Faial", "Pico", "Flores", "Corvo", "Porto"])]
    whole = compose("When is the ferry?", hits, budget=500, count_tokens=count)
    assert {item.text for item in whole.items} == {one.text for one in hits}
    short = compose("When is the ferry?", hits, budget=150, count_tokens=count)
    assert all(item.text.startswith("… I booked") or item.text.startswith("Thanks") for item in short.items)
    assert any(item.text.startswith("… I booked") and item.text.endswith("Rita. …") for item in short.items)


def test_what_no_longer_holds_says_until_when_it_did() -> None:
    past = hit(1, "Rita lives in Porto.", kind="fact", speaker=None, invalid_at=START + timedelta(days=30))
    context = compose("Where does Rita live?", [past], budget=100, count_tokens=count)
    assert str(context).endswith("fact: Rita lives in Porto. (until 2026-04-01) [1]")


def test_what_was_derived_names_its_sources() -> None:
    fact = hit(1, "Rita is vegan.", kind="fact", speaker=None, sources=("t1", "t2", "t3"))
    context = compose("Rita", [fact], budget=100, count_tokens=count)
    assert context.items[0].memory_ids == ("m001", "t1", "t2")
    assert str(context).endswith("fact: Rita is vegan. [1]")


def test_best_passage_is_where_the_excerpt_comes_from() -> None:
    text = "One tea please. " * 300 + "Two teas please. " * 100 + "One tea please. " * 300
    start = text.index("Two")
    assert "Two teas" in Focus("tea").cut(text, 40, (start, start + 800))


def test_tokens_are_exact_for_a_hundred_items_and_more() -> None:
    hits = [
        hit(number, f"Note {number * 7919} says {number * 104729}.", session_id=str(number)) for number in range(180)
    ]
    context = compose("Which note?", hits, budget=6000, count_tokens=StaticEmbedder.bundled().count)
    assert len(context.items) > 100
    assert context.tokens == count(str(context)) <= 6000


@given(st.text(max_size=3000), st.text(max_size=60), st.integers(8, 120))
def test_an_excerpt_is_a_piece_of_the_text_in_one_line(text: str, query: str, words: int) -> None:
    shown = Focus(query).cut(text, words)
    assert len(shown.splitlines()) <= 1
    assert shown.removeprefix("… ").removesuffix(" …") in one_line(text) or not shown
    assert len(shown) <= 14 * words + 4


PHRASES = "Rita is vegan she moved to Porto in May . ! \n 我 住 在 北京 [3]".split(" ")
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(PHRASES), max_size=150).map(" ".join),
    st.sampled_from(["Next.", "I like tea.", "我的妹妹住在北京。" * 30, "x" * 5000, "🙂" * 900, "word " * 700]),
)
HITS = st.lists(
    st.builds(
        lambda number, text, score, session, day: hit(
            number,
            text,
            score,
            session_id=session,
            happened_at=None if day is None else START + timedelta(days=day),
        ),
        st.integers(0, 999),
        TEXTS,
        st.floats(0, 1),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([None, 0, 1, 400]),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)


@settings(max_examples=200, deadline=None)
@given(HITS, st.integers(1, 400), st.sampled_from([count, by_words, len, StaticEmbedder.bundled().count]))
def test_budget_citations_and_order_hold_for_any_hits(hits: list[Candidate], budget: int, counter: object) -> None:
    assert callable(counter)
    context = compose("Where does Rita live?", hits, budget=budget, count_tokens=counter)
    assert counter(str(context)) <= budget
    assert context.tokens == (counter(str(context)) if context else 0)
    lines = str(context).split("\n") if context else []
    told = [line for line in lines[1:] if not re.fullmatch(r"\[(?:\d{4}-\d\d-\d\d|undated)\]", line)]
    assert len(told) == len(context.items)
    known = {one.id: one for one in hits}
    cited: list[str] = []
    for number, (line, item) in enumerate(zip(told, context.items, strict=True), 1):
        assert line.endswith(f"{item.text} [{number}]")
        assert 1 <= len(item.memory_ids) <= 3
        assert set(item.memory_ids) <= set(known)
        assert known[item.memory_ids[0]].happened_at == (item.happened_at and to_micros(item.happened_at))
        cited += item.memory_ids
    assert len(cited) == len(set(cited))
    shown = [" ".join(word_list(item.text)) or item.text for item in context.items]
    assert len(shown) == len(set(shown))
    places: dict[tuple[str | None, object], list[str]] = {}
    for item in context.items:
        first = known[item.memory_ids[0]]
        places.setdefault((first.session_id, first.happened_at), []).append(first.id)
    assert all(ids == sorted(ids) for ids in places.values())
