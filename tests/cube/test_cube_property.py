"""Whatever a store went through: what is exported of it, imported and exported again is the same bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from clock import Clock
from cubetools import MODEL, OTHER, keep
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos import Memory, Mnemos
from mnemos.cube import MemCube, compare, fuse

WORDS = st.sampled_from(
    ["Rita is vegan.", "Rex lives in Paris.", "My dog is called Max.", 'ü \u2028 \\u0000 "x"', "ok"]
)
PLACES = st.integers(0, 7)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), WORDS, st.booleans()),
        st.tuples(st.just("update"), PLACES, WORDS),
        st.tuples(st.just("delete"), PLACES),
        st.tuples(st.just("put"), st.sampled_from("kl"), WORDS),
        st.tuples(st.just("drop"), st.sampled_from("kl")),
        st.tuples(st.just("derive"), PLACES, PLACES, WORDS),
        st.tuples(st.just("link"), PLACES, PLACES),
        st.tuples(st.just("close"), PLACES),
        st.tuples(st.just("block"), PLACES, st.booleans()),
        st.tuples(st.just("adapter"), PLACES, PLACES),
        st.tuples(st.just("want"), PLACES),
        st.tuples(st.just("pin"), PLACES),
        st.tuples(st.just("use"), PLACES),
        st.tuples(st.just("maintain")),
        st.tuples(st.just("tick")),
    ),
    min_size=3,
    max_size=24,
)


class Life:
    """A store, and what happens to it."""

    def __init__(self, memory: Mnemos, clock: Clock) -> None:
        self.memory = memory
        self.clock = clock

    def held(self) -> list[Memory]:
        kinds = ["turn", "fact", "item", "theme"]
        return list(self.memory.list(user_id="ana", kinds=kinds))

    def do(self, what: str, *given: object) -> None:
        step: Callable[..., object] = getattr(self, what)
        held = self.held()
        if held or not any(type(one) is int for one in given):
            step(*(held[one % len(held)] if type(one) is int else one for one in given))

    def add(self, text: str, dated: bool) -> None:
        when = {"happened_at": self.clock.now} if dated else {}
        self.memory.add({"content": text, "name": "Ana", **when}, user_id="ana")

    def update(self, one: Memory, text: str) -> None:
        if one.recipe is None and one.key is None:
            self.memory.update(one.id, text=text)

    def delete(self, one: Memory) -> None:
        self.memory.delete(one.id)

    def put(self, key: str, value: str) -> None:
        self.memory.put(key, value, user_id="ana", ttl=600)

    def drop(self, key: str) -> None:
        if self.memory.get_item(key, user_id="ana") is not None:
            self.memory.delete_item(key, user_id="ana")

    def derive(self, one: Memory, other: Memory, text: str) -> None:
        kind = "theme" if one.kind == "fact" else "fact"
        self.memory.derive(text, sources=[one.id, other.id], recipe="r", kind=kind)

    def link(self, one: Memory, other: Memory) -> None:
        self.memory.link(one.id, other.id, "near")

    def close(self, one: Memory) -> None:
        if one.recipe is None and one.key is None:
            self.memory.update(one.id, invalid_at="2026-04-01T00:00:00Z")

    def block(self, one: Memory, other_model: bool) -> None:
        if one.resting is None:
            keep(self.memory, [one], one.id.encode(), model=OTHER if other_model else MODEL)

    def adapter(self, one: Memory, other: Memory) -> None:
        if one.id != other.id:
            keep(self.memory, [one, other], one.id.encode(), form="parametric")

    def want(self, one: Memory) -> None:
        self.memory.artifacts.want([one.id], "activation")

    def pin(self, one: Memory) -> None:
        self.memory.pin(one.id)

    def use(self, one: Memory) -> None:
        self.memory._store.record_uses({one.id: 1}, 1_700_000_000_000_000)

    def maintain(self) -> None:
        self.memory.maintain()

    def tick(self) -> None:
        self.clock.tick(30)


@settings(max_examples=25)
@given(STEPS, st.booleans(), st.data())
def test_out_and_in_and_out_again(steps: list[tuple[object, ...]], by_id: bool, data: st.DataObject) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        a, b, c = (Path(folder, name) for name in ("a.cube", "b.cube", "c.cube"))
        with Mnemos(Path(folder, "a.db"), clock=clock) as memory:
            life = Life(memory, clock)
            life.add("the first", True)
            for step in steps:
                life.do(*step)  # type: ignore[arg-type]
            held = [one.id for one in life.held()]
            if not by_id:
                scope = {}
            else:
                scope = {"ids": data.draw(st.lists(st.sampled_from(held), min_size=1, unique=True))} if held else {}
            first = memory.export_cube(a, **scope)
            with MemCube(a) as cube:
                told = {one.id: one for one in cube.memories()}
                assert told.keys() >= set(scope.get("ids", ()))
                for memory_id, one in told.items():
                    mine = memory.get(memory_id)
                    assert mine is not None
                    assert one.text == mine.text
                    assert one.metadata == mine.metadata
        clock.tick(5)
        with Mnemos(Path(folder, "b.db"), clock=clock) as other:
            done = other.import_cube(a)
            assert (done.repeated, done.left, done.conflicts) == (0, {}, ())
            assert other.check() == []
            again = other.import_cube(a)
            assert (again.added, again.artifacts, again.wanted) == (0, (), 0)
            second = other.export_cube(b, **scope)
            assert b.read_bytes() == a.read_bytes(), "the same bytes"
            assert (second.left, second.manifest) == ({}, first.manifest)
        fused = fuse(a, b, c)
        assert (fused.conflicts, fused.left, c.read_bytes()) == ((), {}, a.read_bytes())
        assert not compare(a, c)
