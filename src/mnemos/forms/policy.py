"""Which memories are read in which form, by what that costs.

A memory is read so often that keeping what its reading came to pays, or it is not; what is known for long and never
changes is worth teaching, if it is read often enough to pay the teacher. That is caching by benefit and cost (Cao &
Irani 1997, "Cost-Aware WWW Proxy Caching Algorithms") over three forms: memory that is explicit in the text, implicit
in keys and values, or parametric, each cheaper to read and dearer to write than the one before (Yang et al. 2024,
"Memory3: Language Modeling with Explicit Memory", arXiv:2407.01178).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mnemos.errors import InvalidInput
from mnemos.forms import words
from mnemos.forms.measured import Measured
from mnemos.forms.standing import Standing
from mnemos.records import FormName, Move

GIGABYTE = 1e9
BELOW: tuple[FormName, ...] = ("text", "activation")
"""What is read where there are no weights."""
ADAPTER = ("adapter_bytes", "switch_seconds", "prefill_seconds")
"""What weighs for and against an adapter."""


@runtime_checkable
class Policy(Protocol):
    """Decides which memories of one namespace move."""

    @property
    def name(self) -> str:
        """Under which its decisions are recorded."""
        ...

    def plan(self, standings: Sequence[Standing], costs: Measured, room: float = math.inf) -> list[Move]:
        """The moves that are worth making now, demotions first; none of what somebody asked for.

        Args:
            standings: the memories of one namespace that come into question.
            costs: of the model that they are read by.
            room: bytes that further blocks may take.
        """
        ...


def read_policy(value: object) -> Policy:
    """A policy.

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(value, Policy):
        raise InvalidInput("policy", "lacks name or plan", "use ByCost(), ByHand(), or an object with both")
    return value


@dataclass(frozen=True, slots=True)
class ByHand:
    """Moves nothing: memories have the forms that somebody asked for."""

    name: str = "by-hand"

    def plan(self, standings: Sequence[Standing], costs: Measured, room: float = math.inf) -> list[Move]:
        """See `Policy`."""
        return []


@dataclass(frozen=True, slots=True)
class ByCost:
    """Expected uses times what each saves, against what building and keeping costs over some days.

    All costs are seconds of the machine that runs the model.
    """

    days: float = 30.0
    """That are looked ahead."""
    gigabyte_day: float = 10.0
    """Seconds that keeping a gigabyte for a day is worth: a disk at 0.1 a month beside a machine at 1.2 an hour."""
    least_uses: int = 2
    """Before which nothing is promoted."""
    steady_days: float = 30.0
    """What is expected to change more often than once in so many days is never taught to weights."""
    name: str = "by-cost"

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidInput: a number is negative, or is none.
        """
        for field in ("days", "gigabyte_day", "least_uses", "steady_days"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise InvalidInput(field, f"{str(value)[:40]!r} is not a number from 0", "give one")

    def plan(self, standings: Sequence[Standing], costs: Measured, room: float = math.inf) -> list[Move]:
        """See `Policy`."""
        free = [one for one in standings if not one.asked and one.tokens]
        leaving = list(self._leaving(free, standings, costs))
        going = {one for move in leaving for one in move.memories}
        taught = self._taught([one for one in free if one.memory.id not in going], standings, costs)
        going |= {one for move in taught for one in move.memories}
        left = [one for one in free if one.memory.id not in going]
        return [*leaving, *self._cooling(left, costs), *self._kept(left, costs, room), *taught]

    # ── what a memory costs in each form, in seconds ─────────────────────────────────────────────────────────

    def _uses(self, one: Standing) -> float:
        return one.uses_per_day * self.days

    def _saving(self, one: Standing, costs: Measured) -> float:
        """That one use saves where keys and values are read in place of text; a session fetches and joins them once."""
        joining = costs.block_seconds + one.tokens * costs.join_seconds
        return one.tokens * costs.prefill_seconds - joining / one.questions

    def _storing(self, size: float) -> float:
        return size / GIGABYTE * self.gigabyte_day * self.days

    def _switching(self, group: Sequence[Standing], costs: Measured) -> float:
        """Putting an adapter on in each session that comes."""
        return max(self._uses(one) / one.questions for one in group) * costs.switch_seconds

    def _building(self, one: Standing, costs: Measured) -> float:
        """Reading it now, and again whenever it has changed."""
        return one.tokens * costs.prefill_seconds * (1 + one.changes_per_day * self.days)

    def _gain_as_block(self, one: Standing, costs: Measured) -> float:
        if not costs.blocks or one.uses < self.least_uses:
            return -math.inf
        storing = self._storing(one.tokens * costs.block_bytes)
        return self._uses(one) * self._saving(one, costs) - self._building(one, costs) - storing

    def _cost_untaught(self, one: Standing, costs: Measured) -> float:
        """Of reading it as text, or as keys and values where that is cheaper."""
        text = self._uses(one) * one.tokens * costs.prefill_seconds
        if one.form == "activation":
            kept = self._uses(one) * self._saving(one, costs) - self._storing(one.tokens * costs.block_bytes)
            return text - max(0.0, kept)
        return text - max(0.0, self._gain_as_block(one, costs))

    def _is_steady(self, one: Standing) -> bool:
        return one.changes_per_day * self.steady_days <= 1 and one.memory.invalid_at is None

    # ── the moves ────────────────────────────────────────────────────────────────────────────────────────────

    def _leaving(self, free: Sequence[Standing], all_: Sequence[Standing], costs: Measured) -> Iterator[Move]:
        """Out of weights: what turned out to change, and everything where an adapter is no longer worth its bytes."""
        held = [one for one in free if one.form == "parametric"]
        for one in held:
            if not self._is_steady(one):
                to = self._best_below(one, costs)
                why = "it is no longer true" if one.memory.invalid_at is not None else words.changed(one)
                reason = f"{why}: what changes is not kept in weights; the adapter is trained again without it"
                figures = {"changes": float(one.changes), "known_days": one.known_days}
                yield Move((one.memory.id,), "parametric", to, reason, figures)
        steady = [one for one in held if self._is_steady(one)]
        others = any(one.form == "parametric" and one.asked for one in all_)
        worth = sum(self._cost_untaught(one, costs) for one in steady)
        price = self._storing(costs.adapter_bytes) + (self._switching(steady, costs) if steady else 0.0)
        if steady and not others and worth < price:
            reason = (
                f"{words.used_together(steady)}: without it, reading them takes {words.seconds(worth)} in "
                f"{self.days:g} days, less than keeping the adapter's {words.size(costs.adapter_bytes)} and putting it "
                f"on is worth ({words.seconds(price)}){words.assumed(costs, *ADAPTER)}"
            )
            figures = {"reading_seconds": worth, "keeping_seconds": price, "bytes": costs.adapter_bytes}
            for to in BELOW:
                if part := tuple(one.memory.id for one in steady if self._best_below(one, costs) == to):
                    yield Move(part, "parametric", to, reason, figures)

    def _best_below(self, one: Standing, costs: Measured) -> FormName:
        return "activation" if self._gain_as_block(one, costs) > 0 else "text"

    def _taught(self, free: Sequence[Standing], all_: Sequence[Standing], costs: Measured) -> list[Move]:
        """Into weights: all that pays together."""
        held = [one for one in all_ if one.form == "parametric"]
        group = [
            one for one in free if one.form != "parametric" and one.uses >= self.least_uses and self._is_steady(one)
        ]
        while group:
            size = len(group) + len(held)
            gains = {one.memory.id: self._gain_in_weights(one, size, costs) for one in group}
            kept = [one for one in group if gains[one.memory.id] > 0]
            if len(kept) == len(group):
                break
            group = kept
        price = self._keeping(group, held, costs)
        if not group or sum(gains.values()) <= price:
            return []
        return [
            self._move_to_weights(part, form, costs, price)
            for form in BELOW
            if (part := [one for one in group if one.form == form])
        ]

    def _keeping(self, group: Sequence[Standing], held: Sequence[Standing], costs: Measured) -> float:
        """What a group's coming costs beside teaching it: all of it for the first, for others more sessions."""
        if not group:
            return 0.0
        if not held:
            return self._storing(costs.adapter_bytes) + self._switching(group, costs)
        return max(0.0, self._switching(group, costs) - self._switching(held, costs))

    def _gain_in_weights(self, one: Standing, size: int, costs: Measured) -> float:
        again = one.changes_per_day * self.days * size
        return self._cost_untaught(one, costs) - costs.teach_seconds * (1 + again)

    def _move_to_weights(self, group: Sequence[Standing], form: FormName, costs: Measured, price: float) -> Move:
        daily = sum(self._cost_untaught(one, costs) for one in group) / self.days
        teaching = costs.teach_seconds * len(group)
        tokens = sum(one.tokens for one in group)
        days = (teaching + price) / daily
        steadiest = min(group, key=lambda one: one.known_days)
        reason = (
            f"{words.used_together(group)}, {words.changed(steadiest)} or longer, {tokens:,} tokens: reading takes "
            f"{words.seconds(daily)} a day; teaching takes {words.seconds(teaching)} once; pays after "
            f"{words.seconds(days * 86_400)}{words.assumed(costs, 'teach_seconds', *ADAPTER)}"
        )
        figures = {
            "tokens": float(tokens),
            "uses_per_day": sum(one.uses_per_day for one in group),
            "saving_seconds_per_day": daily,
            "build_seconds": teaching,
            "pays_after_days": days,
        }
        return Move(tuple(one.memory.id for one in group), form, "parametric", reason, figures)

    def _cooling(self, free: Sequence[Standing], costs: Measured) -> Iterator[Move]:
        """Out of keys and values: what is no longer read often enough for its bytes."""
        for one in free:
            if one.form != "activation":
                continue
            bytes_ = one.tokens * costs.block_bytes
            saved, price = self._uses(one) * self._saving(one, costs), self._storing(bytes_)
            if saved >= price and costs.blocks:
                continue
            reason = (
                f"{words.used(one)}: keys and values save {words.seconds(max(0.0, saved))} in {self.days:g} days, less "
                f"than their {words.size(bytes_)} are worth ({words.seconds(price)})"
                f"{words.assumed(costs, 'prefill_seconds', 'block_bytes')}"
            )
            figures = {"saving_seconds": saved, "storing_seconds": price, "bytes": bytes_, "tokens": float(one.tokens)}
            yield Move((one.memory.id,), "activation", "text", reason, figures)

    def _kept(self, free: Sequence[Standing], costs: Measured, room: float) -> Iterator[Move]:
        """Into keys and values: what pays, best for its bytes first, as long as there is room."""
        gains = [(self._gain_as_block(one, costs), one) for one in free if one.form == "text"]
        paying = [(gain / one.tokens, one) for gain, one in gains if gain > 0]
        for _, one in sorted(paying, key=lambda pair: (-pair[0], pair[1].memory.id)):
            bytes_ = one.tokens * costs.block_bytes
            if bytes_ > room:
                continue
            room -= bytes_
            yield self._move_to_block(one, bytes_, costs)

    def _move_to_block(self, one: Standing, bytes_: float, costs: Measured) -> Move:
        build = one.tokens * costs.prefill_seconds
        saving = self._saving(one, costs)
        uses = math.ceil(build / saving)
        reason = (
            f"{words.used(one)}, {one.tokens:,} tokens: reading it takes {words.seconds(build * one.uses_per_day)} a "
            f"day; as keys and values {words.size(bytes_)} and {words.seconds((build - saving) * one.uses_per_day)} a "
            f"day; pays after {'one use' if uses == 1 else f'{uses} uses'}"
            f"{words.assumed(costs, 'prefill_seconds', 'block_bytes', 'block_seconds')}"
        )
        figures = {
            "tokens": float(one.tokens),
            "uses_per_day": one.uses_per_day,
            "bytes": bytes_,
            "build_seconds": build,
            "saving_seconds_per_day": saving * one.uses_per_day,
            "pays_after_uses": float(uses),
        }
        return Move((one.memory.id,), "text", "activation", reason, figures)
