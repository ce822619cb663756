"""What is shown of an ordinary text: most of its words, without its small talk, and nothing turned around."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos.bench.metrics import shows
from mnemos.recall.excerpt import Focus, one_line
from mnemos.recall.gist import Gist


def shown(text: str, query: str = "") -> str:
    return Gist(Focus(query).stems).cut(text)


def test_greetings_and_questions_back_go_first() -> None:
    text = "Thanks, Ben! I booked the ferry to Faial for the ninth of May with my sister Rita. How are you doing?"
    assert (
        shown(text, "When is the ferry?") == "… I booked the ferry to Faial for the ninth of May with my sister Rita. …"
    )


def test_a_short_text_and_a_single_sentence_stay_whole() -> None:
    assert shown("Wow, great! Rita is vegan.") == "Wow, great! Rita is vegan."
    text = "My sister Rita moved to the old house by the river near Porto last spring"
    assert shown(text) == text


def test_what_the_question_asks_for_stays() -> None:
    text = (
        "We painted the door. The code of the gate is seven. Ana cooked soup with leeks and plenty of pepper for all."
    )
    assert "code of the gate" in shown(text, "What is the code of the gate?")


def test_a_clause_that_restricts_stays_with_what_it_restricts() -> None:
    text = "I would love to come along on Friday to the concert by the harbour, but I cannot leave the bakery, you see."
    assert "but I cannot leave the bakery" in shown(text, "concert")


WORDS = st.sampled_from("Rita is vegan , . ! ? \n and because not — 7 Porto thanks so 我 住 。 ; the moved".split(" "))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=400), st.lists(WORDS, max_size=80).map(" ".join)), st.text(max_size=40))
def test_enough_is_shown_of_any_text_in_its_own_words(text: str, query: str) -> None:
    found = shown(text, query)
    assert len(found.splitlines()) <= 1
    assert not text.strip() or shows(found, text) or len(one_line(text)) == len(found) or not found
    for part in found.split("…"):
        assert part.strip() in one_line(text)
