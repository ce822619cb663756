"""What is wanted in a form is made, made again, and goes, for a real model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from clock import Clock  # noqa: E402
from models_built import REFUSED, build  # noqa: E402
from stores_built import tokenizer_of  # noqa: E402
from town import Town, asked_home, bits, home, homes, told  # noqa: E402

from mnemos import InvalidInput, Mnemos  # noqa: E402
from mnemos.forms.measured import Measured  # noqa: E402
from mnemos.forms.policy import ByHand  # noqa: E402
from mnemos.parametric.course import Report  # noqa: E402
from mnemos.store.artifacts import Artifact  # noqa: E402

PEOPLE = homes(5)
COURSE = {"lr": 5e-3, "rank": 8}
COSTS = Measured(assumed=())


def tell(memory: Mnemos, people: list[tuple[str, str]] = PEOPLE, user: str = "ana") -> list[str]:
    """The ids of facts that say where people live."""
    return told(memory, people, user)


@pytest.fixture
def bound(memory: Mnemos, town: Town) -> Mnemos:
    """A store with a model that nothing moves for by itself."""
    memory.bind(town.model(), town.tokenizer, policy=ByHand(), costs=COSTS, course=COURSE)
    return memory


def states(memory: Mnemos, ids: list[str], form: Any) -> list[str | None]:
    return [memory.forms(one).state(form) for one in ids]


def adapter(memory: Mnemos) -> Artifact:
    (found,) = memory.artifacts.find(form="parametric")
    return found


def test_what_is_promoted_is_made_and_nothing_else(bound: Mnemos) -> None:
    ids = tell(bound)
    bound.promote(ids[:2])
    bound.promote(ids[2:4], to="parametric")
    assert states(bound, ids, "activation") == ["wanted", "wanted", None, None, None]
    assert states(bound, ids, "parametric") == [None, None, "wanted", "wanted", None]
    done = bound.maintain()
    assert (done.built, done.unbuilt, done.notes) == (4, 0, ())
    assert states(bound, ids, "activation") == ["fresh", "fresh", None, None, None]
    assert states(bound, ids, "parametric") == [None, None, "fresh", "fresh", None]
    text, made = bound.forms(ids[0]).all
    assert (text.form, text.bytes, text.artifact) == ("text", len(home(*PEOPLE[0])), None)
    found = bound.artifacts.get(made.artifact or "")
    assert found is not None
    assert (made.recipe, made.bytes, made.sources) == ("kv-full", found.bytes, (ids[0],))
    assert found.fingerprint.startswith(made.model or "?")
    assert adapter(bound).sources == tuple(ids[2:4])
    assert bound.maintain().built == 0, "what is there is not made again"


CHANGES: dict[str, Callable[[Mnemos, str], object]] = {
    "other words": lambda memory, one: memory.update(one, text=home(PEOPLE[0][0], "Zolmere")),
    "no longer true": lambda memory, one: memory.update(one, invalid_at="2020-01-01T00:00:00Z"),
    "another day": lambda memory, one: memory.update(one, happened_at="2020-01-01T00:00:00Z"),
    "dropped": lambda memory, one: memory.artifacts.drop([found.id for found in memory.artifacts.find()]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_made_again(bound: Mnemos, town: Town, change: str) -> None:
    ids = tell(bound, PEOPLE[:2])
    bound.promote(ids)
    bound.promote(ids, to="parametric")
    bound.maintain()
    before = {one.id for one in bound.artifacts.find()}
    CHANGES[change](bound, ids[0])
    assert bound.forms(ids[0]).state("activation") in ("wanted", "stale")
    assert states(bound, ids, "parametric") in (["wanted"] * 2, ["stale"] * 2)
    planned = bound.plan_forms()
    assert {one.target for one in planned} == {"activation", "parametric"}
    assert bound.maintain().built == sum(len(one.memories) for one in planned)
    assert states(bound, ids, "activation") == states(bound, ids, "parametric") == ["fresh", "fresh"]
    assert adapter(bound).sources == tuple(ids)
    assert adapter(bound).id not in before
    assert bound.plan_forms() == bound.check() == []


def test_what_is_deleted_is_gone_from_every_form(bound: Mnemos, town: Town) -> None:
    ids = tell(bound)
    bound.promote(ids)
    bound.promote(ids, to="parametric")
    bound.maintain()
    name, place = PEOPLE[0]
    model = town.model()
    bound.bind(model, town.tokenizer, policy=ByHand(), costs=COSTS, course=COURSE)
    assert bound._bound is not None
    with bound._bound.weights.active(("user", "ana")):
        assert town.says(model, asked_home(name)) == place
    bound.delete(ids[0])
    assert bound.artifacts.find(form="parametric") == [], "the adapter goes at once"
    assert [one.sources for one in bound.artifacts.find(form="activation")] == [(one,) for one in reversed(ids[1:])]
    assert bound.maintain().built == 4
    assert adapter(bound).sources == tuple(ids[1:])
    with bound._bound.weights.active(("user", "ana")):
        assert town.says(model, asked_home(name)) != place
        assert all(town.says(model, asked_home(other)) == there for other, there in PEOPLE[1:])


def test_one_of_several_is_demoted_from_the_adapter(bound: Mnemos) -> None:
    ids = tell(bound)
    bound.promote(ids, to="parametric")
    bound.maintain()
    (forms,) = bound.demote(ids[:1])
    assert [one.form for one in forms.all] == ["text"]
    assert bound.artifacts.find() == []
    assert states(bound, ids, "parametric") == [None, *["wanted"] * 4]
    (move,) = bound.plan_forms()
    assert (move.memories, move.target, move.asked) == (tuple(ids[1:]), "parametric", True)
    assert bound.maintain().built == 4
    assert adapter(bound).sources == tuple(ids[1:])


def test_weights_are_demoted_to_keys_and_values(bound: Mnemos) -> None:
    ids = tell(bound, PEOPLE[:2])
    bound.promote(ids, to="parametric")
    bound.maintain()
    bound.demote(ids, to="activation")
    assert bound.artifacts.find() == []
    bound.maintain()
    assert states(bound, ids, "activation") == ["fresh", "fresh"]
    assert states(bound, ids, "parametric") == [None, None]


def test_what_comes_later_joins_the_adapter(bound: Mnemos) -> None:
    ids = tell(bound)
    bound.promote(ids[:3], to="parametric")
    bound.maintain()
    first = adapter(bound)
    bound.promote(ids[3:], to="parametric")
    (move,) = bound.plan_forms()
    assert move.memories == tuple(ids[3:])
    assert "lacks 2" in move.reason
    assert bound.maintain().built == 2
    assert adapter(bound).sources == tuple(ids)
    assert adapter(bound).id != first.id


def test_namespaces_are_not_mixed(bound: Mnemos, town: Town) -> None:
    ana, ben = tell(bound, PEOPLE[:2], "ana"), tell(bound, PEOPLE[2:], "ben")
    bound.promote([*ana, *ben], to="parametric")
    bound.promote([*ana, *ben])
    assert {one.memories for one in bound.plan_forms(user_id="ben") if one.target == "parametric"} == {tuple(ben)}
    bound.maintain()
    assert {one.namespace[1]: one.sources for one in bound.artifacts.find(form="parametric")} == {
        "ana": tuple(ana),
        "ben": tuple(ben),
    }
    assert bound._bound is not None
    name, place = PEOPLE[0]
    with bound._bound.weights.active(("user", "ben")):
        assert town.says(bound._bound.model, asked_home(name)) != place


def test_without_a_model_wishes_stay_and_it_says_so(memory: Mnemos) -> None:
    ids = tell(memory)
    memory.promote(ids[:1])
    memory.promote(ids, to="parametric")
    for _ in range(2):
        done = memory.maintain()
        assert (done.built, done.unbuilt) == (0, 6)
        assert "6 forms are wanted and wait: bind(" in done.notes[0]
    assert states(memory, ids, "parametric") == ["wanted"] * 5
    assert memory.artifacts.find() == []


def test_letting_go_of_the_model_makes_nothing_more(bound: Mnemos) -> None:
    bound.bind(None)
    bound.promote(tell(bound))
    assert bound.maintain().unbuilt == 5


def test_while_it_is_made_others_see_it(bound: Mnemos, town: Town) -> None:
    ids = tell(bound, PEOPLE[:2])
    bound.promote(ids, to="parametric")
    seen: list[list[str | None]] = []
    course = {**COURSE, "progress": lambda report: seen.append(states(bound, ids, "parametric"))}
    bound.bind(town.model(), town.tokenizer, policy=ByHand(), costs=COSTS, course=course)
    bound.maintain()
    assert seen
    assert seen[0] == ["building", "building"]
    assert states(bound, ids, "parametric") == ["fresh", "fresh"]


def test_a_crash_in_training_leaves_everything_as_it_was(bound: Mnemos, town: Town) -> None:
    ids = tell(bound)
    bound.promote(ids[:2], to="parametric")
    bound.maintain()
    had = adapter(bound)
    bound.promote(ids[2:], to="parametric")

    def stop(report: Report) -> None:
        raise MemoryError("no room on the card")

    model = town.model()
    before = bits(model), bound.artifacts.wanted(), bound.artifacts.find(), bound.plan_forms()
    bound.bind(model, town.tokenizer, policy=ByHand(), costs=COSTS, course={**COURSE, "progress": stop})
    with pytest.raises(MemoryError):
        bound.maintain()
    assert (bits(model), bound.artifacts.wanted(), bound.artifacts.find(), bound.plan_forms()) == before
    assert bound.check() == []
    assert adapter(bound) == had
    bound.bind(model, town.tokenizer, policy=ByHand(), costs=COSTS, course=COURSE)
    assert bound.maintain().built == 3


def test_what_training_refuses_is_noted_and_the_rest_is_made(bound: Mnemos, town: Town) -> None:
    ids = tell(bound)
    bound.promote(ids[:1])
    bound.promote(ids[1:], to="parametric")
    bound.bind(town.model(), town.tokenizer, policy=ByHand(), costs=COSTS, course={**COURSE, "lr": 1e30})
    done = bound.maintain()
    assert (done.built, done.unbuilt) == (1, 4)
    assert "4 memories were not made weights" in done.notes[0]
    assert "lower lr" in done.notes[0]
    assert states(bound, ids, "parametric") == [None, *["wanted"] * 4]


def test_a_model_whose_keys_cannot_be_moved_has_no_blocks(memory: Mnemos) -> None:
    memory.bind(build(REFUSED["cohere"][0]()), tokenizer_of(), policy=ByHand())
    (one,) = memory.add("The dog is called Rex.", user_id="ana")
    memory.promote([one.id])
    assert memory.plan_forms() == []
    done = memory.maintain()
    assert (done.built, done.unbuilt) == (0, 1)
    assert "1 memories were not made keys and values: model:" in done.notes[0]
    assert memory.forms(one.id).state("activation") == "wanted"


def test_a_quota_that_is_too_small_is_told_and_not_tried_for_ever(bound: Mnemos, town: Town) -> None:
    ids = tell(bound)
    bound.promote(ids[:2])
    bound.maintain()
    room = bound.artifacts.bytes("activation")
    bound.bind(town.model(), town.tokenizer, quota=room, policy=ByHand(), costs=COSTS)
    bound.promote(ids[2:])
    held = bound.artifacts.find(form="activation")
    done = bound.maintain()
    assert (done.built, done.unbuilt) == (0, 3)
    assert "the quota leaves no room for it" in done.notes[0]
    assert bound.artifacts.find(form="activation") == held, "what is wanted too does not make room"


def test_nobody_trains_while_another_generates(bound: Mnemos) -> None:
    ids = tell(bound, PEOPLE[:2])
    bound.promote(ids, to="parametric")
    assert bound._bound is not None
    with bound._bound.lock.taken():
        done = bound.maintain()
        assert done.notes == ("forms wait: the model is in use",)
        assert done.built == 0
        with pytest.raises(InvalidInput, match="session of this thread"), bound._bound.lock.taken():
            pass
    order: list[str] = []

    def later() -> None:
        assert bound._bound is not None
        with bound._bound.lock.taken():
            order.append("second")

    with bound._bound.lock.taken():
        thread = threading.Thread(target=later)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert bound.maintain().built == 2


def test_what_is_on_the_model_is_not_built_over(bound: Mnemos, town: Town) -> None:
    ids = tell(bound, PEOPLE[:2])
    bound.promote(ids, to="parametric")
    bound.maintain()
    bound.promote(ids[:1])
    assert bound._bound is not None
    with bound._bound.weights.active(("user", "ana")):
        assert "an adapter is on the model" in bound.maintain().notes[0]
    assert bound.maintain().built == 1


def test_what_is_demoted_while_it_is_taught_is_in_no_adapter(bound: Mnemos, town: Town) -> None:
    ids = tell(bound, PEOPLE[:3])
    bound.promote(ids, to="parametric")

    def change_ones_mind(report: Report) -> None:
        if report.epoch == 1:
            bound.demote(ids[:1])

    course = {**COURSE, "progress": change_ones_mind}
    bound.bind(town.model(), town.tokenizer, policy=ByHand(), costs=COSTS, course=course)
    assert "demoted while it was taught" in bound.maintain().notes[0]
    assert bound.artifacts.find() == []
    bound.bind(town.model(), town.tokenizer, policy=ByHand(), costs=COSTS, course=COURSE)
    bound.maintain()
    assert adapter(bound).sources == tuple(ids[1:])


def test_what_another_process_is_making_is_left_to_it(memory: Mnemos, clock: Clock, town: Town) -> None:
    memory.bind(town.model(), town.tokenizer, policy=ByHand(), costs=COSTS, course=COURSE)
    ids = tell(memory, PEOPLE[:2])
    memory.promote(ids)
    memory.promote(ids, to="parametric")
    with memory.artifacts.building(ids[:1], "activation"), memory.artifacts.building(ids[:1], "parametric"):
        assert [one.memories for one in memory.plan_forms()] == [(ids[1],)]
        assert memory.maintain().built == 1
        clock.tick(3_601)
        assert len(memory.plan_forms()) == 2, "it has taken too long, and may have died"
    assert memory.maintain().built == 3


def test_a_block_of_what_was_demoted_meanwhile_goes(bound: Mnemos, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = tell(bound, PEOPLE[:2])
    bound.promote(ids)
    assert bound._bound is not None
    encode = bound._bound.kv.encode

    def demoted_meanwhile(*args: Any) -> Any:
        found = encode(*args)
        bound.demote(ids[:1])
        bound.artifacts.want(ids[1:], "activation")
        encode(ids[:1])
        return found

    monkeypatch.setattr(bound._bound.kv, "encode", demoted_meanwhile)
    done = bound.maintain()
    assert (done.built, done.unbuilt) == (1, 1)
    assert [one.sources for one in bound.artifacts.find()] == [(ids[1],)]


def test_time_that_is_up_leaves_the_rest_for_the_next_time(bound: Mnemos) -> None:
    bound.promote(tell(bound))
    assert bound.maintain(seconds=1e-6).built == 0
    assert bound.maintain(seconds=60).built == 5


def test_another_model_gets_its_own_forms(bound: Mnemos, town: Town) -> None:
    ids = tell(bound, PEOPLE[:2])
    bound.promote(ids)
    bound.maintain()
    other = town.model()
    with torch.no_grad():
        other.lm_head.weight[0, 0] += 1
    bound.bind(other, town.tokenizer, policy=ByHand(), costs=COSTS, course=COURSE)
    assert {one.state for one in bound.forms(ids[0]).of("activation")} == {"wanted", "fresh"}
    assert bound.maintain().built == 2
    assert len({one.model for one in bound.forms(ids[0]).of("activation")}) == 2


BAD: dict[str, dict[str, Any]] = {
    "model": {"model": "llama"},
    "tokenizer": {"tokenizer": None},
    "storage": {"storage": "int2"},
    "quota": {"quota": -1},
    "policy": {"policy": "by-cost"},
    "costs": {"costs": 3},
    "course": {"course": 3},
    "course.fresh": {"course": {"fresh": True}},
    "lr": {"course": {"lr": -1.0}},
}


@pytest.mark.parametrize("field", BAD)
def test_bad_arguments_of_bind_are_named(memory: Mnemos, town: Town, field: str) -> None:
    given = {"model": town.model(), "tokenizer": town.tokenizer, **BAD[field]}
    with pytest.raises(InvalidInput) as raised:
        memory.bind(given.pop("model"), given.pop("tokenizer"), **given)
    assert raised.value.field == field
    assert memory._bound is None


def test_the_model_is_left_as_it_was(bound: Mnemos, town: Town) -> None:
    model = town.model().train()
    before = bits(model), {name: one.training for name, one in model.named_modules()}
    bound.bind(model, town.tokenizer, policy=ByHand(), course=COURSE)
    ids = tell(bound)
    bound.promote(ids[:3])
    bound.promote(ids[3:], to="parametric")
    state = torch.random.get_rng_state()
    assert bound.maintain().built == 5
    assert (bits(model), {name: one.training for name, one in model.named_modules()}) == before
    assert torch.equal(state, torch.random.get_rng_state())


def test_what_says_nothing_is_not_tried_for_ever(bound: Mnemos) -> None:
    (silent,) = bound.add("\x01", user_id="ana")
    bound.promote([silent.id])
    assert bound.plan_forms() == []
    assert bound.maintain().built == 0
