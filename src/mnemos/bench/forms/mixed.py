"""A month with four people's memories: some asked every day, some rarely, some that change, some that are deleted.

The month is lived through once for each way of choosing forms: everything as text, as keys and values, as weights, and
by the scheduler, which sees the same and decides for itself. What counts is the seconds in sessions and the seconds in
`maintain`, which plans, measures and makes; both are spent for real.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import LlamaForCausalLM

from mnemos.bench import forms_report as report
from mnemos.bench.forms.house import PRESENT, House, opened, says
from mnemos.bench.forms.people import STRANGERS, Fact, day, facts
from mnemos.forms.measured import Measured
from mnemos.forms.policy import ByCost

BUDGET = 2000
"""Tokens of memories that are read as text: all of a person's."""
HELD: dict[str, Literal["activation", "parametric"] | None] = {
    report.FIXED[0]: None,
    report.FIXED[1]: "activation",
    report.FIXED[2]: "parametric",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """Somebody's memories, and what becomes of them."""

    facts: int
    every: int
    """Days from one session to the next."""
    asks: int
    """Questions in a session."""
    changes: int = 0
    """Days from one change to the next; 0: never."""
    goes: int = 0
    """Days from one deletion to the next; 0: never."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What happens in how many days."""

    kinds: tuple[tuple[str, Kind], ...]
    days: int

    def told(self) -> dict[str, Any]:
        """For the results: of each kind how much is asked, changed and deleted."""
        kinds = {}
        for name, kind in self.kinds:
            counts = {
                "asked": kind.asks * len(range(0, self.days, kind.every)),
                "changed": len(_days(kind.changes, self.days)),
                "deleted": len(_days(kind.goes, self.days)),
            }
            kinds[name] = asdict(kind) | counts
        return {"days": self.days, "kinds": kinds}


WORKLOAD = Workload(
    (
        ("asked every day", Kind(facts=40, every=1, asks=15)),
        ("asked rarely", Kind(facts=40, every=7, asks=2)),
        ("changed often", Kind(facts=12, every=1, asks=5, changes=5)),
        ("deleted", Kind(facts=12, every=1, asks=5, goes=5)),
    ),
    days=20,
)
SHORT = Workload(
    (
        ("asked every day", Kind(facts=8, every=1, asks=3)),
        ("changed often", Kind(facts=4, every=1, asks=2, changes=2)),
        ("deleted", Kind(facts=4, every=2, asks=2, goes=2)),
    ),
    days=4,
)


@dataclass(slots=True)
class _Lived:
    """What is counted on the way."""

    asking: float = 0.0
    asked: int = 0
    right: int = 0
    gone: int = 0
    told: int = 0


def compare(
    folder: Path, model: LlamaForCausalLM, workload: Workload, seed: int, tell: Callable[[str, int, int], None]
) -> list[report.Mixed]:
    """The month in each fixed form, and as the scheduler chooses; all go through each day before the next begins.

    So whatever slows the machine down for a while slows all of them. Who is first changes from day to day.
    """
    names = (*report.FIXED, report.SCHEDULER)
    with ExitStack() as stack:
        months = []
        for name in names:
            own = folder / name.replace(" ", "-")
            own.mkdir()
            fixed = name in HELD
            house = opened(own, model, policy=None if fixed else ByCost(), costs=Measured() if fixed else None)
            months.append(_Month(stack.enter_context(house), name, workload, seed))
        for number in range(workload.days):
            tell("a mixed month", number + 1, workload.days)
            for place in range(len(months)):
                months[(number + place) % len(months)].live(number)
        return [month.told() for month in months]


class _Month:
    """One way of choosing forms, and what it is asked and has cost."""

    def __init__(self, house: House, name: str, workload: Workload, seed: int) -> None:
        self._house, self._name, self._workload = house, name, workload
        self._drawn, self._lived, self._gone = random.Random(f"month {seed}"), _Lived(), list[Fact]()
        self._kinds = _moved_in(house, workload, self._drawn)
        form = HELD.get(name)
        if form is not None:
            house.memory.promote(list(house.ids.values()), to=form)

    def live(self, number: int) -> None:
        """Go through a day."""
        house, kinds = self._house, self._kinds
        house.clock.now = day(PRESENT + number)
        for who, kind in self._workload.kinds:
            _changed(house, kinds[who], kind, number, self._drawn, self._gone)
        house.maintain()
        for who, kind in self._workload.kinds:
            if number % kind.every == 0:
                asked = self._drawn.choices(kinds[who], k=kind.asks)
                _asked(house, who, asked, self._gone if kind.goes else [], self._lived)

    def told(self) -> report.Mixed:
        """What it came to."""
        lived = self._lived
        return report.Mixed(
            self._name,
            round(lived.asking, 3),
            round(self._house.seconds, 3),
            round(lived.right / lived.asked, 4),
            round(lived.told / lived.gone, 4) if lived.gone else 0.0,
            {who: dict(_forms(self._house, self._kinds[who])) for who, _ in self._workload.kinds},
        )


def _moved_in(house: House, workload: Workload, drawn: random.Random) -> dict[str, list[Fact]]:
    """Each kind's facts, about people of its own, told to somebody."""
    people, kinds = list(STRANGERS), {}
    for who, kind in workload.kinds:
        mine, people = people[: -(-kind.facts // 4)], people[-(-kind.facts // 4) :]
        kinds[who] = facts(mine, drawn, kind.facts)
        house.tell(kinds[who], who)
    return kinds


def _changed(house: House, own: list[Fact], kind: Kind, number: int, drawn: random.Random, gone: list[Fact]) -> None:
    """What changes and what is deleted on a day."""
    if number and kind.changes and number % kind.changes == 0:
        place = drawn.randrange(len(own))
        new = own[place].other(drawn)
        house.change(own[place], new)
        own[place] = new
    if number and kind.goes and number % kind.goes == 0:
        gone.append(own.pop(drawn.randrange(len(own))))
        house.forget(gone[-1])


def _asked(house: House, who: str, asked: Sequence[Fact], gone: Sequence[Fact], lived: _Lived) -> None:
    """A session: what is asked in it, timed; and, not timed, what was deleted."""
    begun = time.perf_counter()
    with house.attach(who, budget=BUDGET) as session:
        answers = [says(session, fact) for fact in asked]
        lived.asking += time.perf_counter() - begun
        lived.asked += len(asked)
        lived.right += sum(answer == fact.answer for answer, fact in zip(answers, asked, strict=True))
        lived.gone += len(gone)
        lived.told += sum(says(session, fact) == fact.answer for fact in gone)


def _forms(house: House, own: Sequence[Fact]) -> Iterator[tuple[str, int]]:
    """How many of some memories are in which form, the highest of each that is fresh."""
    highest: Counter[str] = Counter()
    for fact in own:
        made = {one.form for one in house.memory.forms(house.ids[fact]).all if one.state == "fresh"}
        highest[next(form for form in ("parametric", "activation", "text") if form in made)] += 1
    yield from highest.items()


def _days(every: int, days: int) -> range:
    return range(every, days, every) if every else range(0)
