"""What counts as filler, as a repeat, as an echo: by examples on either side of each line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from gatetools import NOON, arrival, memory

from mnemos.gate.echoes import Echo
from mnemos.gate.filler import Filler, is_filler
from mnemos.gate.repeats import NearRepeat
from mnemos.quoting import OPENING, own_parts, own_words, quoted
from mnemos.recall import compose
from mnemos.recall.words import passages
from mnemos.records import Memory

FILLER = (
    "Hello there!",
    "Hey Ana! How are you?",
    "Thanks so much, Ben!",
    "Haha, awesome!! 👍",
    "Okay, sounds good. Talk to you later!",
    "You're welcome!",
    "Good morning :)",
    "谢谢！",
    "ありがとうございます。",
    "hahahaha",
)
TELLING = (
    "Hello, I am in Porto.",
    "Thanks for the book about bees.",
    "See you at 6.",
    "Bye, see you on Friday!",
    "Great, I love it.",
    "Hi Rita!",
    "No, not really",
    "I see Rita.",
    "42",
    "ok 7",
)


@pytest.mark.parametrize("text", FILLER)
def test_filler(text: str) -> None:
    assert Filler().judge(arrival(memory(text, speaker="Ben"), before=[memory("Fine.", speaker="Ana")])) is not None


@pytest.mark.parametrize("text", TELLING)
def test_whatever_tells_something_is_no_filler(text: str) -> None:
    assert Filler().judge(arrival(memory(text, speaker="Ben"), before=[memory("Fine.", speaker="Ana")])) is None


@pytest.mark.parametrize("text", ["Yes!", "Sure, sounds good", "ok", "No doubt", "👍"])
def test_what_may_be_an_answer_stays_after_a_question(text: str) -> None:
    asked = [memory("Do you have a dog?", speaker="Ana")]
    assert Filler().judge(arrival(memory(text, speaker="Ben"), before=asked)) is None
    assert Filler().judge(arrival(memory(text, speaker="Ben"))) is not None


def test_notes_are_never_filler() -> None:
    assert Filler().judge(arrival(memory("Hello!", kind="note"))) is None


def test_filler_is_linear_in_hostile_text() -> None:
    assert not is_filler("ha" * 5_000 + "!" + "so " * 5_000 + "x")


SAID = "My sister Rita has been vegan for two years."
SAME = (
    SAID,
    "my sister Rita has been vegan for two years",
    "Well, my sister Rita has been really vegan for two years...",
    "My  sister Rita\nhas been vegan for two years!",
)
OTHER = (
    "My sister Rita has been vegan for 2 years.",
    "My sister Rita has been vegan for three years.",
    "My sister Rita has not been vegan for two years.",
    "My sister Ana has been vegan for two years.",
    "My sister Rita was vegan for two years.",
    "Has my sister Rita been vegan for two years?",
    "My sister Rita has been vegan for two years?",
    "My sister Rita has been vegan for two years 😢",
)


@pytest.mark.parametrize("text", SAME)
def test_a_repeat_differs_in_nothing_that_means_something(text: str) -> None:
    verdict = NearRepeat().judge(arrival(memory(text), memory(SAID, id="first")))
    assert verdict is not None
    assert (verdict.why, verdict.other, verdict.rests, verdict.strengthens) == ("repeat", 1, True, True)


@pytest.mark.parametrize("text", OTHER)
def test_a_changed_number_name_tense_or_negation_is_something_else(text: str) -> None:
    assert NearRepeat().judge(arrival(memory(text), memory(SAID))) is None


@pytest.mark.parametrize("given", [{"speaker": "Ben"}, {"role": "assistant"}, {"kind": "note"}, {"agent_id": "b"}])
def test_the_same_words_of_another_are_no_repeat(given: dict[str, str]) -> None:
    assert NearRepeat().judge(arrival(memory(SAID, **given), memory(SAID))) is None


@pytest.mark.parametrize(
    ("given", "rests"),
    [
        ({"happened_at": NOON + timedelta(hours=2), "session_id": "s"}, True),
        ({"happened_at": NOON + timedelta(days=1), "session_id": "s"}, False),
        ({"happened_at": NOON + timedelta(hours=2), "session_id": "t"}, False),
        ({"happened_at": NOON + timedelta(seconds=20), "session_id": "t"}, True),
        ({"session_id": "t"}, False),
        ({"session_id": "s"}, True),
    ],
)
def test_said_once_more_elsewhere_or_another_day_it_stays(given: dict[str, object], rests: bool) -> None:
    verdict = NearRepeat().judge(arrival(memory(SAID, **given), memory(SAID, happened_at=NOON, session_id="s")))
    assert verdict is not None
    assert (verdict.rests, verdict.strengthens) == (rests, True)


def test_a_short_text_is_a_repeat_only_where_it_was_sent_twice() -> None:
    first, new = memory("I did.", id="1"), memory("I did!", id="2")
    assert NearRepeat().judge(arrival(new, first)) is None
    assert NearRepeat().judge(arrival(new, first, before=[first])) is not None


def test_signs_that_are_no_words_count() -> None:
    for one, other in (
        ("I now write C++ most of the time", "I now write C# most of the time"),
        ("we owe them $5 still", "we owe them €5 still"),
        ("it was -5 in the room", "it was 5 in the room"),
    ):
        assert NearRepeat().judge(arrival(memory(one), memory(other))) is None


def test_what_was_just_recalled_is_an_echo_in_anothers_mouth() -> None:
    used = memory(SAID, role="user", last_used_at=NOON)
    said = arrival(memory(SAID, role="assistant", created_at=NOON + timedelta(minutes=1)), used)
    assert Echo().judge(said) is not None
    late = arrival(memory(SAID, role="assistant", created_at=NOON + timedelta(days=2)), used)
    assert Echo().judge(late) is None
    own = arrival(memory(SAID, role="user", created_at=NOON + timedelta(minutes=1)), used)
    assert Echo().judge(own) is None
    unused = arrival(memory(SAID, role="assistant", created_at=NOON), memory(SAID, role="user"))
    assert Echo().judge(unused) is None


LINES = (
    "[2026-03-02]",
    "Ana: My sister Rita is vegan. [1]",
    "Ben: No cheese [on Sunday]. [2, 3]",
    "[undated]",
    "A note. [4]",
)
BLOCK = "\n".join((OPENING, *LINES))


def test_a_context_is_known_by_its_form() -> None:
    assert compose.OPENING == OPENING
    text = f"Use this:\n{BLOCK}\n\nWhat can I cook for [her]?\nOr [him]"
    ((start, end),) = quoted(text)
    assert text[start:end] == BLOCK + "\n"
    assert [text[a:b] for a, b in own_parts(text)] == ["Use this:", "What can I cook for [her]?\nOr [him]"]
    assert own_words(memory(text)).text == "Use this:\nWhat can I cook for [her]?\nOr [him]"
    assert own_parts(BLOCK) == []
    twice = f"{BLOCK}\nand\n{BLOCK}"
    assert [twice[a:b] for a, b in own_parts(twice)] == ["and"]


def test_what_is_quoted_is_in_no_passage() -> None:
    text = f"Before it.\n{BLOCK}\n\n{'A long tail of words follows. ' * 100}"
    spans = passages(text)
    assert text[slice(*spans[0])] == "Before it."
    assert not any("vegan" in text[start:end] for start, end in spans)
    assert len(spans) > 2
    assert passages(BLOCK) == [(0, len(BLOCK))]
    plain = "Nothing is quoted here."
    assert passages(plain) == [(0, len(plain))]


def test_a_memory_without_quotes_is_itself() -> None:
    plain: Memory = memory(SAID)
    assert own_words(plain) is plain
