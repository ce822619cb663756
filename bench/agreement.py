"""How far two caches keep the same tokens: sets of positions, their short form in results, and the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mnemos.bench.table import Table, percent

Kept = Sequence[Sequence[Sequence[int]]]
"""Positions that are kept, by layer and head, ascending."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two caches keep alike, one set for each layer and head."""

    sets: int
    same: int
    """Of these sets: those that are the same token by token."""
    tokens: int
    """In all sets of the other cache."""
    common: int
    """Of these: those that are kept here too, by the same layer and head."""

    def __add__(self, other: Agreement) -> Agreement:
        """Both together."""
        return Agreement(
            self.sets + other.sets, self.same + other.same, self.tokens + other.tokens, self.common + other.common
        )


def agreement(ours: Kept, theirs: Kept) -> Agreement:
    """Two caches of the same text, set against set."""
    pairs = [
        (set(mine), set(other))
        for layer, other_layer in zip(ours, theirs, strict=True)
        for mine, other in zip(layer, other_layer, strict=True)
    ]
    return Agreement(
        len(pairs),
        sum(mine == other for mine, other in pairs),
        sum(len(other) for _, other in pairs),
        sum(len(mine & other) for mine, other in pairs),
    )


def packed(kept: Kept) -> list[list[str]]:
    """Each set as a number in hexadecimal, whose bits are the positions."""
    return [[f"{sum(1 << one for one in held):x}" for held in heads] for heads in kept]


def unpacked(short: Sequence[Sequence[str]]) -> list[list[list[int]]]:
    """Such sets as positions again."""
    numbers = [[int(held, 16) for held in heads] for heads in short]
    return [[[one for one in range(bits.bit_length()) if bits >> one & 1] for bits in heads] for heads in numbers]


@dataclass(frozen=True, slots=True)
class Found:
    """One policy at one ratio, in one model."""

    model: str
    policy: str
    ratio: float
    """Which part of the text kvpress was told to let go."""
    theirs: Kept
    """What it kept."""
    defined: Agreement
    """With what is kept here, as the policy is defined here."""
    aligned: Agreement | None
    """The same with the difference between the definitions taken out; None: there is none, or it cannot be."""

    def stated(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "theirs": packed(self.theirs)}

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Found:
        """From JSON."""
        aligned = Agreement(**given["aligned"]) if given["aligned"] else None
        more = {"theirs": unpacked(given["theirs"]), "defined": Agreement(**given["defined"]), "aligned": aligned}
        return cls(**{**given, **more})


def table(found: Iterable[Found]) -> Table:
    """One row a policy, all models together; each cell has what was kept most first."""
    rows: dict[str, dict[float, list[Found]]] = {}
    for one in found:
        rows.setdefault(one.policy, {}).setdefault(one.ratio, []).append(one)
    ratios = sorted({ratio for parts in rows.values() for ratio in parts})
    shown = tuple((policy, *_cells([parts.get(ratio, []) for ratio in ratios])) for policy, parts in rows.items())
    columns = ("policy", "sets the same, %", "tokens the same, %", "sets the same without the difference, %")
    kept = " / ".join(percent(1 - ratio, 0) for ratio in ratios)
    sets = {_all(one.defined for one in ones).sets for parts in rows.values() for ones in parts.values()}
    note = (
        f"At {kept} percent kept, each of {' or '.join(map(str, sorted(sets)))} sets, one for each layer and head "
        "of all models. Tokens: of those that kvpress keeps."
    )
    return Table("What kvpress keeps, and what is kept here", columns, shown, note)


def _all(parts: Iterable[Agreement]) -> Agreement:
    return sum(parts, Agreement(0, 0, 0, 0))


def _cells(by_ratio: Sequence[Sequence[Found]]) -> tuple[str, str, str]:
    defined = [_all(one.defined for one in ones) for ones in by_ratio]
    aligned = [_all(one.aligned for one in ones if one.aligned) for ones in by_ratio]
    sets = (" / ".join(_share(one.same, one.sets) for one in parts) for parts in (defined, aligned))
    same, without = sets
    return (
        same,
        " / ".join(_share(one.common, one.tokens) for one in defined),
        without if any(one.sets for one in aligned) else "",
    )


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "–"
