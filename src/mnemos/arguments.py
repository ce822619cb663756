"""What `search`, `list` and `context` can be narrowed to, read from a caller's keywords."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from mnemos.errors import InvalidInput
from mnemos.events import read_trust
from mnemos.filters import Filter, read_filters
from mnemos.namespaces import Scope, read_label, read_scope
from mnemos.records import KINDS, LEAVES
from mnemos.times import TimeLike, read_optional_time

MAX_LIMIT = 100_000

_PLACE = re.compile(r"(\d{1,18})\.(-?\d{1,18})", re.ASCII)

F = TypeVar("F")


class Where(TypedDict, total=False):
    """Keywords that narrow a search, a context or a list."""

    user_id: str | None
    """The namespace `("user", user_id)`."""
    agent_id: str | None
    """Alone the namespace `("agent", agent_id)`; beside a user or a namespace, only memories of this agent."""
    namespace: Sequence[str] | None
    """A namespace as a tuple, instead of `user_id`."""
    descendants: bool
    """Namespaces below the given one too."""
    kinds: Sequence[str] | None
    """Kinds of memory to return; by default every leaf kind, and no level."""
    sessions: Sequence[str] | None
    """Only memories of these sessions."""
    since: TimeLike | None
    """Only what happened at or after this time."""
    until: TimeLike | None
    """Only what happened before this time."""
    as_of: TimeLike | None
    """World time: only what had happened, and was true, then."""
    known_at: TimeLike | None
    """Store time: only what the store held then, in the words that it had then."""
    now: TimeLike | None
    """The time of asking, against which "yesterday" in a question is read; by default the clock."""
    min_trust: float | None
    """Only what is trusted at least so far, 0 to 1, levels and what they were derived from included."""
    filters: Mapping[str, Any] | None
    """Conditions on attributes and metadata; see `mnemos.filters`."""


@dataclass(frozen=True, slots=True)
class Request:
    """A caller's keywords, checked. Times are microseconds since 1970 UTC."""

    scope: Scope
    kinds: tuple[str, ...]
    sessions: tuple[str, ...] | None
    since: int | None
    until: int | None
    as_of: int | None
    known_at: int | None
    now: int | None
    filters: Filter | None
    min_trust: float | None = None

    @property
    def is_plain(self) -> bool:
        """True where nothing but scope and kinds narrows the search."""
        bounds = (self.sessions, self.since, self.until, self.as_of, self.known_at, self.min_trust, self.filters)
        return self.scope.agent_id is None and all(bound is None for bound in bounds)


def read_request(where: Mapping[str, Any], zone: tzinfo | None) -> Request:
    """The checked request of a call's keywords."""
    unknown = where.keys() - Where.__annotations__.keys()
    if unknown:
        known = ", ".join(sorted(Where.__annotations__))
        raise InvalidInput(min(unknown), "is not an argument of this call", f"use limit, offset or one of {known}")
    scope = read_scope(
        where.get("user_id"),
        where.get("agent_id"),
        where.get("namespace"),
        descendants=read_flag(where.get("descendants", False), "descendants"),
    )
    times = {
        name: read_optional_time(where.get(name), name, zone) for name in ("since", "until", "as_of", "known_at", "now")
    }
    return Request(
        scope=scope,
        kinds=read_kinds(where.get("kinds")),
        sessions=_read_sessions(where.get("sessions")),
        min_trust=read_bar(where.get("min_trust")),
        filters=read_filters(where.get("filters"), zone=zone),
        **times,
    )


def read_kinds(kinds: object) -> tuple[str, ...]:
    """The kinds to return; None means every leaf kind."""
    if kinds is None:
        return LEAVES
    if isinstance(kinds, str) or not isinstance(kinds, Sequence | set | frozenset) or not kinds:
        raise InvalidInput("kinds", "is not a list of kinds", "give a list such as ['turn', 'note']")
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidInput("kinds", f"{str(kind)[:40]!r} is not a kind", f"use {', '.join(KINDS)}")
    return tuple(kinds)


def read_bar(min_trust: object) -> float | None:
    """How far something has to be trusted to be shown; None where that does not matter."""
    return None if min_trust is None else read_trust(min_trust, "min_trust")


def _read_sessions(sessions: object) -> tuple[str, ...] | None:
    if sessions is None:
        return None
    if isinstance(sessions, str) or not isinstance(sessions, Sequence | set | frozenset):
        raise InvalidInput("sessions", "is not a list", "give a list of session ids")
    return tuple(read_label(session, f"sessions[{place}]") for place, session in enumerate(sessions))


def read_count(value: object, field: str, least: int, most: int = MAX_LIMIT) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(field, f"{str(value)[:40]!r} is not between {least} and {most:,}", "give a whole number")
    return value


def read_place(value: object, field: str) -> tuple[int, int]:
    """A place in reading order, as the `end` of a page tells it: a sequence and a number."""
    match = _PLACE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(field, f"{str(value)[:40]!r} is not the end of a page", "give the end of the page before")
    return int(match[1]), int(match[2])


def read_query_text(query: object) -> str:
    """A question to search for."""
    if not isinstance(query, str):
        raise InvalidInput("query", f"is a {type(query).__name__}, not text", "give a string")
    text = query.replace("\x00", " ").encode("utf-8", "replace").decode()
    if not text.strip():
        raise InvalidInput("query", "is blank", "ask something, or use list() to see everything")
    if len(text) > 100_000:
        raise InvalidInput("query", f"has {len(text):,} characters", "ask in at most 100,000")
    return text


def read_flag(value: object, field: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidInput(field, f"is a {type(value).__name__}", "give True or False")
    return value


def read_callable(value: F, field: str) -> F:
    """Something that can be called."""
    if not callable(value):
        raise InvalidInput(field, f"is a {type(value).__name__}", "give a function")
    return value


def read_clock(moment: datetime) -> datetime:
    """What a `clock` returned, which must be an aware time."""
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise InvalidInput("clock", "returned a time without a zone", "return datetime.now(timezone.utc)")
    return moment


def read_seconds(seconds: object) -> float | None:
    """A length of time above 0, or None."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise InvalidInput("seconds", f"{str(seconds)[:40]!r} is not a length of time", "give seconds above 0")
    return float(seconds)


def read_path(path: object) -> Path:
    """The path of a file."""
    if not isinstance(path, str | os.PathLike) or not str(path) or "\x00" in str(path):
        raise InvalidInput("path", f"is {path!r}", "give the path of a file, such as 'ana.db'")
    return Path(path)
