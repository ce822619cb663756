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
    """One signal's contribution. `x` and `width` are in hundredths of the drawing; the middle, 50, is zero."""

    name: str
    value: float
    x: float
    width: float

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
    """The bars of every hit; the longest is as long as the strongest signal of any of them."""
    most = max((abs(value) for hit in hits for name, value in hit.why.items() if name != BASE), default=1.0)
    return [_why(hit.why, max(most, _LEAST)) for hit in hits]


def _why(why: Mapping[str, float], most: float) -> Why:
    said = {name: value for name, value in why.items() if name != BASE and abs(value) >= _LEAST}
    bars = [_bar(name, value, most) for name, value in sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))]
    first = sorted(bars, key=lambda bar: (-abs(bar.value), bar.name))[:SHOWN]
    first.sort(key=lambda bar: (-bar.value, bar.name))
    total = math.fsum(why.values())
    return Why(tuple(first), tuple(bars), signed(why.get(BASE, 0.0)), signed(total))


def _bar(name: str, value: float, most: float) -> Bar:
    width = round(50 * abs(value) / most, 2)
    return Bar(name.replace("_", " "), value, 50.0 if value >= 0 else round(50 - width, 2), width)


def signed(value: float) -> str:
    """A number with its sign, and a real minus."""
    return f"{value:+.2f}".replace("-", "−")
