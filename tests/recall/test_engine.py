from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from recall_cases import CHAT, Said, made

from mnemos.recall.engine import Ranking, rank, threshold
from mnemos.recall.query import read_query
from mnemos.recall.snapshot import Snapshot

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def ask(snapshot: Snapshot, text: str, limit: int | None = None, eligible: list[int] | None = None) -> Ranking:
    mask = None if eligible is None else np.isin(snapshot.memories, eligible)
    return rank(snapshot, read_query(text, now=NOW, snapshot=snapshot), limit=limit, eligible=mask)


def test_each_question_finds_its_turn_first(snapshot: Snapshot) -> None:
    wanted = {"Who went hiking with Rita?": 1, "vegan food": 5, "What did the dog eat?": 6}
    assert {question: ask(snapshot, question).nums[0] for question in wanted} == wanted


def test_an_answer_is_found_through_the_question_before_it(snapshot: Snapshot) -> None:
    assert 4 in ask(snapshot, "How high is Ana's rent?", limit=2).nums


def test_contributions_add_up_to_the_logit(snapshot: Snapshot) -> None:
    found = ask(snapshot, "How high is Ana's rent?")
    total = sum(found.contributions.values())
    np.testing.assert_allclose(np.log(found.scores / (1 - found.scores)), total, rtol=1e-6)
    assert (np.diff(found.scores) <= 1e-9).all()


def test_only_the_eligible_are_returned_but_the_others_lend_context(snapshot: Snapshot) -> None:
    found = ask(snapshot, "How high is Ana's rent?", eligible=[4, 6, 7])
    assert sorted(found.nums.tolist()) == [4, 6, 7]
    assert found.nums[0] == 4
    assert found.total == 3


def test_limit_is_a_prefix_of_the_whole(snapshot: Snapshot) -> None:
    whole = ask(snapshot, "Ana").nums.tolist()
    assert len(whole) == len(CHAT)
    for limit in (0, 1, 3, 8, 20):
        assert ask(snapshot, "Ana", limit=limit).nums.tolist() == whole[:limit]


def test_equals_stand_in_reading_order() -> None:
    same = made([Said("ok", "Ana", f"s{at}", minutes=0) for at in range(5)])
    assert ask(same, "ok").nums.tolist() == [0, 1, 2, 3, 4]


def test_a_question_that_meets_nothing_scores_below_the_threshold(snapshot: Snapshot) -> None:
    known, unknown = ask(snapshot, "What is the rent of Ana's flat?"), ask(snapshot, "quantum chromodynamics lecture")
    assert unknown.scores[0] < threshold()
    assert known.scores[0] > unknown.scores[0]


def test_the_best_passage_of_a_long_text() -> None:
    filler = "The committee discussed the budget of the next year in detail. " * 30
    text = filler + "The cat is called Serafim. " + filler
    held = made([Said(text, None, "s1", "assistant"), Said("Thanks!", None)])
    found = ask(held, "what is the cat called", limit=1)
    start, end = found.spans[0]
    assert found.nums[0] == 0
    assert found.part[0] > 0
    assert "Serafim" in text[start:end]


def test_roles_mean_a_machine_only_without_names() -> None:
    machine = made([Said("I like tea", None), Said("I like tea", None, role="assistant")])
    named = made([Said("I like tea", "Ana"), Said("I like tea", None, role="assistant")])
    people = made([Said("I like tea", "Ana"), Said("I like tea", "Rui", role="assistant")])
    assert [held.user.tolist() for held in (machine, named, people)] == [[True, False], [True, False], [False, False]]
    assert [held.machine.any() for held in (machine, named, people)] == [True, True, False]


def test_a_named_person_is_preferred_where_the_question_names_one() -> None:
    held = made([Said("I like tea", "Ana"), Said("I like tea", "Rui", role="assistant")])
    assert ask(held, "What does Rui like?").nums[0] == 1
    assert ask(held, "What does Ana like?").nums[0] == 0


def test_a_question_about_oneself_prefers_the_user() -> None:
    held = made([Said("Tea is healthy", None, role="assistant"), Said("Tea is healthy", None)])
    assert ask(held, "do I like my tea?").nums[0] == 1


def test_words_for_a_time_prefer_turns_of_that_time() -> None:
    held = made([Said("We had pizza.", "Ana", f"s{at}", minutes=at * 60 * 24 * 40) for at in range(4)])
    assert ask(held, "What did Ana eat in May 2026?").nums[0] == 2


def test_the_answer_to_a_question_asked_in_several_messages() -> None:
    said = [Said("Do you play any instrument?", "Ana"), Said("just curious", "Ana"), Said("hm", "Rita")]
    held = made([*said, Said("the cello, badly", "Rita"), Said("nice!", "Ana"), Said("see you", "Rita")])
    assert 3 in ask(held, "Which instrument does Rita play?", limit=3).nums


def test_chinese_is_found() -> None:
    held = made([Said("我住在北京。"), Said("我喜欢喝茶。"), Said("我的狗叫小白。")])
    assert ask(held, "狗叫什么名字？").nums[0] == 2


def test_questions_without_a_word(snapshot: Snapshot) -> None:
    for text in ("???", "🦊", "\u202e", "the"):
        assert len(ask(snapshot, text).nums) == len(CHAT)
