"""How an adapter is trained: numbers that may be chosen, each within what makes sense."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from mnemos.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Report:
    """How training goes, after each epoch."""

    epoch: int
    """From 1."""
    epochs: int
    """The most that there will be."""
    steps: int
    """Of the optimiser, so far."""
    loss: float
    """Mean over the answer tokens of one lesson for each memory, in nats."""
    recalled: float
    """The share of these lessons that greedy generation would complete word for word, 0 to 1."""


class Settings(TypedDict, total=False):
    """What `train` takes beside the memories; see `Course`."""

    seed: int
    epochs: int
    steps: int | None
    lr: float
    rank: int | None
    alpha: float | None
    targets: str | tuple[str, ...] | None
    batch: int
    patience: int
    enough: float
    replay: float
    longest: int
    fresh: bool
    keep_old: bool
    progress: bool | Callable[[Report], None] | None


@dataclass(frozen=True, slots=True)
class Course:
    """How an adapter is trained. The learning rate is constant."""

    seed: int = 0
    """Decides about first weights and the order of lessons: the same seed on the same machine, the same weights."""
    epochs: int = 60
    """Readings of all lessons, at most."""
    steps: int | None = None
    """Of the optimiser, at most; None: as many as the epochs take."""
    lr: float = 1e-3
    """Of AdamW, without weight decay."""
    rank: int | None = None
    """Of the added matrices; None: that of the adapter that is gone on from, or 16."""
    alpha: float | None = None
    """What is added is multiplied by `alpha / rank`; None: as before, or twice the rank."""
    targets: str | tuple[str, ...] | None = None
    """Names of the modules that are added to, as `peft` reads them; None: every linear one but the last."""
    batch: int = 16
    """Lessons read in one step."""
    patience: int = 8
    """Epochs without a lower loss after which it stops; the best weights are kept."""
    enough: float = 0.05
    """A loss at which it stops as soon as every lesson is recalled."""
    replay: float = 1.0
    """Lessons of older memories that are read again for each new one; 0: none, and they are forgotten."""
    longest: int = 256
    """Tokens of a lesson; longer ones are cut."""
    fresh: bool = False
    """Begin anew, and not from the adapter that the namespace has."""
    keep_old: bool = False
    """Leave the adapter that was gone on from in the store."""
    progress: bool | Callable[[Report], None] | None = None
    """A bar, none, or who is told after each epoch; None: a bar where somebody watches."""

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("steps", 1), ("rank", 1), ("batch", 1), ("patience", 1), ("longest", 8)):
            _whole(getattr(self, name), name, least, may_be_none=name in ("steps", "rank"))
        _whole(self.seed, "seed", 0)
        for name in ("lr", "alpha"):
            _number(getattr(self, name), name, above=True, may_be_none=name == "alpha")
        for name in ("replay", "enough"):
            _number(getattr(self, name), name)
        if self.targets is not None and not (self.targets and isinstance(self.targets, str | tuple)):
            raise InvalidInput("targets", "names no modules", "give 'all-linear', or names in a tuple")


def _whole(value: object, name: str, least: int, *, may_be_none: bool = False) -> None:
    if value is None and may_be_none:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(name, f"is {str(value)[:40]!r}", f"give a whole number from {least}")


def _number(value: object, name: str, *, above: bool = False, may_be_none: bool = False) -> None:
    if value is None and may_be_none:
        return
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    if not fits or (above and value == 0):
        raise InvalidInput(name, f"is {str(value)[:40]!r}", f"give a number {'above' if above else 'from'} 0")
