"""What is made of a memory goes with it, in every way in which a memory goes, changes or leaves the index."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from artifacttools import assert_in_step, block, names, rows
from clock import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos import InvalidInput, Memory, Mnemos
from mnemos.gate.weighing import SalienceStage
from mnemos.records import Deletion
from mnemos.store.artifact_rows import Artifact

DAY = 86_400.0


class Made(NamedTuple):
    """A store with a turn, a fact of it, another turn, and an artifact of each; the last is of both turns."""

    memory: Mnemos
    clock: Clock
    turn: Memory
    fact: Memory
    other: Memory
    of_turn: Artifact
    of_fact: Artifact
    of_other: Artifact
    of_both: Artifact

    def left(self) -> set[str]:
        return {one.id for one in self.memory.artifacts.find()}


@pytest.fixture
def made(path: Path, clock: Clock) -> Iterator[Made]:
    with Mnemos(path, clock=clock, stages=[SalienceStage()], derivers={"r": lambda found: found[0].text}) as memory:
        turn, other = memory.add(
            ["My sister Rita is vegan.", "The dog is called Rex."], user_id="ana", happened_at=clock.now, name="Ana"
        )
        fact = memory.derive("Rita is vegan.", sources=[turn.id], recipe="r")
        of = (block(memory, [turn], b"turn"), block(memory, [fact], b"fact"), block(memory, [other], b"other"))
        both = block(memory, [turn, other], b"both", form="parametric", recipe="lora")
        memory.artifacts.want([turn.id, fact.id, other.id], "activation")
        yield Made(memory, clock, turn, fact, other, *of, both)


def deleted(made: Made) -> None:
    assert made.memory.delete(made.turn.id) == Deletion((made.turn.id, made.fact.id), "done")


def expired(made: Made) -> None:
    made.memory.expire(made.turn.id, made.clock.now)
    assert made.left() == {made.of_other.id, made.of_fact.id}, "not given out from that moment on"
    made.clock.tick()
    made.memory.maintain()


def forgotten_and_deleted(made: Made) -> None:
    made.memory.pin(made.other.id)
    made.memory.forget(count=1, user_id="ana", kinds=["turn"])
    made.clock.tick(200 * DAY)
    made.memory.forget(count=1, user_id="ana", kinds=["turn"], delete=True, summarise_after=1, delete_after=2)
    made.clock.tick(200 * DAY)
    made.memory.forget(count=1, user_id="ana", kinds=["turn"], delete=True, summarise_after=1, delete_after=2)
    assert made.memory.get(made.turn.id) is None


def deleted_here_because_deleted_elsewhere(made: Made) -> None:
    file = made.memory.path.with_name("one.jsonl")
    with Mnemos(made.memory.path.with_name("elsewhere.db"), clock=made.clock) as elsewhere:
        made.memory.export_file(file)
        elsewhere.import_file(file)
        made.clock.tick()
        elsewhere.delete(made.turn.id)
        elsewhere.export_file(file)
    made.memory.import_file(file)


@pytest.mark.parametrize("way", [deleted, expired, forgotten_and_deleted, deleted_here_because_deleted_elsewhere])
def test_what_is_made_of_a_memory_goes_with_it(made: Made, way: Callable[[Made], None]) -> None:
    way(made)
    assert made.memory.get(made.turn.id) is None
    assert made.left() == {made.of_other.id}
    made.memory.maintain()
    assert names(made.memory) == {made.of_other.hash}
    assert [w.memory for w in made.memory.artifacts.wanted()] == [made.other.id]
    assert made.memory.verify_erased("My sister Rita is vegan.").clean
    assert_in_step(made.memory)


def test_a_scope_takes_all_of_its_artifacts(made: Made) -> None:
    (kept,) = made.memory.add("mine", user_id="ben")
    stays = block(made.memory, [kept], b"ben")
    made.memory.delete_all(user_id="ana")
    assert made.left() == {stays.id}
    assert names(made.memory) == {stays.hash}
    assert [w.memory for w in made.memory.artifacts.wanted()] == []
    assert_in_step(made.memory)


def words(made: Made) -> None:
    made.memory.update(made.turn.id, text="My sister Rita eats fish.")


def day(made: Made) -> None:
    made.memory.update(made.turn.id, happened_at=made.clock.tick(DAY))


def another_day_elsewhere(made: Made) -> None:
    file = made.memory.path.with_name("one.jsonl")
    made.memory.export_file(file)
    with Mnemos(made.memory.path.with_name("elsewhere.db"), clock=made.clock) as elsewhere:
        elsewhere.import_file(file)
        made.clock.tick()
        elsewhere.update(made.turn.id, text="My sister Rita eats fish.")
        elsewhere.export_file(file)
    made.memory.import_file(file)


@pytest.mark.parametrize("way", [words, day, another_day_elsewhere])
def test_what_says_something_else_has_to_be_made_again(made: Made, way: Callable[[Made], None]) -> None:
    way(made)
    assert made.memory.get(made.turn.id) is not None
    # the fact is hidden until it is derived again of what the turn says now
    assert made.left() - {made.of_fact.id} == {made.of_other.id}
    made.memory.maintain()
    assert made.of_turn.hash not in names(made.memory)
    assert made.of_both.hash not in names(made.memory)
    wanted = [w.memory for w in made.memory.artifacts.wanted(form="activation")]
    assert set(wanted) == {made.turn.id, made.fact.id, made.other.id}
    assert_in_step(made.memory)


def test_a_fact_goes_when_one_of_its_sources_goes(made: Made) -> None:
    both = made.memory.derive("Rita walks Rex.", sources=[made.turn.id, made.other.id], recipe="r")
    of_both = block(made.memory, [both], b"walks")
    made.memory.delete(made.turn.id)
    assert of_both.id not in made.left()
    assert of_both.hash not in names(made.memory)
    made.memory.maintain()
    (again,) = made.memory.list(kinds=["fact"], user_id="ana")
    assert (again.id, again.text) == (both.id, made.other.text)
    assert block(made.memory, [again], b"walks").sources == (both.id,)
    assert_in_step(made.memory)


def test_a_fact_that_is_derived_again_loses_what_was_made_of_it(made: Made) -> None:
    made.memory.update(made.turn.id, text="Rita eats fish.")
    assert made.of_fact.id not in made.left()
    made.memory.maintain()
    fact = made.memory.get(made.fact.id)
    assert fact is not None
    assert fact.text == "Rita eats fish."
    of_fact = block(made.memory, [fact], b"fish")
    made.memory.derive("Rita eats only fish.", sources=[made.turn.id], recipe="r")
    assert of_fact.id not in made.left()
    assert made.memory.check() == [], "the next write removes the file"
    made.memory.add("a write")
    assert_in_step(made.memory)


def test_what_leaves_the_index_leaves_every_form_and_may_come_back(made: Made) -> None:
    made.memory.pin(made.other.id)
    (gone,) = made.memory.forget(count=1, user_id="ana", kinds=["turn"])
    assert gone.id == made.turn.id
    assert made.left() == {made.of_other.id, made.of_fact.id}
    assert made.turn.id not in {w.memory for w in made.memory.artifacts.wanted()}
    made.memory.admit(made.turn.id)
    assert made.turn.id in {w.memory for w in made.memory.artifacts.wanted()}
    back = block(made.memory, [made.turn], b"turn")
    assert back.id in made.left()
    made.memory.undo(made.memory.history(made.turn.id)[-1].decision or "")
    assert back.id not in made.left()
    made.memory.maintain()
    assert_in_step(made.memory)


def test_an_item_that_is_put_again_says_something_else(memory: Mnemos, clock: Clock) -> None:
    first = memory.put("k", {"v": "tea"})
    of_first = block(memory, [first], b"tea")
    memory.rename_item("k", "drink")
    assert memory.artifacts.find() == [of_first]
    changed = memory.put("drink", {"v": "coffee"}, ttl=60)
    assert changed.id == first.id
    assert memory.artifacts.find() == []
    block(memory, [changed], b"coffee")
    clock.tick(61)
    memory.delete_expired()
    assert names(memory) == set()
    item = memory.put("drink", {"v": "water"})
    block(memory, [item], b"water")
    memory.delete_item("drink")
    assert names(memory) == set()
    assert_in_step(memory)


def test_what_ceases_to_be_true_is_out_of_date_but_stays(made: Made) -> None:
    made.memory.update(made.turn.id, invalid_at=made.clock.tick(DAY))
    states = {one.id: one.state for one in made.memory.artifacts.find()}
    assert states[made.of_turn.id] == states[made.of_both.id] == "stale"
    assert states[made.of_other.id] == "fresh"


def test_what_a_fact_states_is_read_of_its_metadata(memory: Mnemos) -> None:
    said = {"subject": "Rita", "relation": "lives in", "object": "Porto"}
    (fact,) = memory.add([{"content": "Rita lives in Porto.", "kind": "fact", "metadata": said}])
    made = block(memory, [fact], b"x")
    memory.update(fact.id, metadata={**said, "seen": 1})
    assert memory.artifacts.find() == [made]
    memory.update(fact.id, metadata={**said, "object": "Lisbon"})
    assert memory.artifacts.find() == []
    with pytest.raises(InvalidInput, match="has changed"):
        block(memory, [fact], b"x")
    memory.maintain()
    assert_in_step(memory)


def test_what_nobody_reads_may_change(made: Made) -> None:
    memory, before = made.memory, made.memory.artifacts.find()
    memory.update(made.turn.id, metadata={"seen": True}, trust=0.5)
    memory.link(made.turn.id, made.other.id)
    memory.pin(made.turn.id)
    memory.search("Who is vegan?", user_id="ana")
    memory.context("Who is vegan?", user_id="ana")
    memory.maintain()
    memory.reindex()
    after = [one for one in memory.artifacts.find() if one.id != made.of_fact.id]
    assert after == [one for one in before if one.id != made.of_fact.id]
    memory.delete(made.fact.id)
    assert made.left() == {one.id for one in after}
    assert_in_step(memory)


def test_row_and_memory_go_in_one_transaction_and_files_after_it(made: Made, path: Path) -> None:
    with contextlib.suppress(ZeroDivisionError), made.memory.transaction():
        made.memory.delete(made.turn.id)
        assert made.left() == {made.of_other.id}
        assert made.of_turn.hash in names(made.memory)
        raise ZeroDivisionError
    assert made.memory.get(made.turn.id) is not None
    assert_in_step(made.memory)
    assert made.of_turn.id in made.left()
    with made.memory.transaction():
        made.memory.delete(made.turn.id)
        assert (made.of_turn.id, made.of_turn.hash) in rows(path), "others still see both"
    assert names(made.memory) == {made.of_other.hash}
    assert_in_step(made.memory)


WAYS = ("add", "keep", "both", "text", "time", "metadata", "derive", "delete", "expire", "forget", "admit", "put",
        "drop", "reindex", "maintain", "reopen", "undone", "clear")  # fmt: skip
READ = ("text", "speaker", "role", "happened_at")


@settings(max_examples=8)
@given(st.lists(st.sampled_from(WAYS), min_size=10, max_size=30), st.integers(0, 2**32))
def test_whatever_is_done_artifacts_are_of_what_is_there_and_nothing_else_is_lost(
    tmp_path: Path, steps: list[str], seed: int
) -> None:
    store = Anything(Path(tempfile.mkdtemp(dir=tmp_path)) / "memory.db", random.Random(seed))
    try:
        for step in ("add", "add", "keep", "both", *steps):
            getattr(store, f"do_{step}")()
            store.assert_promise()
        store.memory.maintain()
        assert_in_step(store.memory)
    finally:
        store.memory.close()


class Anything:
    """A store to which anything is done, and what it promised."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self.path, self.rng, self.clock = path, rng, Clock()
        self.memory = self.open()
        self.kept: dict[str, tuple[Memory, ...]] = {}
        self.put = 0

    def open(self) -> Mnemos:
        return Mnemos(self.path, clock=self.clock, stages=[SalienceStage()], derivers={"r": lambda m: m[0].text})

    def some(self) -> list[Memory]:
        return list(self.memory.list(user_id="ana", kinds=["turn", "fact", "item"]))

    def one(self, **where: object) -> Memory | None:
        found = [m for m in self.some() if all(getattr(m, name) == value for name, value in where.items())]
        return self.rng.choice(found) if found else None

    def do_add(self) -> None:
        self.memory.add(f"turn {self.rng.random()}", user_id="ana", name="Ana", happened_at=self.clock.tick())

    def do_keep(self) -> None:
        if one := self.one(resting=None):
            self.kept[block(self.memory, [one], self.rng.randbytes(4)).id] = (one,)

    def do_both(self) -> None:
        found = [m for m in self.some() if m.resting is None][:2]
        if found:
            # some share a file
            self.kept[block(self.memory, found, bytes([self.rng.randrange(3)]), form="parametric").id] = tuple(found)

    def do_text(self) -> None:
        if one := self.one(kind="turn"):
            self.memory.update(one.id, text=f"changed {self.rng.random()}")

    def do_time(self) -> None:
        if one := self.one(kind="turn"):
            self.memory.update(one.id, happened_at=self.clock.tick(DAY))

    def do_metadata(self) -> None:
        if one := self.one(kind="turn"):
            self.memory.update(one.id, metadata={"n": self.rng.random()})

    def do_derive(self) -> None:
        turns = [m for m in self.some() if m.kind == "turn"][:2]
        if turns:
            self.memory.derive(f"fact {self.rng.random()}", sources=[m.id for m in turns], recipe="r")

    def do_delete(self) -> None:
        if one := self.one():
            self.memory.delete(one.id)

    def do_expire(self) -> None:
        if one := self.one(kind="turn"):
            self.memory.expire(one.id, self.clock.tick())

    def do_forget(self) -> None:
        self.memory.forget(share=0.5, user_id="ana", kinds=["turn"], delete=True, summarise_after=0, delete_after=0)
        self.clock.tick(DAY)

    def do_admit(self) -> None:
        if one := self.one(resting="forgotten"):
            self.memory.admit(one.id)

    def do_put(self) -> None:
        self.put += 1
        self.memory.put(f"k{self.put % 2}", {"v": f"item {self.rng.random()}"}, user_id="ana")

    def do_drop(self) -> None:
        if found := self.memory.artifacts.find():
            gone = self.rng.choice(found)
            self.memory.artifacts.drop([gone.id])
            self.kept.pop(gone.id, None)

    def do_reindex(self) -> None:
        self.memory.reindex()

    def do_maintain(self) -> None:
        self.memory.maintain()

    def do_reopen(self) -> None:
        self.memory.close()
        self.memory = self.open()

    def do_undone(self) -> None:
        kept = dict(self.kept)
        with contextlib.suppress(ZeroDivisionError), self.memory.transaction():
            self.do_delete()
            self.do_text()
            self.do_keep()
            raise ZeroDivisionError
        self.kept = kept

    def do_clear(self) -> None:
        if self.rng.random() < 0.3:
            self.memory.delete_all(user_id="ana")

    def assert_promise(self) -> None:
        held = {one.id for one in self.memory.artifacts.find()}
        promised = {one for one, sources in self.kept.items() if all(map(self.stands, sources))}
        # what was hidden for a while may look as it did, and its artifacts have gone all the same
        facts = {one for one in promised if any(source.kind == "fact" for source in self.kept[one])}
        assert promised - facts <= held <= promised
        self.kept = {one: sources for one, sources in self.kept.items() if one in held}

    def stands(self, read: Memory) -> bool:
        now = self.memory.get(read.id)
        return (
            now is not None and now.resting is None and all(getattr(now, name) == getattr(read, name) for name in READ)
        )
