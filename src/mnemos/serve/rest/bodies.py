"""What callers may say: the parts that many requests share, as pydantic models.

Types and names are checked here; what values mean is read by the library, whose errors name field and mend.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json, SkipValidation

from mnemos.errors import InvalidInput
from mnemos.records import Kind
from mnemos.serve.access import Access

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-03-02T18:40:00Z"])]
"""ISO 8601 with a zone; the library reads it."""
Object = Annotated[dict[str, Any], SkipValidation]
"""A JSON object; the library reads it."""

JsonFilters = Annotated[Json[Object] | None, Field(examples=['{"city": "Lisbon"}'])]
"""Conditions as a query parameter."""
Label = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 1024, "pattern": r"\S"})]
"""A name of one's own, not blank, at most 1 kB; the library reads it."""
Words = Annotated[str, Field(json_schema_extra={"minLength": 1, "pattern": r"\S"})]
"""Text that is not blank; the library reads it."""
Id = Annotated[
    str, Path(description="The id, as add, search and list return it.", max_length=200, pattern=r"^[\x21-\x7e]+$")
]


class Part(BaseModel):
    """What several requests share."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Body(Part):
    """A JSON body: no other fields, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(Part):
    """Query parameters: no other names."""

    model_config = ConfigDict(extra="forbid")


def _read_flag(value: object) -> object:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("input should be true or false")
    return value


def _read_number(value: object) -> object:
    if isinstance(value, str) and not value.removeprefix("-").isdecimal():
        raise ValueError("input should be a whole number")
    return value


Flag = Annotated[bool, BeforeValidator(_read_flag)]
"""`true` or `false`, also as a query parameter."""
NUMBER = BeforeValidator(_read_number)
"""Keeps a number as a query parameter to digits."""


class Scoped(Part):
    """Whose memories."""

    user_id: Annotated[Label | None, Field(examples=["ana"])] = None
    """Means the namespace `["user", user_id]`."""
    agent_id: Label | None = None
    """Alone the namespace `["agent", agent_id]`; beside a user or a namespace, only what concerns this agent."""
    namespace: Annotated[list[Label] | None, Field(json_schema_extra={"minItems": 1, "maxItems": 32})] = None
    """A namespace as a list of labels, instead of `user_id`."""

    def scope(self, access: Access, *, explicit: bool = False) -> dict[str, Any]:
        """The scope as the library takes it, if this caller may have it.

        Raises:
            Forbidden: the scope lies outside of what the caller's key is bound to.
            InvalidInput: the scope cannot be read, or is missing though it must be named.
        """
        if explicit and self.user_id is None and self.agent_id is None and self.namespace is None:
            raise InvalidInput("user_id", "is missing, and so are agent_id and namespace", "name whose memories")
        return access.scope(
            user_id=self.user_id,
            agent_id=self.agent_id,
            namespace=self.namespace,
            descendants=getattr(self, "descendants", False),
        )


class Deep(Scoped):
    """Whose memories, and those of namespaces below."""

    descendants: Flag = False
    """Namespaces below the given one too."""


class Narrowed(Deep):
    """What is asked for is narrowed to."""

    sessions: list[Label] | None = None
    """Only memories of these sessions."""
    since: Time | None = None
    """Only what happened at or after this time."""
    until: Time | None = None
    """Only what happened before this time."""
    as_of: Time | None = None
    """World time: only what had happened, and was true, then."""
    known_at: Time | None = None
    """Store time: only what the store held then, in the words that it had then."""
    now: Time | None = None
    """The time of asking, against which "yesterday" in a question is read; by default the server's clock."""
    min_trust: Annotated[float | None, Field(ge=0, le=1)] = None
    """Only what is trusted at least so far, 0 to 1."""

    def where(self, access: Access) -> dict[str, Any]:
        """The keywords by which the library is told all this."""
        told = {name: getattr(self, name, None) for name in NARROWING}
        return self.scope(access) | {name: value for name, value in told.items() if value is not None}


NARROWING = ("kinds", "sessions", "since", "until", "as_of", "known_at", "now", "min_trust", "filters")


class Chosen(Narrowed):
    """What a search, a context or a list is narrowed to."""

    kinds: Annotated[list[Kind] | None, Field(min_length=1)] = None
    """Kinds of memory to return; by default every leaf kind, and no level."""


class Filtered(Chosen):
    """The same in a JSON body, with conditions."""

    filters: Annotated[Object | None, Field(examples=[{"city": "Lisbon"}])] = None
    """Conditions on attributes and metadata, as `{"stars": {"gte": 3}}`, joined by `AND`, `OR`, `NOT`."""
