"""Asking on a store's account: the budget is looked at before each call, and the ledger holds each one after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnemos.llm.budget import Budget, Spent
from mnemos.store import ledger
from mnemos.store.database import Database
from mnemos.store.ledger import Total

if TYPE_CHECKING:
    from mnemos.llm.client import LanguageModel
    from mnemos.llm.question import Question, Usage


@dataclass(frozen=True, slots=True)
class Costs:
    """What the calls of a language model have cost, in tokens and in the currency of the prices given."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    lines: tuple[Total, ...]
    """The same, by model and kind of job."""


def costs(db: Database, since: int) -> Costs:
    """What calls since a time have cost."""
    with db.read() as connection:
        lines = tuple(ledger.totals(connection, since))
    return Costs(
        calls=sum(line.calls for line in lines),
        prompt_tokens=sum(line.prompt_tokens for line in lines),
        completion_tokens=sum(line.completion_tokens for line in lines),
        cost=sum((line.cost for line in lines), 0.0),
        lines=lines,
    )


class Account:
    """A model asked for one kind of job, on the account of one store."""

    def __init__(self, db: Database, model: LanguageModel, job: str, now: int) -> None:
        self._db = db
        self._model = model
        self._job = job
        self._now = now

    def ask(self, question: Question) -> Mapping[str, Any]:
        """The model's answer.

        Raises:
            BudgetExceeded: the call was not made.
            LanguageModelError: no usable answer.
        """
        budget = self._model.budget
        if budget is not None:
            most = self._model.most(question)
            budget.require(self._spent(budget), most.prompt_tokens + most.completion_tokens, most.cost)
        return self._model.ask(question, self._note)

    def _spent(self, budget: Budget) -> Spent:
        found = costs(self._db, budget.since(self._now))
        return Spent(found.calls, found.prompt_tokens, found.completion_tokens, found.cost)

    def _note(self, usage: Usage) -> None:
        with self._db.write() as connection:
            ledger.note(
                connection,
                self._now,
                usage.model,
                self._job,
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cost,
            )
