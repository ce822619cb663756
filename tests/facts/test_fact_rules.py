"""What the rules read, and what they leave alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mnemos.facts.extract import extract
from mnemos.facts.statement import Statement
from mnemos.records import Memory

FRIDAY = datetime(2025, 5, 16, 18, 30, tzinfo=UTC)


def said(text: str, speaker: str | None = "Ana", role: str | None = "user", **more: object) -> Memory:
    given = {"happened_at": FRIDAY, **more}
    return Memory("1", ("user", "ana"), "turn", text, speaker=speaker, role=role, **given)  # type: ignore[arg-type]


def texts(text: str, **more: object) -> list[str]:
    return [one.text for one in extract(said(text, **more))]  # type: ignore[arg-type]


def only(text: str, **more: object) -> Statement:
    (one,) = extract(said(text, **more))  # type: ignore[arg-type]
    return one


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("I live in Porto.", "Ana lives in Porto"),
        ("i'm living in Porto now, near the river", "Ana lives in Porto"),
        ("I moved from Porto to Lisbon last week!", "Ana moved to Lisbon between 4 and 11 May 2025"),
        ("I've moved to Lisbon.", "Ana moved to Lisbon"),
        ("I'm originally from Braga, by the way.", "Ana comes from Braga"),
        ("I work at Lumen Optics.", "Ana works at Lumen Optics"),
        ("I'm a nurse in a small clinic", "Ana is a nurse"),
        ("I quit my job at Lumen Optics.", "Ana no longer works at Lumen Optics"),
        ("I was promoted to head nurse yesterday.", "Ana was promoted to head nurse since 15 May 2025"),
        ("My sister Rita came by.", "Rita is Ana's sister"),
        ("My boss's name is Ulla.", None),
        ("My sister's name is Rita.", "Ana's sister is Rita"),
        ("My sister Rita lives in Faro.", "Rita lives in Faro"),
        ("my mum is allergic to shellfish", "Ana's mum is allergic to shellfish"),
        ("I have a dog named Bolt.", "Ana has a dog named Bolt"),
        ("We adopted a grey cat last month.", "Ana has a grey cat since April 2025"),
        ("I just bought a cargo bike.", "Ana bought a cargo bike"),
        ("I sold my old piano.", "Ana sold their old piano"),
        ("I love swimming in cold water.", "Ana loves swimming in cold water"),
        ("I can't stand loud bars.", "Ana dislikes loud bars"),
        ("My favourite colour is teal.", "Ana's favourite colour is teal"),
        ("I prefer tea over coffee.", "Ana prefers tea over coffee"),
        ("I'm vegetarian.", "Ana is vegetarian"),
        ("I was diagnosed with asthma.", "Ana was diagnosed with asthma"),
        ("I turned 34 yesterday", "Ana is 34 years old"),
        ("My birthday is on 3 March.", "Ana's birthday is 3 March"),
        ("I now have 32 stamps.", "Ana has 32 stamps"),
        ("I've read 14 books so far.", "Ana has read 14 books"),
        ("My rent is 850 euros.", "Ana's rent is 850 euros"),
        ("My personal best time is 24:10.", "Ana's personal best time is 24:10"),
        ("The deadline for the grant report is 12 June.", "The deadline for the grant report is 12 June"),
        ("I have a dentist appointment on 20 May at 9 am.", "Ana's dentist appointment is on 20 May at 9 am"),
        ("I've never been to Iceland.", "Ana has never been to Iceland"),
        ("I passed my driving test this morning!", "Ana passed their driving test on 16 May 2025"),
        ("I went to a pottery fair yesterday.", "Ana went to a pottery fair on 15 May 2025"),
        ("I visited Ghent in March 2024.", "Ana visited Ghent in March 2024"),
        ("I'm flying to Malta on 2 June.", "Ana plans on flying to Malta on 2 June 2025"),
        ("I switched from tea to mate.", "Ana switched from tea to mate"),
        ("two years ago today my bike was stolen", "Ana's bike was stolen on 16 May 2023"),
        ("call me Nina", "Ana's name is Nina"),
        ("I live in Porto, what should I see first?", "Ana lives in Porto"),
    ],
)  # fmt: skip
def test_what_is_said_becomes_a_statement(text: str, fact: str | None) -> None:
    assert (fact is None) == (fact not in texts(text))


@pytest.mark.parametrize(
    "text",
    [
        "Should I say I live in Porto?",
        "If I lived in Porto, I would swim more.",
        "I wish I had 32 stamps.",
        "Maybe I work at Lumen Optics one day.",
        'She said "I live in Porto" and laughed.',
        "He told me I work at Lumen Optics too much.",
        "I'd love to live in Porto.",
        "I love it.",
        "I love that you came!",
        "I like this one.",
        "Sounds like a plan!",
        "Themes like friendship are everywhere.",
        "I don't live in Porto.",
        "Yeah right, I love mondays.",
        "I'm just kidding, I work at Lumen Optics.",
        "```\nI live in Porto.\n```",
        "> I live in Porto.",
        "Write a letter for me:\nI live in Porto and I love my dog.",
        "Dear Sir or Madam,\nI live in Porto.",
        "I love being part of something bigger.",
        "Imagine I work at Lumen Optics.",
        "I'm a bit tired.",
        "I'm a huge fan.",
        "The book I love is out of print.",
        "",
        "?!",
    ],
)
def test_what_is_not_asserted_of_anybody_is_left_alone(text: str) -> None:
    assert texts(text) == []


def test_a_machine_speaks_of_nobody() -> None:
    advice = "I live in the cloud. I have a dog named Bolt. You should drink water."
    assert texts(advice, speaker=None, role="assistant") == []
    assert texts(advice, speaker="Claude", role="assistant") == []
    assert texts(advice, speaker="Bot", role=None) == []
    assert texts("I have a dog named Bolt.", speaker="Rui", role="assistant") == ["Rui has a dog named Bolt"]


def test_without_a_name_it_is_the_user() -> None:
    assert texts("I live in Porto.", speaker=None) == ["The user lives in Porto"]
    assert texts("My brother Ivo is a chef.", speaker="user") == ["Ivo is the user's brother", "Ivo is a chef"]


def test_no_date_is_invented() -> None:
    told = only("I visited Ghent last summer.", happened_at=None)
    assert (told.text, told.valid_at) == ("Ana visited Ghent", None)
    assert only("I visited Ghent last summer.").text == "Ana visited Ghent between June and August 2024"
    assert only("I visited Ghent.").valid_at is None
    dated = only("I visited Ghent in May 2019.", happened_at=None)
    assert (dated.text, dated.valid_at) == ("Ana visited Ghent in May 2019", 1_556_668_800_000_000)


def test_a_date_without_a_year_is_the_nearest() -> None:
    assert only("I visited Ghent on 28 December.").text == "Ana visited Ghent on 28 December 2024"


def test_what_ends_is_closed() -> None:
    ended = only("I moved away from Porto last month.")
    assert (ended.subject, ended.relation, ended.object, ended.negated) == ("Ana", "no longer lives in", "Porto", True)
    assert ended.invalid_at == int(datetime(2025, 4, 1, tzinfo=UTC).timestamp() * 1e6)


def test_single_and_many() -> None:
    assert only("I live in Porto.").single
    assert only("My rent is 850 euros.").single
    assert only("I'm vegetarian.").single
    assert only("My mum lives in Faro.").single
    assert not only("My friend lives in Faro.").single
    assert not only("I'm coeliac.").single
    assert not only("I love cold rain.").single
    assert not only("I visited Ghent.").single


def test_a_person_introduced_before_is_known() -> None:
    before = [said("My sister Rita called."), said("How is she?", speaker="Rui")]
    (one,) = extract(said("Rita loves chess problems."), before)
    assert (one.subject, one.relation) == ("Rita", "loves")
    assert extract(said("Rita loves chess problems.")) == []
    assert extract(said("Rita loves chess problems."), known={"Rita": "sister"})[0].text == "Rita loves chess problems"


def test_a_friend_need_not_be_the_friend_one_knows_of() -> None:
    known = {"Lou": "friend", "Ulla": "boss"}
    (one,) = extract(said("My friend lives in Faro."), known=known)
    assert one.text == "Ana's friend lives in Faro"
    (one,) = extract(said("My boss lives in Faro."), known=known)
    assert one.text == "Ulla lives in Faro"
    assert [s.text for s in extract(said("My friend Lou came by. My friend lives in Faro."))] == [
        "Lou is Ana's friend",
        "Lou lives in Faro",
    ]


def test_she_is_the_one_person_spoken_of() -> None:
    known = {"Rita": "sister"}
    assert [s.text for s in extract(said("Rita is here, she loves chess problems."), known=known)] == [
        "Rita loves chess problems"
    ]
    two = extract(said("Rita saw my aunt Lou, she loves chess problems."), known=known)
    assert [s.text for s in two] == ["Lou is Ana's aunt"]
    assert extract(said("She loves chess problems.")) == []


def test_a_long_message_is_read_sentence_by_sentence() -> None:
    filler = "The weather here has been changing from one hour to the next and nobody minds much. " * 60
    message = f"{filler}By the way, I live in Porto. {filler}\n\nAlso, my rent is 850 euros. {filler}"
    found = texts(message)
    assert "Ana lives in Porto" in found
    assert "Ana's rent is 850 euros" in found


def test_shouting_is_read_like_speech() -> None:
    assert texts("I PASSED MY DRIVING TEST TODAY!!!") == ["Ana passed their driving test on 16 May 2025"]


def test_an_address_after_a_move() -> None:
    assert extract(said("See you on 9 May. 14 Harbour Road, Leith.")) == []
    told = extract(said("we're in. moved on 9 May. 14 Harbour Road, Leith. so tired"))
    assert [s.text for s in told] == ["Ana's address is 14 Harbour Road, Leith since 9 May 2025"]
