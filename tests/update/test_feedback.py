"""What was used teaches the signals: bounded, kept, reset, and of use for questions that were not asked before."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from clock import Clock

from mnemos import InvalidInput, Mnemos, NotFound
from mnemos.recall import taught
from mnemos.update.feedback import DEPTH, learn

THINGS = "kettle lamp radio chair bicycle drill carpet mirror toaster heater".split()


def filled(memory: Mnemos) -> None:
    """Of each thing Paulo asks, and Rita says what it cost; this user wants to see what was asked."""
    for number, thing in enumerate(THINGS):
        asked = f"Where did Rita get the {thing}, and what did Rita pay for the {thing}?"
        told = f"I paid {number + 11} euros for my {thing}."
        session = f"s{number}"
        memory.add(asked, name="Paulo", role="user", user_id="ana", session_id=session)
        memory.add(told, name="Rita", role="user", user_id="ana", session_id=session)


def question(thing: str) -> str:
    return f"What did Paulo hear that Rita paid for the {thing}?"


def places(memory: Mnemos, things: list[str]) -> list[float]:
    """One over the place of the right answer, for each question."""
    found = []
    for thing in things:
        hits = memory.search(question(thing), user_id="ana", limit=20)
        texts = [hit.memory.text for hit in hits]
        found.append(
            1 / (1 + next(at for at, text in enumerate(texts) if text.startswith(f"Where did Rita get the {thing}")))
        )
        for hit in hits:
            assert 0 <= hit.score <= 1
            assert hit.score == pytest.approx(1 / (1 + math.exp(-sum(hit.why.values()))), abs=1e-6)
    return found


def test_it_ranks_what_is_used_higher_for_questions_not_asked_before(memory: Mnemos) -> None:
    filled(memory)
    asked, held_out = THINGS[:5], THINGS[5:]
    before = places(memory, held_out)
    for thing in asked * 3:
        hits = memory.search(question(thing), user_id="ana", limit=5)
        right = [hit.memory.id for hit in hits if f"get the {thing}" in hit.memory.text]
        wrong = [hit.memory.id for hit in hits if hit.memory.id not in right]
        memory.feedback(question(thing), used=right, not_used=wrong, user_id="ana")
    after = places(memory, held_out)
    assert np.mean(before) < 1
    assert np.mean(after) > np.mean(before)
    assert all(now >= then for now, then in zip(after, before, strict=True))


def test_factors_stay_within_bounds_and_are_kept_and_reset(memory: Mnemos, path: Path, clock: Clock) -> None:
    filled(memory)
    hits = memory.search(question("lamp"), user_id="ana", limit=6)
    ids = [hit.memory.id for hit in hits]
    top = hits[0].score
    for _ in range(60):
        factors = memory.feedback(question("lamp"), used=[ids[3]], not_used=[ids[0]], user_id="ana")
    assert factors
    assert all(taught.LEAST <= factor <= taught.MOST for factor in factors.values())
    changed = memory.search(question("lamp"), user_id="ana", limit=6)
    assert max(hit.score for hit in changed) == pytest.approx(top, abs=0.02)
    assert all("feedback" in hit.why for hit in changed)
    assert memory.get(ids[3]).uses == 60  # type: ignore[union-attr]
    memory.close()
    with Mnemos(path, clock=clock) as again:
        assert [hit.score for hit in again.search(question("lamp"), user_id="ana", limit=6)] == [
            hit.score for hit in changed
        ]
        assert again.reset_feedback(user_id="ana")
        assert not again.reset_feedback(user_id="ana")
        plain = again.search(question("lamp"), user_id="ana", limit=6)
        assert [hit.memory.id for hit in plain] == ids
        assert all("feedback" not in hit.why for hit in plain)


def test_one_namespace_does_not_teach_another(memory: Mnemos) -> None:
    filled(memory)
    memory.add("I paid 9 euros for my lamp.", user_id="rui", name="Rita")
    before = memory.search(question("lamp"), user_id="rui")
    ids = [hit.memory.id for hit in memory.search(question("lamp"), user_id="ana", limit=2)]
    memory.feedback(question("lamp"), used=ids[1:], not_used=ids[:1], user_id="ana")
    assert [hit.why for hit in memory.search(question("lamp"), user_id="rui")] == [hit.why for hit in before]


def test_a_foreign_id_is_not_found_and_nothing_is_learnt(memory: Mnemos) -> None:
    filled(memory)
    (other,) = memory.add("I paid 9 euros for my lamp.", user_id="rui")
    own = memory.search(question("lamp"), user_id="ana", limit=1)[0].memory.id
    for used, not_used in (([own, other.id], []), ([own], [other.id]), ([own, "no-such-id"], [])):
        with pytest.raises(NotFound):
            memory.feedback(question("lamp"), used=used, not_used=not_used, user_id="ana")
    assert not memory.reset_feedback(user_id="ana")
    assert memory.get(own).uses == 0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("used", "not_used"),
    [([], []), (["a"], ["a"]), ("a", []), (7, [])],
)
def test_what_cannot_be_read_is_refused(memory: Mnemos, used: object, not_used: object) -> None:
    with pytest.raises(InvalidInput):
        memory.feedback("anything", used=used, not_used=not_used)  # type: ignore[arg-type]


def test_learning_follows_the_definition() -> None:
    contributions = {"words": np.array([2.0, 1.0]), "meaning": np.array([0.0, 1.0])}
    logits = np.array([1.0, 1.0])
    factors = learn({}, contributions, logits, used=[1], unused=[])
    # with equal chances the used one has 0.5 less of `words` and 0.5 more of `meaning` than expected
    assert factors["words"] == pytest.approx(math.exp(-0.3 * 0.5 * 0.5), abs=1e-6)
    assert factors["meaning"] == pytest.approx(math.exp(0.3 * 0.5 * 0.5), abs=1e-6)
    punished = learn({}, contributions, logits, used=[], unused=[1])
    assert punished["words"] == pytest.approx(math.exp(0.3 * 1.5 * 0.5), abs=1e-6)
    assert learn({}, contributions, logits, [], []) == {}
    assert DEPTH >= 10
