"""Salience on lines of our own: what is told outweighs what only keeps a talk going."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from clock import Clock

from mnemos import Mnemos
from mnemos.gate.features import FEATURES, Seen, read
from mnemos.gate.salience import after_reply, bundled, salience, saliences
from mnemos.records import Memory

TALK = [
    ("Ana", "Hey Ben! How have you been?"),
    ("Ben", "I moved to Porto on 3 May and started to learn the cello with a teacher called Inês."),
    ("Ana", "Wow, that's great! What made you choose the cello?"),
    ("Ben", "My grandfather played it in the orchestra of Braga for thirty years."),
    ("Ana", "That's so inspiring, Ben! Keep up the great work."),
    ("Ben", "Thanks, Ana! I really appreciate your support."),
]


def turn(text: str, speaker: str = "Ana", role: str = "user", session: str | None = "1") -> Memory:
    return Memory(text, ("user", "ana"), "turn", text, speaker=speaker, role=role, session_id=session)


def talk(lines: Sequence[tuple[str, str]] = TALK) -> list[Memory]:
    return [turn(text, speaker) for speaker, text in lines]


def test_what_is_told_outweighs_greetings_questions_and_praise() -> None:
    found = saliences(talk())
    assert set(np.argsort(-found)[:2].tolist()) == {1, 3}
    assert ((found >= 0) & (found <= 1)).all()


def test_what_a_machine_says_is_asked_for_less_than_what_its_user_tells() -> None:
    answer = "Here are ten tips for moving house. Pack early, label every box, and tell the bank your new address."
    lines = [turn("I move to Porto in May with two cats.", "user"), turn(answer, "assistant", "assistant")]
    mine, its = saliences(lines)
    assert mine > its


def test_a_person_in_the_role_of_assistant_is_no_machine() -> None:
    seen = read([turn("I moved to Porto.", "Ben", "assistant")], Seen())
    assert not seen.machine.any()
    assert read([turn("Here you are.", "assistant", "assistant")], Seen()).machine.all()


def test_a_turn_alone_equals_a_batch_of_it() -> None:
    lines = talk()
    assert salience(lines[1], previous=lines[0]) == pytest.approx(
        float(saliences([lines[1]], before={"1": lines[0]})[0])
    )


def test_the_reply_may_come_later() -> None:
    lines = talk()
    alone = float(saliences(lines[:2])[1])
    assert after_reply(alone, lines[2]) == pytest.approx(float(saliences(lines[:3])[1]))
    assert after_reply(alone, lines[3]) == alone


def test_words_met_before_are_no_news() -> None:
    seen = Seen()
    assert seen.count_new({1, 2, 3}) == 3
    assert seen.count_new({2, 3, 4}) == 1
    assert Seen(seen.to_bytes()).count_new({1, 2, 3, 4}) == 0
    assert len(seen.to_bytes()) == Seen.BYTES
    again = Seen()
    first, second = saliences([turn(TALK[3][1], session="1"), turn(TALK[3][1], session="2")], again)
    assert second < first


def test_odd_texts_have_a_salience_too() -> None:
    odd = ["", "   ", "?", "👍", "好的。我下个月搬到北京。", "[image: a photo of a cello]", "x" * 5000]
    assert np.isfinite(saliences([turn(text) for text in odd])).all()
    assert len(saliences([])) == 0


def test_pictures_ends_and_neighbours_are_seen() -> None:
    lines = [turn("Where did you go?"), turn("Here! [image: a photo of a lake]", "Ben"), turn("Nice one", "Ana")]
    seen = {name: read(lines, Seen()).features[:, place] for place, name in enumerate(FEATURES)}
    assert seen["picture"].tolist() == [0, 1, 0]
    assert seen["ends asking"].tolist() == [1, 0, 0]
    assert seen["answers"].tolist() == [0, 1, 0]
    assert seen["was welcomed"].tolist() == [0, 1, 0]


def test_other_sessions_are_no_neighbours() -> None:
    lines = [turn("Where did you go?", session="1"), turn("To the lake.", session="2"), turn("To Rome.", session="1")]
    answers = read(lines, Seen()).features[:, FEATURES.index("answers")]
    assert answers.tolist() == [0, 0, 1]


def test_the_model_knows_every_feature() -> None:
    model = bundled()
    assert set(model.people) == set(model.machine) == set(FEATURES)


def test_derivation_in_pieces_gives_the_same_as_at_once(tmp_path, clock: Clock) -> None:  # type: ignore[no-untyped-def]
    messages = [{"name": name, "content": text, "session_id": "1"} for name, text in TALK]
    found = []
    for name, size in (("whole.db", len(messages)), ("pieces.db", 1)):
        with Mnemos(tmp_path / name, clock=clock) as memory:
            for start in range(0, len(messages), size):
                memory.add(messages[start : start + size], user_id="ana")
                memory.maintain()
            found.append([one.salience for one in memory.list(user_id="ana", kinds=["turn"])])
    assert found[0] == pytest.approx(found[1], abs=1e-5)
    assert None not in found[0]
