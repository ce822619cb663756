"""Whatever is done in whatever order: no form outlives its memory, and maintain brings about just what is wanted."""

from __future__ import annotations

import os
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from clock import Clock  # noqa: E402
from hypothesis import Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from test_scheduler_moves import COSTS, DAY, used  # noqa: E402
from town import Town, home, homes  # noqa: E402

from mnemos import Mnemos, NotFound  # noqa: E402

PEOPLE = homes(4)
WHICH = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["promote", "teach", "demote", "block", "delete", "change", "end", "use"]), WHICH),
    st.tuples(st.sampled_from(["maintain", "wait", "delete all", "clear", "reindex", "drop"]), st.just(0)),
)


class Run:
    """A store, four memories of two people, and what should be true of them."""

    def __init__(self, town: Town) -> None:
        self.clock = Clock()
        self.memory = Mnemos(":memory:", clock=self.clock)
        course = {"lr": 5e-3, "rank": 4, "steps": 2}
        self.memory.bind(town.model(), town.tokenizer, costs=COSTS, course=course)
        told = [home(*one) for one in PEOPLE]
        self.ids = [
            self.memory.add(text, kind="fact", user_id="ana" if place < 3 else "ben")[0].id
            for place, text in enumerate(told)
        ]
        self.gone: set[str] = set()

    def take(self, step: str, which: int) -> None:
        """One step; what is about a memory that has gone is refused."""
        memory, one = self.memory, self.ids[which]
        steps: dict[str, Any] = {
            "promote": lambda: memory.promote([one]),
            "teach": lambda: memory.promote([one], to="parametric"),
            "demote": lambda: memory.demote([one]),
            "block": lambda: memory.demote([one], to="activation"),
            "delete": lambda: memory.delete(one),
            "change": lambda: memory.update(one, text=home(PEOPLE[which][0], "Zolmere")),
            "end": lambda: memory.update(one, invalid_at="2026-03-01T00:00:00Z"),
            "use": lambda: used(memory, [one], 3000),
            "maintain": memory.maintain,
            "wait": lambda: self.clock.tick(60 * DAY),
            "delete all": lambda: memory.delete_all(user_id="ana"),
            "clear": lambda: memory.delete_all(user_id="ben"),
            "reindex": memory.reindex,
            "drop": lambda: memory.artifacts.drop([found.id for found in memory.artifacts.find()]),
        }
        about_one = step in ("promote", "teach", "demote", "block", "delete", "change", "end")
        if about_one and one in self.gone:
            with pytest.raises(NotFound):
                steps[step]()
            return
        steps[step]()
        if step == "delete":
            self.gone.add(one)
        if step in ("delete all", "clear"):
            self.gone |= set(self.ids[:3] if step == "delete all" else self.ids[3:])

    def look(self) -> None:
        """No form of what has gone is left; what is left is of one namespace each, and every file is known."""
        for artifact in self.memory.artifacts.find():
            assert not set(artifact.sources) & self.gone
            assert {one in self.ids[:3] for one in artifact.sources} == {artifact.namespace == ("user", "ana")}
        assert not {one.memory for one in self.memory.artifacts.wanted()} & self.gone
        for one in self.gone:
            with pytest.raises(NotFound):
                self.memory.forms(one)
        assert self.memory.check() == []


EXAMPLES = int(os.environ.get("MNEMOS_TEST_EXAMPLES", "12"))


@settings(max_examples=EXAMPLES, phases=(Phase.explicit, Phase.generate, Phase.shrink))
@given(steps=st.lists(STEPS, min_size=3, max_size=10))
def test_no_form_outlives_its_memory(town: Town, steps: list[tuple[str, int]]) -> None:
    run = Run(town)
    with run.memory as memory:
        for step, which in steps:
            run.take(step, which)
            run.look()
        done = memory.maintain()
        run.look()
        if done.notes:
            no_words = "nothing that this tokenizer has words for"
            assert all(no_words in note for note in done.notes), "it knows no dates, which what ended bears"
            return
        assert memory.plan_forms() == []
        for wish in memory.artifacts.wanted():
            assert memory.forms(wish.memory).state(wish.form) == "fresh"
        wanted = {(one.memory, one.form) for one in memory.artifacts.wanted()}
        made = {(source, one.form) for one in memory.artifacts.find() for source in one.sources}
        assert made == wanted, "nothing else was made"
