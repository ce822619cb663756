"""Carrying out what a budget asks for, in batches of one transaction each: it can be stopped anywhere and goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnemos.forget.budget import Budget, Forgotten, Planned, plan
from mnemos.forget.policy import Policy
from mnemos.gate.weighing import SalienceStage
from mnemos.passages import Index
from mnemos.stages import Batch
from mnemos.store import forgetting
from mnemos.store.database import Database
from mnemos.store.erasing import erase_rows
from mnemos.store.forgetting import FORGOTTEN
from mnemos.store.levels import EPISODE, level_of
from mnemos.store.rows import fetch, fetch_num
from mnemos.times import from_micros

BATCH = 256
REST, SUMMARISE = "rest", "summarise"
"""Decisions."""


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and a namespace of it."""

    db: Database
    index: Index
    namespace: int


def look(place: Place, budget: Budget, now: int, policy: Policy | None = None) -> list[Planned]:
    """What would go now, and why. Writes nothing but the salience of what has none."""
    _weigh(place, budget, now)
    with place.db.read() as connection:
        standing = forgetting.standing(connection, place.namespace, budget.kinds, now)
        memories = fetch(connection, [one.num for one in standing])
        resting = [one.num for one in standing if one.resting == FORGOTTEN]
        episodes = {num: found for num in resting if (found := level_of(connection, num, EPISODE)) is not None}
    held = [(one, memories[one.num]) for one in standing if one.num in memories]
    moment = from_micros(now)
    assert moment is not None
    return plan(held, budget, moment, episodes, policy)


def carry_out(
    place: Place, steps: Sequence[Planned], policy: str, now: int, stopped: Callable[[], bool]
) -> list[Forgotten]:
    """Take the steps, or as many as fit before `stopped`; returns those that were taken."""
    done: list[Forgotten] = []
    for start in range(0, len(steps), BATCH):
        if stopped():
            break
        with place.db.write() as connection:
            batch = Batch(connection, [], place.index, now)
            done += [step.record for step in steps[start : start + BATCH] if _take(batch, step, policy)]
    return done


def keep_budgets(db: Database, index: Index, now: int, stopped: Callable[[], bool]) -> int:
    """Bring every namespace that has a budget in step with it; returns how many memories went a step further."""
    with db.read() as connection:
        standing = forgetting.terms(connection)
    taken = 0
    for namespace, terms in standing.items():
        if stopped():
            break
        place, budget = Place(db, index, namespace), Budget.from_terms(terms)
        taken += len(carry_out(place, look(place, budget, now), budget.policy, now, stopped))
    return taken


def _take(batch: Batch, step: Planned, policy: str) -> bool:
    """One step, unless something has changed since it was planned."""
    stored = batch.fetch(step.num)
    if stored is None or stored.memory.pinned:
        return False
    detail = {"worth": round(step.record.worth, 3), "strength": round(step.record.strength, 3)}
    if step.record.step == "delete":
        erase_rows(batch.connection, [step.num], batch.now)
        return True
    if step.record.step == "summarise":
        if stored.memory.resting != FORGOTTEN:
            return False
        forgetting.demote(batch.connection, step.num)
        batch.decide(step.num, SUMMARISE, policy, step.episode, detail)
        return True
    if stored.memory.resting is not None:
        return False
    batch.rest(step.num, FORGOTTEN, policy, detail=detail)
    now_rests = batch.fetch(step.num)
    return now_rests is not None and now_rests.memory.resting is not None


def _weigh(place: Place, budget: Budget, now: int) -> None:
    """Weigh what derivation has not weighed: it may run without that stage."""
    after = 0
    while True:
        with place.db.write() as connection:
            nums = forgetting.unweighed(connection, place.namespace, budget.kinds, after, BATCH)
            if not nums:
                return
            stored = [one for num in nums if (one := fetch_num(connection, num)) is not None]
            SalienceStage().take(Batch(connection, stored, place.index, now))
            after = nums[-1]
