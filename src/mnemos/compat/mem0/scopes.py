"""Whose memories a mem0 call means: from `user_id`, `agent_id` and `run_id` to the places where Mnemos keeps them.

mem0 writes the three ids beside each memory and matches whichever a call names. Here a user's memories live in the
namespace `("user", id)` with agent and run as attributes, those of an agent without a user in `("agent", id)`, and
those of a run without either in `("run", id)`. A call that names no user therefore looks in several places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from mnemos.compat.mem0.errors import ValidationError, nobody_named
from mnemos.errors import InvalidInput
from mnemos.namespaces import read_label
from mnemos.records import Namespace
from mnemos.system import Mnemos

IDS = ("user_id", "agent_id", "run_id")
ROOTS: tuple[Namespace, ...] = (("user",), ("agent",), ("run",))
"""What all memories of mem0's callers are below."""

Ids = Mapping[str, str]
"""The ids that a call names, by mem0's names; those that it leaves out are missing."""
Place = dict[str, Any]
"""Keyword arguments that narrow a verb of `Mnemos` to one place."""


class Reach(Protocol):
    """What a caller may see of a store."""

    @property
    def namespaces(self) -> tuple[Namespace, ...] | None:
        """The namespaces to which the caller is bound, with those below them; None: everything."""
        ...

    def allows(self, namespace: Namespace) -> bool:
        """Whether a namespace is within reach."""
        ...

    def scope(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> Place:
        """A scope as keyword arguments, once it is known to be within reach."""
        ...

    def own(self, memory: Mnemos, id: str, field: str = "id") -> str:
        """An id that the caller may know of; raises `NotFound` for any other."""
        ...


class Everything:
    """The reach of a program that opened the store itself."""

    namespaces: tuple[Namespace, ...] | None = None

    def allows(self, namespace: Namespace) -> bool:
        """Every namespace is within reach."""
        return True

    def scope(self, **named: Any) -> Place:
        """The scope as it was named."""
        return {name: value for name, value in named.items() if value}

    def own(self, memory: Mnemos, id: str, field: str = "id") -> str:
        """Every id may be known of; the verb says whether it exists."""
        return id


def read_id(value: object, field: str) -> str | None:
    """One id, trimmed as mem0 does, a number or UUID as its text; None where it is left out.

    Raises:
        ValidationError: it is empty, or `*`, which mem0 takes for everybody.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | UUID):
        raise InvalidInput(field, f"is a {type(value).__name__}, not text", "give an id as text or a number")
    text = str(value).strip()
    if not text or text == "*":
        raise ValidationError(
            f"Invalid {field}: {'cannot be empty or whitespace-only' if not text else 'does not name one'}.",
            "VALIDATION_001",
            field=field,
            suggestion="Provide a valid identifier.",
        )
    return read_label(text, field)


def read_ids(**given: object) -> dict[str, str]:
    """The ids that a call names."""
    read = {name: read_id(value, name) for name, value in given.items()}
    return {name: value for name, value in read.items() if value is not None}


def home(ids: Ids, reach: Reach) -> Place:
    """Where a new memory of these ids is kept.

    Raises:
        ValidationError: no id is named.
    """
    if not ids:
        raise nobody_named()
    user, agent, run = (ids.get(name) for name in IDS)
    scope = reach.scope(user_id=user, agent_id=agent) if user or agent else reach.scope(namespace=("run", str(run)))
    return scope if run is None else {**scope, "session_id": run}


def places(ids: Ids, reach: Reach) -> list[Place]:
    """Everywhere that memories of these ids may be; no ids means all of mem0's, within reach."""
    user, agent, run = (ids.get(name) for name in IDS)
    inside = {} if run is None else {"sessions": [run]}
    if user is not None:
        return [{**reach.scope(user_id=user, agent_id=agent), **inside}]
    found: list[Place] = []
    if agent is not None and reach.allows(("agent", agent)):
        found.append({**reach.scope(agent_id=agent), **inside})
    roots = ROOTS if not ids else ROOTS[: 1 if agent is not None else 2]
    for root in roots if reach.namespaces is None else reach.namespaces:
        found.append({**reach.scope(namespace=root, agent_id=agent, descendants=True), **inside})
    if run is not None and agent is None and reach.allows(("run", run)):
        found.append({**reach.scope(namespace=("run", run)), **inside})
    return found
