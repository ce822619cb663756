"""What the policy moves by itself, with a real model: as the dry run said, told in history, taken back by a crash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from clock import Clock  # noqa: E402
from some_costs import COSTS  # noqa: E402
from test_scheduler import COURSE, PEOPLE, adapter, states, tell  # noqa: E402
from town import Town, asked_home, bits, home  # noqa: E402

from mnemos import Mnemos, Move  # noqa: E402
from mnemos.forms.measured import Measured  # noqa: E402
from mnemos.forms.policy import ByCost  # noqa: E402
from mnemos.forms.standing import Standing  # noqa: E402
from mnemos.parametric.course import Report  # noqa: E402

DAY = 86_400.0


def used(memory: Mnemos, ids: Sequence[str], count: int) -> None:
    """Count so many uses now, as so many contexts would."""
    memory._uses.update(dict.fromkeys(ids, count))
    memory._flush_uses()


def bind(memory: Mnemos, town: Town, **how: Any) -> Any:
    model = town.model()
    memory.bind(model, town.tokenizer, **{"costs": COSTS, "course": COURSE, **how})
    return model


@pytest.fixture
def old(memory: Mnemos, clock: Clock, town: Town) -> tuple[Mnemos, list[str]]:
    """A store with a model, and five facts of two months ago: two read much, two sometimes, one never."""
    ids = tell(memory)
    clock.tick(60 * DAY)
    used(memory, ids[:2], 5000)
    used(memory, ids[2:4], 60)
    bind(memory, town)
    return memory, ids


def carry_out(memory: Mnemos) -> list[Move]:
    """Maintain, and see that it did what the dry run had said, and nothing else."""
    planned = memory.plan_forms()
    assert planned == memory.plan_forms(), "planning changes nothing"
    done = memory.maintain()
    rank = ("text", "activation", "parametric").index
    up = [one for one in planned if not one.wanted and rank(one.target) > rank(one.source)]
    down = [one for one in planned if rank(one.target) < rank(one.source)]
    assert (done.promoted, done.demoted) == tuple(sum(len(one.memories) for one in part) for part in (up, down))
    assert done.built == sum(len(one.memories) for one in planned if one.wanted)
    assert (done.unbuilt, done.notes) == (0, ())
    for move in planned:
        for one in move.memories:
            forms = memory.forms(one)
            assert forms.state(move.target) == "fresh"
            assert move.source in ("text", move.target) or forms.state(move.source) is None
    assert memory.plan_forms() == []
    assert memory.check() == []
    return planned


def test_maintain_does_what_the_dry_run_said(old: tuple[Mnemos, list[str]], town: Town) -> None:
    memory, ids = old
    assert [(one.memories, one.target) for one in carry_out(memory)] == [
        ((ids[2],), "activation"),
        ((ids[3],), "activation"),
        (tuple(ids[:2]), "parametric"),
    ]
    assert memory.artifacts.wanted(ids=ids[4:]) == []
    decision = memory.history(ids[2])[-1]
    assert (decision.op, decision.by, decision.metadata["to"]) == ("promote", "by-cost", "activation")
    assert decision.metadata["pays_after_uses"] > 0


def test_a_session_of_uses_moves_a_block_on_into_weights_and_out_again(
    old: tuple[Mnemos, list[str]], clock: Clock
) -> None:
    memory, ids = old
    carry_out(memory)
    used(memory, ids[2:3], 5000)
    (move,) = carry_out(memory)
    assert (move.memories, move.source, move.target) == ((ids[2],), "activation", "parametric")
    assert memory.artifacts.wanted(form="activation", ids=ids[2:3]) == []
    clock.tick(365 * DAY)
    moved = carry_out(memory)
    assert {(one.source, one.target) for one in moved} == {("activation", "text"), ("parametric", "text")}
    assert memory.artifacts.find() == memory.artifacts.wanted() == []


def test_what_begins_to_change_leaves_the_weights_and_the_others_stay(
    old: tuple[Mnemos, list[str]], town: Town
) -> None:
    memory, ids = old
    carry_out(memory)
    for place in ("Zolmere", "Vesford", "Pemholm", "Rudwick"):
        memory.update(ids[0], text=home(PEOPLE[0][0], place))
    assert states(memory, ids[:2], "parametric") == ["wanted", "wanted"]
    moved = carry_out(memory)
    assert (moved[0].memories, moved[0].source, moved[0].target) == ((ids[0],), "parametric", "activation")
    assert "changed 4 times" in moved[0].reason
    assert adapter(memory).sources == (ids[1],)
    assert memory._bound is not None
    name, place = PEOPLE[0]
    with memory._bound.weights.active(("user", "ana")):
        assert town.says(memory._bound.model, asked_home(name)) != place


def test_an_adapter_that_is_stale_is_trained_again(old: tuple[Mnemos, list[str]]) -> None:
    memory, _ = old
    carry_out(memory)
    had = adapter(memory)
    memory.artifacts.mark([had.id], "stale")
    (move,) = memory.plan_forms()
    assert (move.source, move.target, move.memories) == ("parametric", "parametric", had.sources)
    assert "out of date" in move.reason
    assert memory.maintain().built == 2
    assert adapter(memory).sources == had.sources
    assert adapter(memory).id != had.id


def test_what_somebody_asks_for_stays_where_it_is(old: tuple[Mnemos, list[str]], clock: Clock) -> None:
    memory, ids = old
    memory.promote(ids[4:])
    memory.demote(ids[:1])
    carry_out(memory)
    clock.tick(365 * DAY)
    moved = carry_out(memory)
    assert not {ids[0], ids[4]} & {memory for one in moved for memory in one.memories}
    assert memory.forms(ids[4]).state("activation") == "fresh"


def test_a_crash_in_training_takes_back_what_the_policy_wanted(old: tuple[Mnemos, list[str]], town: Town) -> None:
    memory, ids = old

    def stop(report: Report) -> None:
        raise KeyboardInterrupt

    model = bind(memory, town, course={**COURSE, "progress": stop})
    before = bits(model), memory.artifacts.wanted(form="parametric"), [memory.history(one) for one in ids[:2]]
    planned = memory.plan_forms()
    with pytest.raises(KeyboardInterrupt):
        memory.maintain()
    after = bits(model), memory.artifacts.wanted(form="parametric"), [memory.history(one) for one in ids[:2]]
    assert after == before
    assert states(memory, ids[2:4], "activation") == ["fresh", "fresh"], "what was made before it stays"
    assert memory.plan_forms() == [one for one in planned if one.target == "parametric"]
    bind(memory, town)
    carry_out(memory)


@dataclass(frozen=True)
class Alphabetic:
    """Keeps what stands first in the alphabet as keys and values."""

    name: str = "alphabetic"

    def plan(self, standings: Sequence[Standing], costs: Measured, room: float = 0.0) -> list[Move]:
        first = min((one for one in standings), key=lambda one: one.memory.text)
        gone = [one for one in standings if one.form == "activation" and one is not first]
        down = [Move((one.memory.id,), "activation", "text", "another stands before it") for one in gone]
        up = [Move((first.memory.id,), "text", "activation", "it stands first")] if first.form == "text" else []
        return [*down, *up]


def test_another_policy_takes_its_place(old: tuple[Mnemos, list[str]], town: Town) -> None:
    memory, ids = old
    bind(memory, town, policy=Alphabetic())
    texts = sorted((home(*one), memory_id) for one, memory_id in zip(PEOPLE[:4], ids, strict=False))
    (move,) = carry_out(memory)
    assert move.memories == (texts[0][1],)
    assert memory.history(move.memories[0])[-1].by == "alphabetic"
    memory.delete(texts[0][1])
    (move,) = carry_out(memory)
    assert move.memories == (texts[1][1],)


def test_the_quota_bounds_what_the_policy_keeps(old: tuple[Mnemos, list[str]], town: Town) -> None:
    memory, _ = old
    bind(memory, town, quota=10_000, costs=replace(COSTS, block_bytes=1_300, teach_seconds=1e6))
    planned = memory.plan_forms()
    assert [one.target for one in planned] == ["activation"], "one block of 9 kB, of what is read most"
    assert memory.maintain().promoted == 1
    assert memory.artifacts.bytes("activation") <= 10_000
    assert memory.plan_forms() == []


def test_costs_that_were_measured_serve_plans_without_the_model(
    old: tuple[Mnemos, list[str]], town: Town, clock: Clock
) -> None:
    memory, ids = old
    bind(memory, town, costs=None, policy=ByCost(least_uses=10**9))
    memory.promote(ids[:1])
    memory.promote(ids[1:2], to="parametric")
    with_model = memory.plan_forms(policy=ByCost(gigabyte_day=0))
    assert not any("prefill" in one.reason or "how long a token" in one.reason for one in with_model)
    memory.maintain()
    bound = memory._bound
    assert bound is not None
    for _ in range(2):
        with memory.attach(bound.model, bound.tokenizer, user_id="ana") as session:
            for name, _ in PEOPLE[:3]:
                session.generate(asked_home(name), max_new_tokens=3)
    assert (bound.sessions[("user", "ana")], bound.questions[("user", "ana")]) == (2, 6)
    assert memory._desk(None)._view(None).standings(memory._desk(None)._moving()[0])[0].questions == 3
    memory.maintain()
    digest = bound.fingerprint.digest
    memory.bind(None)
    assert memory._desk(None)._view(None).standings(memory._desk(None)._moving()[0])[0].questions == 3
    costs = memory._desk(None)._costs()
    assert costs.model == digest
    assert costs.assumed == ()
    (block,), (weights,) = (memory.artifacts.find(form=form) for form in ("activation", "parametric"))
    assert costs.teach_seconds == weights.seconds
    assert costs.block_bytes == block.bytes / block.metadata["tokens"]
    assert 0 < costs.prefill_seconds < 1
    assert 0 < costs.switch_seconds < 10
    assert memory.plan_forms(policy=ByCost(least_uses=10**9)) == []


def test_int8_blocks_are_other_blocks(old: tuple[Mnemos, list[str]], town: Town) -> None:
    memory, ids = old
    carry_out(memory)
    bind(memory, town, storage="int8")
    moved = memory.plan_forms()
    assert {one.memories for one in moved} == {(ids[2],), (ids[3],)}
    memory.maintain()
    assert {one.recipe for one in memory.forms(ids[2]).of("activation")} == {"kv-full", "kv-int8"}
