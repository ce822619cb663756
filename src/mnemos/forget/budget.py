"""What a namespace may hold, and who goes where it holds more: one step at a time, out of the index first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from mnemos.errors import InvalidInput
from mnemos.forget.policy import DEFAULT, POLICIES, Policy
from mnemos.records import Memory
from mnemos.store.forgetting import FORGOTTEN, SUMMARISED, Standing
from mnemos.times import to_micros

Step = Literal["rest", "summarise", "delete"]

KINDS = ("turn", "note", "document")
"""Kinds that a budget is about unless it says otherwise: what is derived follows its sources."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may stay in the index of one namespace, and what becomes of the rest.

    Attributes:
        count: so many memories ...
        bytes: ... or so much text, in bytes of UTF-8 ...
        share: ... or such a part of all that is stored, 0 to 1. One of the three.
        policy: what is worth keeping: `salience`, `ebbinghaus` or `layered`.
        kinds: the kinds that count, and that may go.
        summarise_after: days out of the index after which only its episode speaks of a memory.
        delete: whether what rests is deleted in the end.
        delete_after: days out of the index after which it is.
    """

    count: int | None = None
    bytes: int | None = None
    share: float | None = None
    policy: str = DEFAULT
    kinds: tuple[str, ...] = KINDS
    summarise_after: float = 30.0
    delete: bool = False
    delete_after: float = 90.0

    def __post_init__(self) -> None:
        given = [name for name in ("count", "bytes", "share") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InvalidInput("count", f"bytes and share: {len(given)} are given", "give one of the three")
        for name in ("count", "bytes"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise InvalidInput(name, f"is {value!r}", "give a whole number, 0 or more")
        if self.share is not None and not _is_number(self.share, 1.0):
            raise InvalidInput("share", f"is {self.share!r}", "give a number between 0 and 1")
        for name in ("summarise_after", "delete_after"):
            if not _is_number(getattr(self, name), 1e6):
                raise InvalidInput(name, f"is {getattr(self, name)!r}", "give days, 0 or more")
        if self.policy not in POLICIES:
            raise InvalidInput("policy", f"{str(self.policy)[:40]!r} is unknown", f"use one of {', '.join(POLICIES)}")

    def to_terms(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_terms(cls, terms: Mapping[str, Any]) -> Budget:
        """From that JSON."""
        return cls(**{**terms, "kinds": tuple(terms["kinds"])})


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One memory that goes a step further, and why."""

    id: str
    step: Step
    """`rest`: out of the index. `summarise`: only its episode speaks of it. `delete`: out of the store."""
    strength: float
    """What is left of it by the policy's decay."""
    salience: float | None
    worth: float
    """By which the policy orders; what is worth least goes first."""
    bytes: int
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A step, and the number of the memory that takes it."""

    num: int
    record: Forgotten
    episode: int | None = None


def plan(
    held: Sequence[tuple[Standing, Memory]],
    budget: Budget,
    now: datetime,
    episodes: Mapping[int, int],
    policy: Policy | None = None,
) -> list[Planned]:
    """The next step of every memory that takes one, those worth least first.

    Args:
        held: every memory that counts, in reading order.
        episodes: by number, the episode that holds a memory.
        policy: in place of the one that the budget names.
    """
    policy = policy or POLICIES[budget.policy]
    steps = [step for one in held if (step := _demotion(*one, budget, now, episodes, policy)) is not None]
    shown = [(standing, memory) for standing, memory in held if standing.resting is None]
    loose = [(policy.worth(memory, now), standing, memory) for standing, memory in shown if standing.kept is None]
    loose.sort(key=lambda one: (-one[0], -one[1].num))
    fixed = [standing for standing, _ in shown if standing.kept is not None]
    used, room = _used(fixed, budget), _room(held, budget)
    places = len(shown)
    leaving = []
    for rank, (worth, standing, memory) in enumerate(loose, start=len(fixed) + 1):
        size = _used([standing], budget)
        if used + size <= room:
            used += size
            continue
        reason = f"{policy.name}: place {rank:,} of {places:,}, where there is room for {_room_text(budget, room)}"
        leaving.append(Planned(standing.num, _record(standing, memory, "rest", policy, now, worth, reason)))
    return leaving[::-1] + steps


def _demotion(
    standing: Standing, memory: Memory, budget: Budget, now: datetime, episodes: Mapping[int, int], policy: Policy
) -> Planned | None:
    """What becomes of a memory that was forgotten before; what rests for another reason stays as it is."""
    if standing.resting not in (FORGOTTEN, SUMMARISED) or standing.kept is not None:
        return None
    episode = episodes.get(standing.num)
    days = (to_micros(now) - standing.since) / timedelta(days=1).total_seconds() / 1e6
    worth = policy.worth(memory, now)
    if budget.delete and days >= budget.delete_after and (standing.resting == SUMMARISED or episode is None):
        reason = f"out of the index for {days:,.0f} days, and the budget deletes after {budget.delete_after:g}"
        return Planned(standing.num, _record(standing, memory, "delete", policy, now, worth, reason))
    if standing.resting == FORGOTTEN and days >= budget.summarise_after and episode is not None:
        reason = f"out of the index for {days:,.0f} days; its episode speaks of it"
        return Planned(standing.num, _record(standing, memory, "summarise", policy, now, worth, reason), episode)
    return None


def _record(
    standing: Standing, memory: Memory, step: Step, policy: Policy, now: datetime, worth: float, reason: str
) -> Forgotten:
    return Forgotten(
        memory.id, step, policy.strength(memory, now), memory.salience, worth, standing.bytes, reason, memory.text
    )


def _used(held: Sequence[Standing], budget: Budget) -> int:
    return sum(one.bytes for one in held) if budget.bytes is not None else len(held)


def _room(held: Sequence[tuple[Standing, Memory]], budget: Budget) -> int:
    if budget.share is not None:
        return round(budget.share * len(held))
    return (budget.count if budget.bytes is None else budget.bytes) or 0


def _room_text(budget: Budget, room: int) -> str:
    return f"{room:,} bytes" if budget.bytes is not None else f"{room:,}"


def _is_number(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
