"""What is current ranks above what it replaced; a question about an earlier time keeps its order."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from mnemos import Mnemos
from mnemos.recall.currency import Candidate, Question, lifts
from mnemos.recall.tense import Tense, tense
from mnemos.recall.values import is_changed, kinds_asked, sentences, values
from mnemos.stages import Stage
from mnemos.store.reading import Said

DAY = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Where does Rita live?", Tense.VALUE),
        ("How many cats do I have?", Tense.VALUE),
        ("What's my budget?", Tense.VALUE),
        ("When is my appointment?", Tense.VALUE),
        ("Have I ever used Flask before?", Tense.WHETHER),
        ("Is my sister vegan?", Tense.WHETHER),
        ("Where did Rita use to live?", Tense.OPEN),
        ("Where did I live before?", Tense.THEN),
        ("Where did Rita live in 2019?", Tense.THEN),
        ("What was my original budget?", Tense.THEN),
        ("Where did I work five years ago?", Tense.THEN),
        ("Who first taught me to swim, back when I was small?", Tense.THEN),
        ("Which sport is first base associated with?", Tense.VALUE),
        ("What is the original language of Maresia?", Tense.VALUE),
        ("What did we talk about?", Tense.OPEN),
        ("Can you recommend a film that is good?", Tense.OPEN),
    ],
)
def test_a_question_says_which_time_it_asks_about(question: str, asked: Tense) -> None:
    assert tense(question) is asked


def test_values_are_read_by_kind() -> None:
    said = "The rent was raised to $1,250 on May 3, 12% more than for 24 months before."
    assert values(said, ["money"]) == {"$1,250"}
    assert values(said, ["date"]) == {"may3"}
    assert values(said, ["share"]) == {"12%"}
    assert values(said, ["span"]) == {"24months"}
    assert is_changed(said, ["money"])
    assert not is_changed("It is 24 months.", ["span"])
    assert kinds_asked("How much is my rent?") == ("money", "count")
    assert kinds_asked("Who is Rita?") == ()
    assert sentences("One.  Two!\nThree. four") == ["One.", "Two!", "Three.", "four"]
    assert sentences("The head of Lusa Inc. is Rui.") == ["The head of Lusa Inc. is Rui."]
    assert values("It was rescheduled.", ["date"]) == {"rescheduled"}


def told(memory: Mnemos, *texts: str, days: bool = True, name: str = "Rita") -> None:
    for at, text in enumerate(texts):
        when = DAY + timedelta(days=at) if days else None
        memory.add(text, name=name, role="user", user_id="ana", happened_at=when, session_id=f"s{at}")


@pytest.mark.parametrize("days", [True, False])
def test_the_newest_of_one_matter_is_first(memory: Mnemos, days: bool) -> None:
    told(
        memory,
        "The capital of Maresia is Velha.",
        "The capital of Brumosa is Alta.",
        "The capital of Maresia is Nova.",
        "The river of Maresia is the Lima.",
        days=days,
    )
    first, second, *_ = memory.search("What is the capital of Maresia?", user_id="ana", limit=5)
    assert (first.memory.text, second.memory.text) == (
        "The capital of Maresia is Nova.",
        "The capital of Maresia is Velha.",
    )
    assert first.score > second.score
    assert all(hit.score == pytest.approx(_logistic(sum(hit.why.values()))) for hit in (first, second))


def test_an_older_statement_that_comes_later_is_not_current(memory: Mnemos) -> None:
    for text, year in (("I live in Porto.", 2025), ("I live in Faro.", 2019)):
        memory.add(text, name="Rita", happened_at=datetime(year, 5, 1, tzinfo=UTC))
    assert memory.search("Where does Rita live?", limit=2)[0].memory.text == "I live in Porto."


def test_a_question_about_then_keeps_its_order(memory: Mnemos) -> None:
    told(memory, "I live in Lisbon.", "I live in Porto.")
    now = memory.search("Where do I live?", user_id="ana")
    then = memory.search("Where did I live in March 2026, and before that?", user_id="ana")
    assert now[0].memory.text == "I live in Porto."
    assert all("currency" not in hit.why for hit in then)


def test_as_of_ends_the_window(memory: Mnemos) -> None:
    told(memory, "I live in Lisbon.", "I live in Porto.", "I live in Faro.")
    hits = memory.search("Where do I live?", user_id="ana", as_of=DAY + timedelta(days=1, hours=1))
    assert [hit.memory.text for hit in hits] == ["I live in Porto.", "I live in Lisbon."]


def test_what_one_says_of_oneself_does_not_replace_what_another_says(memory: Mnemos) -> None:
    told(memory, "I live in Lisbon these days.", name="Rita")
    before = [hit.memory.text for hit in memory.search("Where does Rita live?", user_id="ana")]
    memory.add("I live in Braga these days.", name="Paulo", user_id="ana", happened_at=DAY + timedelta(days=9))
    assert memory.search("Where does Rita live?", user_id="ana")[0].memory.text == before[0]


def test_in_long_messages_the_newer_value_is_first(memory: Mnemos) -> None:
    told(
        memory,
        "Let me plan the library app: I'm tracking test coverage of the API module, which stands at 65% after the "
        "first run, so help me write more unit tests for the API module and its coverage.",
        "Here is how the login page looks now. Can you tidy it up a bit for me?",
        "I'm adding error tests, since coverage of the API module has recently improved to 78%, and want more.",
    )
    first, second, *_ = memory.search("What is the test coverage of my API module?", user_id="ana", limit=3)
    assert "78%" in first.memory.text
    assert "65%" in second.memory.text


def test_where_the_question_asks_whether_the_newer_of_two_that_disagree_is_first() -> None:
    question = Question("Have I ever used Excel for my expenses?", Tense.WHETHER, _weights("excel expenses used"))
    uses, never = "I use Excel for my expenses.", "I have never used Excel for my expenses."
    best = [Candidate(Said(text, "Ana", "user", None), at, 1.0 - at, 1.0) for at, text in enumerate([uses, never])]
    assert lifts(question, best)[1] == pytest.approx(1 + 1e-3)
    current = [one._replace(place=-one.place) for one in best]
    assert not lifts(question, current).any()
    others = [best[0], best[1]._replace(said=Said(never, "Rui", "user", None))]
    assert not lifts(question, others).any()


def test_what_the_store_knows_to_be_superseded_ranks_below() -> None:
    best = [Candidate(None, at, 2.0 - at, 0.0) for at in range(3)]
    raised = lifts(Question("Where is it?", Tense.VALUE, {}), best, [(2, 0)])
    assert raised[2] == pytest.approx(2.0 + 1e-3)
    assert not raised[:2].any()


def test_pages_agree_with_one_long_page(path: object) -> None:
    stages: list[Stage] = []
    with Mnemos(path, stages=stages) as memory:  # type: ignore[arg-type]
        told(memory, *(f"The harbour of town {n % 7} is number {n}." for n in range(40)))
        whole = memory.search("What is the harbour of town 3?", user_id="ana", limit=40)
        parts = [
            memory.search("What is the harbour of town 3?", user_id="ana", limit=10, offset=at) for at in (0, 10, 20)
        ]
    assert [hit.memory.id for part in parts for hit in part] == [hit.memory.id for hit in whole[:30]]
    assert [hit.score for hit in whole] == sorted((hit.score for hit in whole), reverse=True)


def _weights(words: str) -> dict[int, float]:
    from mnemos.recall.analyze import hash_words

    return dict.fromkeys(hash_words(words.split()), 1.0)


def _logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
