"""What the tools take: the fields that a model sees, with what they mean."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mnemos.errors import InvalidInput

SCOPE = ("user_id", "namespace")
"""Fields that only callers have who may choose a scope."""
Kind = Literal["turn", "note", "document", "fact", "skill", "item", "episode", "theme", "profile"]
TIME = "ISO 8601 with a zone, as 2026-03-02T18:40:00Z"


def _from_json(value: object) -> object:
    """Some clients send lists and objects as text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


Labels = Annotated[list[str], BeforeValidator(_from_json)]
Kinds = Annotated[list[Kind], BeforeValidator(_from_json)]
Object = Annotated[dict[str, Any], BeforeValidator(_from_json)]


class Arguments(BaseModel):
    """Arguments of a tool; what is not named here is refused."""

    model_config = ConfigDict(extra="forbid")


class Scoped(Arguments):
    """Arguments of a tool that works on a scope."""

    user_id: str | None = Field(None, description="Whose memory it is. Leave it out for the memory that all share.")
    namespace: Labels | None = Field(None, description='In place of user_id: a namespace, as ["team", "sales"].')


class Narrowed(Scoped):
    """Arguments of a tool that searches or lists."""

    session_id: str | None = Field(None, description="Only what was added under this id of a conversation.")
    kinds: Kinds | None = Field(
        None, description="Only these kinds. turn, note and document are what was said or given; fact is derived."
    )
    since: str | None = Field(None, description=f"Only what happened at or after this time. {TIME}.")
    until: str | None = Field(None, description=f"Only what happened before this time. {TIME}.")
    min_trust: float | None = Field(None, ge=0, le=1, description="Only what is trusted at least so far, 0 to 1.")
    filters: Object | None = Field(
        None, description='Conditions on metadata, as {"city": "Lisbon"} or {"stars": {"gte": 3}}.'
    )

    def where(self) -> dict[str, Any]:
        """The library's keywords, without the scope."""
        sessions = None if self.session_id is None else [self.session_id]
        told = {"sessions": sessions, **self.model_dump(include={"kinds", "since", "until", "min_trust", "filters"})}
        return {name: value for name, value in told.items() if value is not None}


class AddMemory(Scoped):
    """Arguments of `add_memory`."""

    text: str = Field(
        description="What to remember, in the words in which it was said (My sister Rita is vegan), or as a whole "
        "sentence with names. One thing at a time."
    )
    speaker: str | None = Field(None, description="The name of who said it, as Ana.")
    role: Literal["user", "assistant", "system", "tool"] = Field("user", description="Who said it.")
    happened_at: str | None = Field(None, description=f"When it was said or took place. {TIME}. Left out: now.")
    metadata: Object | None = Field(None, description='Anything to filter by later, as {"project": "roof"}.')
    session_id: str | None = Field(None, description="Id of the conversation, where it has one.")


class SearchMemories(Narrowed):
    """Arguments of `search_memories`."""

    query: str = Field(description="What to find out, as a question or in a few words.")
    limit: int = Field(10, ge=1, le=100, description="How many memories to return.")


class GetContext(Narrowed):
    """Arguments of `get_context`."""

    query: str = Field(description="What is about to be answered or done.")
    budget: int = Field(1000, ge=1, le=32_000, description="The largest size of the block, in tokens.")


class ListMemories(Narrowed):
    """Arguments of `list_memories`."""

    limit: int = Field(20, ge=1, le=100, description="How many memories to return.")
    offset: int = Field(0, ge=0, le=10_000_000, description="How many to leave out first.")
    newest_first: bool = Field(True, description="False: in the order in which they were remembered.")


class OneMemory(Arguments):
    """Arguments of a tool that works on one memory."""

    id: str = Field(description="The id of the memory, as search_memories and list_memories show it.")


class UpdateMemory(OneMemory):
    """Arguments of `update_memory`."""

    text: str | None = Field(None, description="What it says from now on.")
    metadata: Object | None = Field(None, description="Its metadata from now on, all of it.")
    happened_at: str | None = Field(None, description=f"When it was said or took place. {TIME}.")
    invalid_at: str | None = Field(None, description=f"Since when it is no longer true. {TIME}.")


class GetProfile(Scoped):
    """Arguments of `get_profile`."""

    subject: str | None = Field(
        None, description="A person, by name or as the user calls them (my mother). Left out: whose memory it is."
    )


class GetTimeline(Scoped):
    """Arguments of `get_timeline`."""

    subject: str | None = Field(None, description="Only what concerns this person. Left out: everything.")
    since: str | None = Field(None, description=f"From this time on. {TIME}.")
    until: str | None = Field(None, description=f"Before this time. {TIME}.")
    limit: int = Field(50, ge=1, le=500, description="At most so many moments, the latest ones.")


class Search(Arguments):
    """Arguments of `search`."""

    query: str = Field(description="What to find out.")


class Fetch(Arguments):
    """Arguments of `fetch`."""

    id: str = Field(description="The id of a result of search.")


A = TypeVar("A", bound=Arguments)


def read(model: type[A], given: dict[str, Any], *, fixed: bool) -> A:
    """The arguments of a call, checked.

    Raises:
        InvalidInput: names the argument and how to mend it.
    """
    if fixed and (chosen := next((name for name in SCOPE if given.get(name) is not None), None)):
        raise InvalidInput(chosen, "is not yours to choose here", "leave it out: every call has the same scope")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
    field = ".".join(map(str, first["loc"])) or "arguments"
    if first["type"] == "extra_forbidden":
        known = ", ".join(schema(model, fixed=fixed)["properties"])
        raise InvalidInput(field, "is not an argument of this tool", f"use {known}")
    if first["type"] == "missing":
        raise InvalidInput(field, "is missing", f"give it: {model.model_fields[field].description}")
    said = str(first["msg"])
    raise InvalidInput(field, said[:1].lower() + said[1:], "send what the tool's input schema says")


def schema(model: type[Arguments], *, fixed: bool) -> dict[str, Any]:
    """The JSON Schema of the arguments, as short as it can be; what is required comes first."""
    told = untitled(model.model_json_schema())
    required = told.get("required", [])
    fields = {name: _optional(part) for name, part in told["properties"].items() if not (fixed and name in SCOPE)}
    first = dict(sorted(fields.items(), key=lambda field: field[0] not in required))
    return {"type": "object", "properties": first, "required": required, "additionalProperties": False}


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    """A field without the null that stands for leaving it out."""
    some = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**some[0], **rest} if len(some) == 1 else schema


def untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema without the titles that only repeat the names of its fields."""
    named = {name: {key: untitled(part) for key, part in schema[name].items()}
             for name in ("properties", "$defs") if name in schema}  # fmt: skip
    rest = {name: value for name, value in schema.items() if name != "title" and name not in named}
    if isinstance(schema.get("items"), dict):
        rest["items"] = untitled(schema["items"])
    return rest | named


_NAMES = {"content": "text", "messages": "text", "name": "speaker", "sessions": "session_id"}


def argument(field: str) -> str:
    """The argument of a tool that set a field of the library."""
    name = re.sub(r"^messages?(\[\d+\])?\.", "", field)
    head, dot, rest = name.partition(".")
    return _NAMES.get(re.sub(r"\[\d+\]$", "", head), head) + dot + rest
