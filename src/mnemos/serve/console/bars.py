"""Why a hit was found, as bars: what each signal added to the logit of the score, on one scale for a whole page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnemos.records import Hit

SHOWN = 5
BASE = "level"
"""What every memory starts from, before any signal is seen."""
_LEAST = 0.005


@dataclass(frozen=True, slots=True)
class Bar:
    """One signal's contribution. `x`, `width` and `zero` are in hundredths of the drawing."""

    name: str
    value: float
    x: float
    width: float
    zero: float

    @property
    def sign(self) -> str:
        """The class of its colour."""
        return "plus" if self.value >= 0 else "minus"

    @property
    def shown(self) -> str:
        """Its value with its sign."""
        return signed(self.value)


@dataclass(frozen=True, slots=True)
class Why:
    """What speaks for a hit and against it."""

    first: tuple[Bar, ...]
    """The strongest signals."""
    bars: tuple[Bar, ...]
    """Every signal that says something, the most in favour first."""
    base: str
    logit: str


def whys(hits: Sequence[Hit]) -> list[Why]:
    """The bars of every hit, all to one scale, with zero at one place."""
    values = [value for hit in hits for name, value in hit.why.items() if name != BASE]
    least, most = min(values, default=0.0), max(values, default=0.0)
    return [_why(hit.why, min(least, 0.0), max(most, _LEAST)) for hit in hits]


def _why(why: Mapping[str, float], least: float, most: float) -> Why:
    said = {name: value for name, value in why.items() if name != BASE and abs(value) >= _LEAST}
    bars = [_bar(name, value, least, most) for name, value in said.items()]
    bars.sort(key=lambda bar: (-bar.value, bar.name))
    first = sorted(bars, key=lambda bar: (-abs(bar.value), bar.name))[:SHOWN]
    first.sort(key=lambda bar: (-bar.value, bar.name))
    return Why(tuple(first), tuple(bars), signed(why.get(BASE, 0.0)), signed(math.fsum(why.values())))


def _bar(name: str, value: float, least: float, most: float) -> Bar:
    unit = 100 / (most - least)
    begin, end = unit * (min(value, 0.0) - least), unit * (max(value, 0.0) - least)
    return Bar(name.replace("_", " "), value, round(begin, 2), round(end - begin, 2), round(-unit * least, 2))


def signed(value: float) -> str:
    """A number with its sign, and a real minus."""
    return f"{value:+.2f}".replace("-", "−")
