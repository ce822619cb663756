"""What a caller of the proxy says beside the request itself: whose memory, how much of it, whether to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mnemos.arguments import read_count
from mnemos.errors import InvalidInput
from mnemos.namespaces import Scope, read_label, read_scope
from mnemos.serve.access import Access
from mnemos.serve.proxy.chat import Chat

USER, AGENT, NAMESPACE = "X-Mnemos-User", "X-Mnemos-Agent", "X-Mnemos-Namespace"
SESSION, BUDGET, LEARN = "X-Mnemos-Session", "X-Mnemos-Budget", "X-Mnemos-Learn"
LARGEST_BUDGET = 1_000_000
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What holds for one request."""

    scope: Scope
    session_id: str | None
    budget: int
    """Tokens of memories; 0 for none."""
    learns: bool


def read_wishes(headers: Mapping[str, str], chat: Chat, access: Access, budget: int) -> Wishes:
    """What the headers say, and the body's `user` where they name nobody.

    Raises:
        InvalidInput: a header cannot be read.
        Forbidden: the scope lies outside of what the key is bound to.
    """
    given = {name: _header(headers, name) for name in (USER, AGENT, NAMESPACE, SESSION, BUDGET, LEARN)}
    user, namespace = given[USER], given[NAMESPACE]
    if user is None and namespace is None:
        named = chat.body.get("user")
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
    if said.lower() not in _YES_NO:
        raise InvalidInput(LEARN, f"{said[:20]!r} is neither yes nor no", "say no, or leave it out")
    return _YES_NO[said.lower()]
