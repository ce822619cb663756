"""What callers are told: the library's own records, wrapped where a list needs company."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema

from mnemos.entities.graph import Graph, Node
from mnemos.levels.answers import Profile, Timeline
from mnemos.records import Change, Context, Deletion, Hit, Link, Memory, Namespace
from mnemos.serve.problems import responses
from mnemos.store.reading import Stats
from mnemos.verbs.gating import Kept

CONFIG = ConfigDict(use_attribute_docstrings=True, json_schema_serialization_defaults_required=True)
READING = responses(401, 403, 406, 422, 429, 503)
"""The problems of any route that reads."""
WRITING = READING | responses(409, 413, 415, 507)
"""The problems of any route that writes."""
BY_ID = responses(404)
"""The problem of any route that is given an id."""


class _Told:
    """Lets the API's schema say of a record's fields what their docstrings say, and that each is there."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = TypeAdapter(tuple[source], config=CONFIG).core_schema
        first: CoreSchema = schema["items_schema"][0]
        return first


class Reply(BaseModel):
    """An object of its own."""

    model_config = CONFIG


MemoryReply = Annotated[Memory, _Told()]
ContextReply = Annotated[Context, _Told()]
DeletionReply = Annotated[Deletion, _Told()]
StatsReply = Annotated[Stats, _Told()]
KeptReply = Annotated[Kept, _Told()]
ProfileReply = Annotated[Profile, _Told()]
TimelineReply = Annotated[Timeline, _Told()]
GraphReply = Annotated[Graph, _Told()]


class Memories(Reply):
    """Memories, in the order of the request."""

    memories: list[Memory]


class Hits(Reply):
    """What answers a question, best first."""

    hits: list[Hit]
    total: int
    """How many memories match in all."""
    more: int
    """How many come after these."""


class MemoryPage(Reply):
    """Memories in reading order."""

    memories: list[Memory]
    total: int
    """How many match in all."""
    more: int
    """How many come after these."""
    next_cursor: str | None
    """Where to go on: give it as `cursor`. null at the end."""


class Facts(Reply):
    """Facts in the order in which they became true."""

    memories: list[Memory]
    total: int
    """How many there are in all."""
    more: int
    """How many come after these."""


class Entities(Reply):
    """People, animals, places and things, those most often mentioned first."""

    entities: list[Node]


class Taught(Reply):
    """What feedback has taught."""

    factors: dict[str, float]
    """How much more or less each signal weighs in this namespace; those that are not named weigh as ever."""


class Reset(Reply):
    """Whether there was something to forget."""

    reset: bool


class History(Reply):
    """What became of a memory, oldest first."""

    changes: list[Change]


class Links(Reply):
    """What joins a memory to others."""

    links: list[Link]


class Namespaces(Reply):
    """Namespaces, each a list of labels."""

    namespaces: list[Namespace]
