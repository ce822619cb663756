"""What calls of a language model have cost: one row a call, without a word of what was asked."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Total(NamedTuple):
    """Calls of one model for one kind of job, added up."""

    model: str
    job: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


def note(
    connection: sqlite3.Connection,
    at: int,
    model: str,
    job: str,
    prompt_tokens: int,
    completion_tokens: int,
    cost: float,
) -> None:
    """Write down one call."""
    connection.execute(
        "INSERT INTO ledger (at, model, job, prompt_tokens, completion_tokens, cost) VALUES (?, ?, ?, ?, ?, ?)",
        (at, model, job, prompt_tokens, completion_tokens, cost),
    )


def totals(connection: sqlite3.Connection, since: int) -> list[Total]:
    """What calls since a time have cost, by model and kind of job."""
    rows = connection.execute(
        "SELECT model, job, count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost) FROM ledger "
        "WHERE at >= ? GROUP BY model, job ORDER BY model, job",
        (since,),
    )
    return [Total(*row) for row in rows]
