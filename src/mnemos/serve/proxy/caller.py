"""What a caller of the proxy says beside the request itself: whose memory, how much of it, whether to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnemos.arguments import read_count
from mnemos.errors import InvalidInput
from mnemos.namespaces import Scope, read_label, read_scope
from mnemos.serve.access import Access

USER, AGENT, NAMESPACE = "X-Mnemos-User", "X-Mnemos-Agent", "X-Mnemos-Namespace"
SESSION, BUDGET, LEARN = "X-Mnemos-Session", "X-Mnemos-Budget", "X-Mnemos-Learn"
LARGEST_BUDGET = 1_000_000
_YES_NO = {"yes": True, "no": False}
TEXT = {"type": "string", "minLength": 1}
PARAMETERS: list[dict[str, Any]] = [
    {"name": name, "in": "header", "required": False, "description": told, "schema": schema}
    for name, told, schema in (
        (USER, "Whose memory: the namespace `user` of this id, in place of the body's `user`.", TEXT),
        (AGENT, "Alone the agent's own memory; beside a user only what this agent was told.", TEXT),
        (
            NAMESPACE,
            "Whose memory: labels with commas between them, in place of a user.",
            {"type": "string", "pattern": r"^[^,\s][^,]*(,\s*[^,\s][^,]*)*$"},
        ),
        (SESSION, "The session that the exchange belongs to, in place of the one told from the conversation.", TEXT),
        (
            BUDGET,
            "Tokens of memories in the prompt; 0 for none.",
            {"type": "integer", "minimum": 0, "maximum": LARGEST_BUDGET},
        ),
        (LEARN, "Whether the exchange is learnt.", {"type": "string", "enum": list(_YES_NO)}),
    )
]
"""These headers, as OpenAPI describes them."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What holds for one request."""

    scope: Scope
    session_id: str | None
    budget: int
    """Tokens of memories; 0 for none."""
    learns: bool


def read_wishes(headers: Mapping[str, str], named: object, access: Access, budget: int) -> Wishes:
    """What the headers say, and whom the body names where they name nobody.

    Raises:
        InvalidInput: a header cannot be read.
        Forbidden: the scope lies outside of what the key is bound to.
    """
    given = {name: _header(headers, name) for name in (USER, AGENT, NAMESPACE, SESSION, BUDGET, LEARN)}
    user, namespace = given[USER], given[NAMESPACE]
    if user is None and namespace is None:
        user = named if isinstance(named, str) and named.strip() else None
    labels = None if namespace is None else [label.strip() for label in namespace.split(",")]
    scope = read_scope(**access.scope(user_id=user, agent_id=given[AGENT], namespace=labels))
    session, tokens = given[SESSION], given[BUDGET]
    return Wishes(
        scope=scope,
        session_id=None if session is None else read_label(session, SESSION),
        budget=budget if tokens is None else _read_budget(tokens),
        learns=_read_yes_no(given[LEARN]) and "write" in access.scopes,
    )


def _header(headers: Mapping[str, str], name: str) -> str | None:
    """A header's text: UTF-8, which HTTP carries as Latin-1."""
    value = headers.get(name)
    if value is None:
        return None
    raw = value.encode("latin-1")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return value


def _read_budget(said: str) -> int:
    number = int(said) if said.isascii() and said.isdigit() and len(said) < 9 else said
    return read_count(number, BUDGET, 0, LARGEST_BUDGET)


def _read_yes_no(said: str | None) -> bool:
    if said is None:
        return True
    if said not in _YES_NO:
        raise InvalidInput(LEARN, f"{said[:20]!r} is neither yes nor no", "say no, or leave it out")
    return _YES_NO[said]
