"""Budgets over a real store: who goes, who stays, step by step, and how it is taken back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clock import Clock

from mnemos import InvalidInput, Memory, Mnemos, NotFound
from mnemos.forget.budget import Budget
from mnemos.forget.carrying import BATCH
from mnemos.gate.weighing import SalienceStage
from mnemos.levels.stage import LevelStage

DAY = 86_400.0
TALK = [
    ("Ana", "Hey Ben! How have you been?"),
    ("Ben", "I moved to Porto on 3 May and started to learn the cello with a teacher called Inês."),
    ("Ana", "Wow, that's great! What made you choose the cello?"),
    ("Ben", "My grandfather played it in the orchestra of Braga for thirty years."),
    ("Ana", "That's so inspiring, Ben! Keep up the great work."),
    ("Ben", "Thanks, Ana! I really appreciate your support, it means a lot."),
    ("Ana", "My sister Rita opened a vegan bakery in Coimbra last Friday."),
    ("Ben", "Sounds awesome! I totally agree, that's so cool."),
]
TOLD = {1, 3, 6}
"""Places of the turns that tell something."""


@pytest.fixture
def memory(path: Path, clock: Clock) -> Iterator[Mnemos]:
    """A store in which the gate lets everything in."""
    with Mnemos(path, clock=clock, stages=[SalienceStage(), LevelStage()]) as memory:
        yield memory


@pytest.fixture
def ids(memory: Mnemos, clock: Clock) -> list[str]:
    added = memory.add(
        [{"name": name, "content": text, "session_id": "1", "happened_at": clock.now} for name, text in TALK],
        user_id="ana",
    )
    memory.maintain()
    return [one.id for one in added]


def indexed(memory: Mnemos) -> list[Memory]:
    return [one for one in memory.list(user_id="ana", kinds=["turn"]) if one.resting is None]


def test_a_dry_run_says_what_would_go_and_why(memory: Mnemos, ids: list[str]) -> None:
    before = indexed(memory)
    found = memory.forget(count=3, user_id="ana", dry_run=True)
    assert {ids.index(one.id) for one in found}.isdisjoint(TOLD)
    assert all(one.step == "rest" and one.reason and 0 <= (one.salience or 0) <= 1 for one in found)
    assert [one.worth for one in found] == sorted(one.worth for one in found)
    assert indexed(memory) == before


def test_what_goes_is_not_found_but_kept(memory: Mnemos, ids: list[str]) -> None:
    planned = memory.forget(count=3, user_id="ana", dry_run=True)
    done = memory.forget(count=3, user_id="ana")
    assert [one.id for one in done] == [one.id for one in planned]
    assert {ids.index(one.id) for one in indexed(memory)} == TOLD
    hits = memory.search("How have you been?", user_id="ana", kinds=["turn"], limit=20)
    assert {hit.memory.id for hit in hits} == {ids[place] for place in TOLD}
    gone = memory.get(done[0].id)
    assert gone is not None
    assert gone.resting == "forgotten"
    assert gone.text == TALK[ids.index(gone.id)][1]
    line = memory.history(gone.id)[-1]
    assert (line.op, line.by, line.metadata["why"]) == ("rest", "salience", "forgotten")
    assert memory.forget(count=3, user_id="ana") == []
    assert memory.check() == []


def test_undone_it_stays_for_good(memory: Mnemos, ids: list[str]) -> None:
    (gone, *_) = memory.forget(count=7, user_id="ana")
    assert memory.undo(memory.history(gone.id)[-1].decision or "").resting is None
    assert gone.id not in [one.id for one in memory.forget(count=3, user_id="ana")]
    assert gone.id in [hit.memory.id for hit in memory.search(gone.text, user_id="ana", kinds=["turn"])]


def test_what_a_person_admits_stays(memory: Mnemos, ids: list[str]) -> None:
    gone = memory.forget(count=7, user_id="ana")[0]
    memory.admit(gone.id)
    memory.forget(count=0, user_id="ana")
    assert [one.id for one in indexed(memory)] == [gone.id]


def test_pinned_memories_never_go_and_come_back(memory: Mnemos, ids: list[str]) -> None:
    assert memory.pin(ids[0]).pinned
    memory.forget(count=1, user_id="ana")
    assert [one.id for one in indexed(memory)] == [ids[0]]
    back = memory.pin(ids[1])
    assert back.resting is None
    assert ids[1] in [hit.memory.id for hit in memory.search("cello", user_id="ana", kinds=["turn"])]
    memory.unpin(ids[0])
    memory.forget(count=1, user_id="ana")
    assert [one.id for one in indexed(memory)] == [ids[1]]
    assert [line.op for line in memory.history(ids[0])][-3:] == ["pin", "unpin", "rest"]
    assert memory.check() == []


def test_a_pin_can_be_undone(memory: Mnemos, ids: list[str]) -> None:
    memory.pin(ids[0])
    assert not memory.undo(memory.history(ids[0])[-1].decision or "").pinned


def test_bytes_are_those_of_the_words(memory: Mnemos, ids: list[str]) -> None:
    memory.forget(bytes=200, user_id="ana")
    sizes = [len(one.text.encode()) for one in indexed(memory)]
    assert 0 < sum(sizes) <= 200


@pytest.mark.parametrize(("share", "left"), [(1, 8), (0.5, 4), (0.25, 2), (0, 0)])
def test_a_share_is_of_all_that_is_stored(memory: Mnemos, ids: list[str], share: float, left: int) -> None:
    memory.forget(share=share, user_id="ana")
    assert len(indexed(memory)) == left
    memory.forget(share=share, user_id="ana")
    assert len(indexed(memory)) == left


def test_first_out_of_the_index_then_into_the_episode_then_deleted(
    memory: Mnemos, ids: list[str], clock: Clock
) -> None:
    terms: Any = {"count": 3, "delete": True, "user_id": "ana"}
    rested = {one.id for one in memory.forget(**terms)}
    clock.tick(29 * DAY)
    assert memory.forget(**terms) == []
    clock.tick(2 * DAY)
    episodes = [one for one in memory.list(user_id="ana", kinds=["episode"]) if set(one.sources) & rested]
    assert episodes
    assert {(one.id, one.step) for one in memory.forget(**terms)} == {(one, "summarise") for one in rested}
    assert {memory.get(one).resting for one in rested} == {"summarised"}  # type: ignore[union-attr]
    lines = [memory.history(one)[-1] for one in rested]
    assert {line.metadata["other"] for line in lines} <= {one.id for one in episodes}
    clock.tick(58 * DAY)
    assert memory.forget(**terms) == []
    clock.tick(3 * DAY)
    assert {(one.id, one.step) for one in memory.forget(**terms)} == {(one, "delete") for one in rested}
    assert [memory.get(one) for one in rested] == [None] * len(rested)
    assert memory.verify_erased("Hey Ben! How have you been?").clean
    assert {ids.index(one.id) for one in indexed(memory)} == TOLD
    memory.maintain()
    assert memory.check() == []


def test_nothing_is_deleted_unless_the_budget_says_so(memory: Mnemos, ids: list[str], clock: Clock) -> None:
    memory.forget(count=0, user_id="ana")
    clock.tick(10_000 * DAY)
    assert {one.step for one in memory.forget(count=0, user_id="ana")} == {"summarise"}
    clock.tick(10_000 * DAY)
    assert memory.forget(count=0, user_id="ana") == []
    assert len(memory.list(user_id="ana", kinds=["turn"])) == len(TALK)


def test_a_summarised_memory_comes_back_too(memory: Mnemos, ids: list[str], clock: Clock) -> None:
    memory.forget(count=3, summarise_after=0, user_id="ana")
    clock.tick(1)
    (one, *_) = memory.forget(count=3, summarise_after=0, user_id="ana")
    assert one.step == "summarise"
    assert memory.undo(memory.history(one.id)[-1].decision or "").resting is None


def test_maintain_keeps_to_a_budget_and_can_be_stopped(memory: Mnemos, ids: list[str]) -> None:
    assert memory.set_budget(count=3, user_id="ana") == Budget(count=3)
    assert memory.budgets() == {("user", "ana"): Budget(count=3)}
    assert memory.maintain(seconds=1e-9).forgotten == 0
    assert memory.maintain().forgotten == len(TALK) - 3
    assert {ids.index(one.id) for one in indexed(memory)} == TOLD
    memory.add("I also sail on Sundays with my uncle Rui.", user_id="ana", session_id="2")
    assert memory.maintain().forgotten == 1
    assert len(indexed(memory)) == 3
    assert memory.forget(user_id="ana") == []
    assert memory.set_budget(user_id="ana") is None
    assert memory.budgets() == {}


def test_each_namespace_has_a_budget_of_its_own(memory: Mnemos) -> None:
    for name in ("ana", "ben"):
        memory.add([f"{name} bought {thing}." for thing in ("a boat", "a cello", "a bakery")], user_id=name)
    memory.forget(count=2, namespace=("user",), descendants=True)
    for name in ("ana", "ben"):
        assert len([one for one in memory.list(user_id=name, kinds=["turn"]) if one.resting is None]) == 2


def test_a_policy_may_be_an_object(memory: Mnemos, ids: list[str]) -> None:
    class Shortest:
        name = "shortest"

        def strength(self, memory: Memory, now: object) -> float:
            return 1.0

        def worth(self, memory: Memory, now: object) -> float:
            return -float(len(memory.text))

    memory.forget(count=1, policy=Shortest(), user_id="ana")
    assert [one.id for one in indexed(memory)] == [ids[0]]
    assert memory.history(ids[1])[-1].by == "shortest"


@pytest.mark.parametrize("policy", ["ebbinghaus", "layered"])
def test_what_was_used_lately_stays_by_the_published_policies(
    memory: Mnemos, ids: list[str], clock: Clock, policy: str
) -> None:
    clock.tick(20 * DAY)
    memory.context("What did Rita open in Coimbra?", user_id="ana", budget=60)
    clock.tick(20 * DAY)
    memory.forget(count=1, policy=policy, user_id="ana")
    assert [one.id for one in indexed(memory)] == [ids[6]]


def test_expiry_for_any_memory(memory: Mnemos, ids: list[str], clock: Clock) -> None:
    with pytest.raises(NotFound):
        memory.expire("018f0000-0000-7000-8000-000000000000", None)
    memory.search("cello", user_id="ana")
    memory.expire(ids[1], "2026-03-05T00:00:00Z")
    assert ids[1] in [hit.memory.id for hit in memory.search("cello", user_id="ana", kinds=["turn"])]
    clock.tick(5 * DAY)
    assert ids[1] not in [hit.memory.id for hit in memory.search("cello", user_id="ana", kinds=["turn"])]
    assert memory.get(ids[1]) is None
    memory.expire(ids[3], "2027-01-01T00:00:00Z")
    memory.expire(ids[3], None)
    clock.tick(1000 * DAY)
    assert memory.maintain().expired == 1
    assert memory.get(ids[3]) is not None
    assert memory.check() == []


def test_expiry_can_be_undone(memory: Mnemos, ids: list[str], clock: Clock) -> None:
    memory.expire(ids[1], "2026-03-05T00:00:00Z")
    memory.undo(memory.history(ids[1])[-1].decision or "")
    clock.tick(5 * DAY)
    assert memory.get(ids[1]) is not None


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("count", {"count": 1, "share": 0.5}),
        ("count", {"count": -1}),
        ("count", {"count": True}),
        ("bytes", {"bytes": 1.5}),
        ("share", {"share": 1.5}),
        ("share", {"share": float("nan")}),
        ("policy", {"count": 1, "policy": "lottery"}),
        ("policy", {"count": 1, "policy": object()}),
        ("kinds", {"count": 1, "kinds": "turn"}),
        ("kinds", {"count": 1, "kinds": ["episode"]}),
        ("delete_after", {"count": 1, "delete_after": -1}),
        ("dry_run", {"count": 1, "dry_run": "yes"}),
    ],
)
def test_terms_that_cannot_be_read_are_refused(memory: Mnemos, field: str, terms: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        memory.forget(**terms)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_nothing_to_forget(memory: Mnemos) -> None:
    assert memory.forget(count=1, user_id="nobody") == []
    assert memory.forget(user_id="nobody") == []


KILLED = """
import os, sys
import mnemos.forget.carrying as carrying
from mnemos import Mnemos
taken = 0
def take(batch, step, policy, real=carrying._take):
    global taken
    taken += 1
    if taken > int(sys.argv[2]):
        os._exit(9)
    return real(batch, step, policy)
carrying._take = take
with Mnemos(sys.argv[1], stages=[]) as memory:
    memory.forget(count=10, user_id="ana")
"""


def test_killed_in_the_middle_it_goes_on(path: Path) -> None:
    many = BATCH + 60
    with Mnemos(path, stages=[SalienceStage()]) as memory:
        memory.add([f"Parcel {number} came from Porto with {number} books." for number in range(many)], user_id="ana")
        memory.maintain()
    lost = subprocess.run([sys.executable, "-c", KILLED, path, str(BATCH + 20)], timeout=120)
    assert lost.returncode == 9
    with Mnemos(path, stages=[SalienceStage()]) as memory:
        assert len([one for one in memory.list(user_id="ana", limit=many) if one.resting]) == BATCH
        assert len(memory.forget(count=10, user_id="ana")) == many - 10 - BATCH
        assert len(memory.search("parcels from Porto", user_id="ana", limit=many)) == 10
        assert memory.check() == []
