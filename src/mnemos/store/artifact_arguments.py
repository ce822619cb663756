"""What callers of `memory.artifacts` may give, each refused by name where it cannot be read."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mnemos.errors import InvalidInput
from mnemos.ids import read_id
from mnemos.records import Memory
from mnemos.store.artifact_rows import FORMS, STATES, ArtifactForm, State


def read_form(value: object) -> ArtifactForm:
    """A form that has artifacts."""
    if value not in FORMS:
        raise InvalidInput("form", f"{str(value)[:40]!r} has no artifacts", f"use {' or '.join(FORMS)}")
    return value


def read_sources(sources: object) -> tuple[str, ...]:
    """The ids of what something is made of: at least one, each once."""
    if isinstance(sources, str) or not isinstance(sources, Sequence) or not sources:
        raise InvalidInput("sources", "is not a list of memories", "name the memories that it was made of")
    ids = read_ids([one.id if isinstance(one, Memory) else one for one in sources], "sources")
    if len(set(ids)) < len(ids):
        raise InvalidInput("sources", "names a memory twice", "name each once")
    return ids


def read_ids(ids: object, field: str) -> tuple[str, ...]:
    """Ids as a user gave them, in canonical form."""
    if isinstance(ids, str) or not isinstance(ids, Sequence):
        raise InvalidInput(field, f"is a {type(ids).__name__}", "give a list of ids")
    return tuple(read_id(one, f"{field}[{place}]") for place, one in enumerate(ids))


def read_state(value: object) -> State:
    """A state of an artifact."""
    if value not in STATES:
        raise InvalidInput("state", f"{str(value)[:40]!r} is unknown", f"use {', '.join(STATES)}")
    return value


def read_duration(seconds: object) -> float:
    """Seconds, 0 or more."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise InvalidInput("seconds", f"{str(seconds)[:40]!r} is not a length of time", "give seconds, 0 or more")
    return float(seconds)
