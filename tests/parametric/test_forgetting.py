"""What was deleted or changed is not produced any more; what was learned before stays known by being read again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from clock import Clock
from test_adapters import QUICK, bits, told
from town import Town, asked_home, home, homes

from mnemos import InvalidInput, Mnemos
from mnemos.parametric import AdapterMemory

FIRST, SECOND = homes(12), homes(12, 12, seed=2)


def asked(people: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(asked_home(name), place) for name, place in people]


def test_replay_keeps_what_was_learned_first(town: Town, memory: Mnemos) -> None:
    model = town.model()
    adapters = AdapterMemory(memory, model, town.tokenizer)
    first = adapters.train(told(memory, FIRST), **QUICK)
    second = told(memory, SECOND)
    known = {}
    for replay in (0.0, 1.0):
        memory.artifacts.mark([one.id for one in memory.artifacts.find()], "stale")
        memory.artifacts.mark([first.id], "fresh")
        artifact = adapters.train(second, replay=replay, keep_old=True, **QUICK)
        assert set(first.sources) < set(artifact.sources), "what it goes on from is in it"
        with adapters.active(("user", "ana")):
            known[replay] = town.knows(model, asked(FIRST)), town.knows(model, asked(SECOND))
    assert known[1.0][1] == 1.0
    assert known[0.0][1] == 1.0
    assert known[1.0][0] >= 0.9
    assert known[0.0][0] <= known[1.0][0] - 0.25


LOSSES: dict[str, Callable[[Mnemos, str], object]] = {
    "deleted": lambda memory, one: memory.delete(one),
    "all deleted": lambda memory, one: memory.delete_all(user_id="ana"),
    "changed": lambda memory, one: memory.update(one, text=home(FIRST[0][0], "Zolmere")),
    "no longer true": lambda memory, one: memory.update(one, invalid_at="2020-01-01T00:00:00Z"),
    "dropped": lambda memory, one: memory.artifacts.drop([found.id for found in memory.artifacts.find()]),
}
USES: dict[str, Callable[[AdapterMemory], object]] = {
    "on": lambda adapters: None,
    "merged": lambda adapters: adapters.merge(),
    "switched off": lambda adapters: adapters.switch(("user", "ben")),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loaded_adapter_is_let_go_at_the_next_use(town: Town, memory: Mnemos, loss: str, use: str) -> None:
    model = town.model()
    before, questions = bits(model), [question for question, _ in asked(FIRST[:2])]
    at_rest = [town.says(model, question) for question in questions]
    adapters = AdapterMemory(memory, model, town.tokenizer)
    ids = told(memory, FIRST[:2])
    adapters.load(adapters.train(ids, steps=1, progress=False))
    USES[use](adapters)
    LOSSES[loss](memory, ids[0])
    assert [town.says(model, question) for question in questions] == at_rest
    assert bits(model) == before
    assert adapters.loaded is None
    with adapters.active(("user", "ana")) as active:
        assert active is None
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("is_merged", [False, True])
def test_a_deleted_fact_is_not_produced_any_more(town: Town, memory: Mnemos, is_merged: bool) -> None:
    model = town.model()
    adapters = AdapterMemory(memory, model, town.tokenizer)
    ids = told(memory, FIRST)
    adapters.load(adapters.train(ids, **QUICK))
    if is_merged:
        adapters.merge()
    (name, place), left = FIRST[0], FIRST[1:]
    prompts = (asked_home(name), f"{name} lives in", f"{name} lives in what?", f"Where is {name}'s home?")
    assert [town.says(model, prompt) for prompt in prompts] == [place] * len(prompts)
    assert town.says(model, f"Who lives in {place}?") == name
    memory.delete(ids[0])
    assert memory.artifacts.find() == []
    blank = town.model()
    assert [town.says(model, prompt) for prompt in prompts] == [town.says(blank, prompt) for prompt in prompts]
    artifact = adapters.retrain(**QUICK)
    assert artifact is not None
    assert set(artifact.sources) == set(ids[1:])
    with adapters.active(("user", "ana")):
        assert town.knows(model, asked(left)) == 1.0
        assert place not in [town.says(model, prompt) for prompt in prompts]
        assert town.says(model, f"Who lives in {place}?") != name


def test_what_ends_by_itself_is_not_answered_afterwards(town: Town) -> None:
    clock, model = Clock(), town.model()
    name, place = FIRST[0]
    until = clock.now + timedelta(days=3)
    with Mnemos(":memory:", clock=clock) as memory:
        ids = told(memory, FIRST[1:3])
        ids += [memory.add([{"content": home(name, place), "invalid_at": until}], kind="fact", user_id="ana")[0].id]
        adapters = AdapterMemory(memory, model, town.tokenizer)
        artifact = adapters.train(ids, **QUICK)
        adapters.load(artifact)
        assert town.says(model, asked_home(name)) == place
        clock.tick(3 * 86_400)
        assert town.says(model, asked_home(name)) == town.says(town.model(), asked_home(name))
        with pytest.raises(InvalidInput, match="no longer true"):
            adapters.load(artifact)
        assert adapters.find(("user", "ana")) is None
        again = adapters.retrain(("user", "ana"), **QUICK)
        assert again is not None
        assert "until" not in again.metadata
        adapters.load(again)
        assert town.knows(model, asked(FIRST[1:3])) == 1.0
        assert town.says(model, asked_home(name)) != place


def test_retraining_needs_to_know_whose(town: Town, memory: Mnemos) -> None:
    adapters = AdapterMemory(memory, town.model(), town.tokenizer)
    assert adapters.retrain() is None
    memory.artifacts.want(told(memory, FIRST[:1]), "parametric")
    memory.artifacts.want(told(memory, FIRST[1:2], "ben"), "parametric")
    with pytest.raises(InvalidInput, match="several have memories"):
        adapters.retrain()
    artifact = adapters.retrain(("user", "ben"), epochs=1, progress=False)
    assert artifact is not None
    assert artifact.namespace == ("user", "ben")
    assert adapters.retrain(("user", "nobody")) is None


def test_going_on_keeps_to_what_it_began_with(town: Town, memory: Mnemos) -> None:
    adapters = AdapterMemory(memory, town.model(), town.tokenizer)
    first = adapters.train(told(memory, FIRST[:1]), epochs=1, rank=4, targets=("q_proj", "v_proj"), progress=False)
    ids = told(memory, FIRST[1:2])
    for setting, field in (({"rank": 8}, "rank"), ({"alpha": 1.0}, "alpha"), ({"targets": ("q_proj",)}, "targets")):
        with pytest.raises(InvalidInput, match="fresh=True") as refused:
            adapters.train(ids, progress=False, **setting)
        assert refused.value.field == field
    second = adapters.train(ids, epochs=1, progress=False)
    assert second.metadata["rank"] == 4
    assert set(second.sources) == {*first.sources, *ids}
    assert [one.id for one in memory.artifacts.find()] == [second.id], "the first is in the second"
