"""Whose memory: from `user_id=`, `agent_id=` or `namespace=` to one namespace, a tuple of strings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from mnemos.errors import InvalidInput
from mnemos.records import DEFAULT_NAMESPACE, Namespace

MAX_LABEL_BYTES = 1024
MAX_DEPTH = 32


class Scope(NamedTuple):
    """A namespace, whether those below it are meant too, and an agent to narrow it to."""

    namespace: Namespace
    agent_id: str | None = None
    descendants: bool = False
    explicit: bool = True
    """False where the caller named no scope and `("default",)` was taken."""


def read_scope(
    user_id: object = None, agent_id: object = None, namespace: object = None, *, descendants: bool = False
) -> Scope:
    """The scope that a call names. Agent alone is `("agent", id)`; beside a user it is an attribute."""
    agent = None if agent_id is None else read_label(agent_id, "agent_id")
    if namespace is not None:
        if user_id is not None:
            raise InvalidInput("namespace", "given together with user_id", "give one of the two")
        return Scope(read_namespace(namespace), agent, descendants)
    if user_id is not None:
        return Scope(("user", read_label(user_id, "user_id")), agent, descendants)
    if agent is not None:
        return Scope(("agent", agent), None, descendants)
    return Scope(DEFAULT_NAMESPACE, None, descendants, explicit=False)


def read_namespace(value: object, field: str = "namespace") -> Namespace:
    """A namespace from a user's tuple or list of labels."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidInput(field, f"is a {type(value).__name__}", "give a tuple of strings: ('user', 'ana')")
    if not value:
        raise InvalidInput(field, "is empty", "give at least one label: ('user', 'ana')")
    if len(value) > MAX_DEPTH:
        raise InvalidInput(field, f"has {len(value)} labels", f"give at most {MAX_DEPTH}")
    return tuple(read_label(label, f"{field}[{place}]") for place, label in enumerate(value))


def read_label(value: object, field: str) -> str:
    """One label of a namespace, or an id that scopes: non-empty text without NUL, at most 1 kB."""
    if not isinstance(value, str):
        raise InvalidInput(field, f"is a {type(value).__name__}, not text", "give a non-empty string")
    if not value.strip():
        raise InvalidInput(field, "is empty", "give a non-empty string, or leave it out")
    if "\x00" in value:
        raise InvalidInput(field, "holds a NUL character", "remove it")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidInput(field, "holds a lone surrogate", "give valid Unicode") from None
    if size > MAX_LABEL_BYTES:
        raise InvalidInput(field, f"is {size} bytes long", f"keep it to {MAX_LABEL_BYTES} bytes")
    return value


def namespace_key(namespace: Namespace) -> str:
    """The one text form of a namespace, compared by equality only."""
    return json.dumps(namespace, ensure_ascii=False, separators=(",", ":"))


def namespace_from_key(key: str) -> Namespace:
    """The namespace of a stored key."""
    return tuple(json.loads(key))
