"""What a store may spend on a language model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mnemos.errors import BudgetExceeded, InvalidInput

DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls have cost: tokens in and out, and money in the currency of the prices given."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Both ways together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that one store may spend: money, tokens or both, in all or in any so many `days`.

    A call is not made where what is spent already, and the most that the call can cost, together exceed it.
    """

    money: float | None = None
    tokens: int | None = None
    days: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("money", self.money), ("tokens", self.tokens), ("days", self.days)):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise InvalidInput(f"budget.{name}", "is not an amount", "give a number from 0, or None for no limit")

    def since(self, now: int) -> int:
        """From when on spending counts, in microseconds."""
        return -(2**62) if self.days is None else now - int(self.days * DAY)

    def require(self, spent: Spent, tokens: int, cost: float) -> None:
        """Refuse a call that may need so many tokens and so much money more."""
        over = []
        if self.tokens is not None and spent.tokens + tokens > self.tokens:
            over.append(f"{spent.tokens:,} of {self.tokens:,} tokens are spent and the call may need {tokens:,}")
        if self.money is not None and spent.cost + cost > self.money:
            over.append(f"{spent.cost:.4f} of {self.money:.4f} are spent and the call may cost {cost:.4f}")
        if over:
            raise BudgetExceeded(f"budget: {'; '.join(over)}; raise the budget, and the work goes on")
