"""`memory.attach(…)`: from what a caller asks for to a session, with every argument checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnemos.arguments import read_count
from mnemos.errors import InvalidInput
from mnemos.forms.bound import Bound
from mnemos.forms.session import Session
from mnemos.forms.system import System
from mnemos.namespaces import read_scope

MOST = 10_000_000
"""Tokens of a budget."""


def attach(
    memory: System, bound: Bound, where: Mapping[str, Any], *, budget: object, bytes: object, repair: object
) -> Session:
    """A session, to be used in a `with` statement.

    Args:
        memory: the store.
        bound: the model.
        where: `user_id`, `agent_id` and `namespace`, as they were given.
        budget: tokens of memories that are read as text, at most; 0: none are.
        bytes: of the cache of blocks, at most; None: as many as there are; 0: none are used.
        repair: the share of joined blocks that is read again, 0 to 1.

    Raises:
        InvalidInput: an argument cannot be accepted.
    """
    scope = read_scope(where.get("user_id"), where.get("agent_id"), where.get("namespace"))
    return Session(
        memory,
        bound,
        scope,
        budget=read_count(budget, "budget", 0, MOST),
        bytes=_read_bytes(bytes),
        repair=_read_share(repair),
    )


def _read_bytes(value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise InvalidInput("bytes", f"{str(value)[:40]!r} is not a number of bytes", "give a whole number, or None")
    return value


def _read_share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput("repair", f"{str(value)[:40]!r} is not a share", "give a number from 0 to 1")
    return float(value)
