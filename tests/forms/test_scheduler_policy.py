"""By cost: what pays moves, what does not stays, and every reason has its figures. Needs no torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from some_costs import COSTS

from mnemos import InvalidInput, Memory, Mnemos, Move, NotFound
from mnemos.forms import words
from mnemos.forms.measured import FIGURES, Measured
from mnemos.forms.policy import ByCost, ByHand, Policy
from mnemos.forms.standing import Standing

DAY = 86_400.0


def stands(id: str = "m", **how: Any) -> Standing:
    """Something of 38 tokens that is read every day, and was heard of three months ago."""
    memory = Memory(id, ("user", "ana"), "fact", "x", invalid_at=how.pop("invalid_at", None))
    usual = {"tokens": 38, "uses": 30, "held_days": 30.0, "known_days": 90.0}
    return Standing(memory, **{**usual, **how})


def moves(*standings: Standing, costs: Measured = COSTS, policy: Policy | None = None, **how: Any) -> list[tuple]:
    planned = (policy or ByCost()).plan(standings, costs, **how)
    return [(one.memories, one.source, one.target) for one in planned]


NO_WEIGHTS = replace(COSTS, teach_seconds=1e9)


def test_what_is_read_often_is_kept_as_keys_and_values() -> None:
    (move,) = ByCost().plan([stands(uses=12, held_days=14.0)], NO_WEIGHTS)
    assert (move.memories, move.source, move.target, move.asked) == (("m",), "text", "activation", False)
    assert move.reason == (
        "used 12 times in 14 days, last today, 38 tokens: reading it takes 0.3 s a day; as keys and values 0.9 MB and "
        "53 ms a day; pays after 2 uses"
    )
    assert move.figures["pays_after_uses"] == 2
    assert move.figures["bytes"] == 950_000


def test_what_is_stable_and_read_much_is_taught() -> None:
    (move,) = ByCost().plan([stands("a", uses=300), stands("b", uses=200)], COSTS)
    assert (move.memories, move.source, move.target) == (("a", "b"), "text", "parametric")
    assert move.reason.startswith(
        "2 memories, used 500 times in 30 days, last today, unchanged in 90 days or longer, 76"
    )
    assert "teaching takes 4 s once; pays after" in move.reason


STAYS: dict[str, tuple[Standing, Measured]] = {
    "used once": (stands(uses=1), COSTS),
    "never used": (stands(uses=0), COSTS),
    "cold": (stands(uses=30, idle_days=60.0), COSTS),
    "says nothing": (stands(tokens=0), COSTS),
    "short, where fetching a block is dear": (stands(tokens=3), replace(NO_WEIGHTS, block_seconds=0.1)),
    "large, where bytes are dear": (stands(), replace(NO_WEIGHTS, block_bytes=1e9)),
    "keys cannot be moved": (stands(), replace(NO_WEIGHTS, blocks=False)),
    "asked for": (stands(asked=True), COSTS),
}


@pytest.mark.parametrize("why", STAYS)
def test_what_does_not_pay_stays_text(why: str) -> None:
    standing, costs = STAYS[why]
    assert moves(standing, costs=costs) == []


OFTEN = {"uses": 3000, "held_days": 30.0}
CHANGES: dict[str, Standing] = {
    "changed often": stands(changes=5, **OFTEN),
    "new": stands(known_days=3.0, **OFTEN),
    "will end": stands(invalid_at=datetime(2030, 1, 1, tzinfo=UTC), **OFTEN),
}


@pytest.mark.parametrize("why", CHANGES)
def test_what_changes_is_never_taught(why: str) -> None:
    assert moves(CHANGES[why]) == [(("m",), "text", "activation")]
    assert moves(stands(**OFTEN)) == [(("m",), "text", "parametric")]


@pytest.mark.parametrize("why", CHANGES)
def test_what_turns_out_to_change_leaves_the_weights(why: str) -> None:
    (move, *rest) = ByCost().plan(
        [replace(CHANGES[why], form="parametric"), stands("n", form="parametric", **OFTEN)], COSTS
    )
    assert not rest
    assert (move.memories, move.source, move.target) == (("m",), "parametric", "activation")
    assert "trained again without it" in move.reason


def test_what_goes_cold_goes_back_to_text() -> None:
    cold = stands(form="activation", uses=3, idle_days=50.0)
    (move,) = ByCost().plan([cold], COSTS)
    assert (move.source, move.target) == ("activation", "text")
    assert "used 3 times in 30 days, last 50 days ago" in move.reason
    assert "less than their 0.9 MB are worth" in move.reason


def test_an_adapter_goes_whole_and_not_one_by_one() -> None:
    cold = [stands(one, form="parametric", uses=2, idle_days=60.0) for one in "ab"]
    warm = stands("c", form="parametric", **OFTEN)
    assert moves(*cold, warm) == []
    assert moves(*cold) == [(("a", "b"), "parametric", "text")]
    assert moves(*cold, stands("d", form="parametric", uses=0, asked=True)) == [], "somebody asked for it"


def test_room_goes_to_what_pays_most_for_its_bytes() -> None:
    three = [stands(one, uses=uses) for one, uses in (("a", 20), ("b", 60), ("c", 40))]
    assert moves(*three, costs=NO_WEIGHTS, room=2 * 950_000) == [
        (("b",), "text", "activation"),
        (("c",), "text", "activation"),
    ]
    assert moves(*three, costs=NO_WEIGHTS, room=0) == []


def test_what_a_session_does_once_is_shared_by_its_questions() -> None:
    dear = replace(NO_WEIGHTS, block_seconds=0.5)
    assert moves(stands(), costs=dear) == []
    assert moves(stands(questions=15.0), costs=dear) == [(("m",), "text", "activation")]
    slow = replace(COSTS, switch_seconds=5.0, block_seconds=1e9)
    assert moves(stands(**OFTEN), costs=slow) == []
    assert moves(stands(questions=50.0, **OFTEN), costs=slow) == [(("m",), "text", "parametric")]
    held = stands("h", form="parametric", questions=50.0, **OFTEN)
    assert moves(held, stands(questions=50.0, uses=600), costs=slow) == [(("m",), "text", "parametric")], (
        "it is on anyway"
    )
    assert moves(stands(questions=50.0, uses=600), costs=replace(slow, switch_seconds=20.0)) == []


def test_what_was_not_measured_is_said() -> None:
    (move,) = ByCost().plan([stands()], replace(NO_WEIGHTS, assumed=("prefill_seconds", "block_bytes")))
    assert move.reason.endswith("(not measured yet, but assumed: how long a token takes to read, the bytes of a token)")


FIELD = {
    "form": ("text", "activation", "parametric"),
    "uses": (0, 2, 30, 3000),
    "idle_days": (0.0, 40.0),
    "changes": (0, 4),
    "known_days": (2.0, 400.0),
}


@pytest.mark.parametrize("teach_seconds", [0.01, 2.0, 1e4])
@pytest.mark.parametrize("block_bytes", [1e2, 1e5])
def test_nothing_moves_twice(teach_seconds: float, block_bytes: float) -> None:
    """When all moves have been made, none is left, whatever the memories are like."""
    costs = replace(COSTS, teach_seconds=teach_seconds, block_bytes=block_bytes)
    kinds = [dict(zip(FIELD, values, strict=True)) for values in product(*FIELD.values())]
    standings = {str(number): stands(str(number), **how) for number, how in enumerate(kinds)}
    planned = ByCost().plan(list(standings.values()), costs)
    moved = [memory for one in planned for memory in one.memories]
    assert len(moved) == len(set(moved)), "each memory moves once"
    for move in planned:
        for memory in move.memories:
            assert standings[memory].form == move.source != move.target
            standings[memory] = replace(standings[memory], form=move.target)
    assert ByCost().plan(list(standings.values()), costs) == []


def test_by_hand_moves_nothing() -> None:
    assert moves(stands(**OFTEN), stands("n", form="parametric", uses=0), policy=ByHand()) == []


@pytest.mark.parametrize("field", ["days", "gigabyte_day", "least_uses", "steady_days"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), True, "many"])
def test_bad_settings_are_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=field):
        ByCost(**{field: value})
    with pytest.raises(InvalidInput, match=r"costs\.teach_seconds"):
        Measured(teach_seconds=value)


def test_costs_are_seen_in_artifacts_and_kept_as_json(memory: Mnemos) -> None:
    one, two = memory.add(["My sister Rita is vegan.", "Rui plays the cello."], user_id="ana")
    _keep(memory, "activation", [one], b"k" * 1000, 0.5, {"tokens": 10})
    _keep(memory, "parametric", [one, two], b"w" * 4000, 3.0, {})
    seen = Measured(model="f").seen(memory.artifacts.find())
    assert (seen.block_bytes, seen.prefill_seconds) == (100, 0.05)
    assert (seen.teach_seconds, seen.adapter_bytes) == (1.5, 4000)
    assert seen.assumed == ("block_seconds", "join_seconds", "switch_seconds")
    assert Measured(model="other").seen(memory.artifacts.find()).assumed == FIGURES
    assert Measured.from_json(seen.to_json()) == seen


def _keep(memory: Mnemos, form: Any, sources: list[Memory], words: bytes, seconds: float, metadata: Any) -> None:
    recipe = "kv-full" if form == "activation" else "lora"
    with memory.artifacts.scratch() as path:
        path.write_bytes(words)
        memory.artifacts.keep(form, recipe, "f", sources, path, metadata=metadata, seconds=seconds)


def used(memory: Mnemos, one: Memory, count: int) -> None:
    """Count so many uses now, as so many contexts would."""
    memory._uses[one.id] += count
    memory._flush_uses()


def test_the_dry_run_reads_use_and_change_from_the_store_and_writes_nothing(
    memory: Mnemos, clock: Clock, path: Path
) -> None:
    often, seldom, changed = memory.add(
        ["My sister Rita is vegan and eats no cheese at all, nor eggs.", "Rui plays the cello.", "Ana is in Porto."],
        user_id="ana",
    )
    memory.add("Ben likes tea.", user_id="ben")
    clock.tick(40 * DAY)
    for place in range(4):
        memory.update(
            changed.id, text=f"Ana lives in Porto now, at number {place} in the street of the weavers and coopers."
        )
    used(memory, often, 50_000)
    used(memory, changed, 50_000)
    before = memory.stats(), memory.history(often.id), memory.artifacts.wanted(), path.read_bytes()
    planned = memory.plan_forms(user_id="ana")
    assert {(one.memories, one.target) for one in planned} == {
        ((often.id,), "activation"),
        ((changed.id,), "activation"),
    }
    assert seldom.id not in {memory for one in planned for memory in one.memories}
    assert all("not measured yet, but assumed" in one.reason for one in planned)
    assert any("used 50,000 times in 40 days" in one.reason for one in planned)
    assert planned == memory.plan_forms(), "ben has nothing to move"
    assert memory.plan_forms(user_id="ben") == memory.plan_forms(policy=ByHand()) == []
    assert memory.plan_forms(now=clock.now.replace(year=2028)) == [], "by then it is cold"
    assert (memory.stats(), memory.history(often.id), memory.artifacts.wanted(), path.read_bytes()) == before
    assert memory.maintain().promoted == 0, "without a model nothing moves"


def test_what_somebody_decided_is_left_alone(memory: Mnemos, clock: Clock) -> None:
    (one,) = memory.add("My sister Rita is vegan and eats no cheese at all.", user_id="ana")
    clock.tick(40 * DAY)
    used(memory, one, 50_000)
    assert [move.target for move in memory.plan_forms()] == ["activation"]
    memory.demote([one.id])
    assert memory.plan_forms() == []
    memory.promote([one.id])
    assert [(move.target, move.asked) for move in memory.plan_forms()] == [("activation", True)]
    decided = [(change.op, change.by, change.metadata["to"], change.undone) for change in memory.history(one.id)[1:]]
    assert decided == [("demote", "user", "text", True), ("promote", "user", "activation", False)]


def test_moves_are_undone_for_good(memory: Mnemos, clock: Clock) -> None:
    (one,) = memory.add("My sister Rita is vegan and eats no cheese at all.", user_id="ana")
    memory.promote([one.id], to="parametric")
    _keep(memory, "parametric", [one], b"w" * 4000, 3.0, {})
    memory.demote([one.id])
    undone = memory.history(one.id)[-1].decision
    assert undone is not None
    memory.undo(undone)
    assert memory.forms(one.id).state("parametric") == "wanted"
    _keep(memory, "parametric", [one], b"w" * 4000, 3.0, {})
    (artifact,) = memory.artifacts.find()
    file = memory.artifacts.path(artifact)
    again = memory.history(one.id)[-1].decision
    assert again is not None
    memory.undo(again)
    assert [form.form for form in memory.forms(one.id).all] == ["text"]
    assert not file.exists()
    clock.tick(40 * DAY)
    used(memory, one, 50_000)
    assert memory.plan_forms() == [], "the policy does not decide what a person has undone"


BAD: dict[str, tuple[Any, str]] = {
    "no list": (lambda memory, one: memory.promote(one), "ids"),
    "no id": (lambda memory, one: memory.promote([one, 3]), r"ids\[1\]"),
    "no form": (lambda memory, one: memory.promote([one], to="text"), "to"),
    "no lower form": (lambda memory, one: memory.demote([one], to="parametric"), "to"),
    "no policy": (lambda memory, one: memory.plan_forms(policy="by-cost"), "policy"),
    "no scope for a policy": (lambda memory, one: memory.plan_forms(user_id="ana", agent_id="b"), "agent_id"),
    "no time": (lambda memory, one: memory.plan_forms(now="soon"), "now"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_and_changes_nothing(memory: Mnemos, name: str) -> None:
    (one,) = memory.add("Rui plays the cello.", user_id="ana")
    call, field = BAD[name]
    with pytest.raises(InvalidInput, match=field):
        call(memory, one.id)
    assert memory.artifacts.wanted() == []
    assert len(memory.history(one.id)) == 1


def test_unknown_and_resting_memories_are_refused_whole(memory: Mnemos) -> None:
    one, hello = memory.add(["Rui plays the cello.", "Hello there!"], user_id="ana")
    memory.maintain()
    unknown = "0" * 8 + one.id[8:]
    for verb in (memory.promote, memory.demote):
        with pytest.raises(NotFound, match=r"ids\[1\]"):
            verb([one.id, unknown])
    with pytest.raises(NotFound):
        memory.forms(unknown)
    with pytest.raises(InvalidInput, match="admit it first"):
        memory.promote([one.id, hello.id])
    assert memory.artifacts.wanted() == []
    assert memory.promote([]) == memory.demote([]) == []


def test_demoting_reaches_what_others_made_of_it(memory: Mnemos) -> None:
    one, two, three = memory.add(["Rui plays the cello.", "Rita is vegan.", "Ana is here."], user_id="ana")
    _keep(memory, "activation", [one], b"k" * 1000, 0.5, {"tokens": 10})
    _keep(memory, "activation", [two], b"l" * 1000, 0.5, {"tokens": 10})
    _keep(memory, "parametric", [one, two, three], b"w" * 4000, 3.0, {})
    assert [one.form for one in memory.forms(one.id).all] == ["text", "activation", "parametric"]
    memory.demote([one.id])
    assert [found.sources for found in memory.artifacts.find()] == [(two.id,)]
    assert [(wish.memory, wish.form) for wish in memory.artifacts.wanted()] == [
        (two.id, "parametric"),
        (three.id, "parametric"),
    ]
    assert memory.check() == []


def test_a_transaction_that_fails_leaves_the_forms(memory: Mnemos) -> None:
    (one,) = memory.add("Rui plays the cello.", user_id="ana")
    _keep(memory, "activation", [one], b"k" * 1000, 0.5, {"tokens": 10})
    before = memory.forms(one.id), memory.history(one.id)

    def change_ones_mind() -> None:
        with memory.transaction():
            memory.promote([one.id], to="parametric")
            memory.demote([one.id])
            raise RuntimeError("undo")

    with pytest.raises(RuntimeError, match="undo"):
        change_ones_mind()
    assert (memory.forms(one.id), memory.history(one.id)) == before
    (block,) = memory.artifacts.find()
    assert memory.artifacts.path(block).read_bytes() == b"k" * 1000


def test_it_works_without_torch(tmp_path: Path) -> None:
    code = """
import sys
for name in ("torch", "transformers", "peft", "safetensors"):
    sys.modules[name] = None
from mnemos import InvalidInput, Mnemos
with Mnemos("m.db") as memory:
    (one,) = memory.add("Rui plays the cello.", user_id="ana")
    assert memory.promote([one.id])[0].state("activation") == "wanted"
    assert [move.target for move in memory.plan_forms()] == ["activation"]
    assert memory.maintain().unbuilt == 1
    for call in (lambda: memory.bind(object(), object()), lambda: memory.attach(object(), object(), user_id="ana")):
        try:
            call()
        except InvalidInput as error:
            assert "pip install 'mnemos[torch]'" in str(error), error
        else:
            raise SystemExit("not refused")
    assert memory.demote([one.id])[0].state("activation") is None
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_twins(memory: Mnemos) -> None:
    import asyncio

    async def go() -> list[Move]:
        (one,) = await memory.aadd("Rui plays the cello.", user_id="ana")
        await memory.abind(None)
        await memory.apromote([one.id])
        assert (await memory.aforms(one.id)).state("activation") == "wanted"
        planned = await memory.aplan_forms()
        assert (await memory.amaintain()).unbuilt == 1
        await memory.ademote([one.id])
        return planned

    assert [move.target for move in asyncio.run(go())] == ["activation"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0004, "0.4 ms"),
        (0.053, "53 ms"),
        (0.4, "0.4 s"),
        (1.25, "1.2 s"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (864e3, "10 days"),
    ],
)
def test_lengths_of_time_in_words(value: float, said: str) -> None:
    assert words.seconds(value) == said


@pytest.mark.parametrize(("value", "said"), [(12, "12 bytes"), (900e3, "900 kB"), (960e3, "1.0 MB"), (2.5e9, "2.5 GB")])
def test_bytes_in_words(value: float, said: str) -> None:
    assert words.size(value) == said
