"""The bodies of mem0's REST server, as its documentation has them; fields that are not named here are ignored."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ID = "Whose memories, in mem0's terms."
DEPRECATED = "Put it into `filters` instead."


class Message(BaseModel):
    """One message of a conversation."""

    role: str = Field(description="`user`, `assistant` or `tool`; what `system` says is left out.")
    content: str | list[dict[str, Any]] = Field(description="What was said: text, or a list of text parts.")
    name: str | None = Field(None, description="Who said it, by name.")


class MemoryCreate(BaseModel):
    """What to remember, and whose it is: one of the three ids has to be named."""

    messages: list[Message] = Field(description="In order; each becomes one memory, word for word.")
    user_id: str | None = Field(None, description=ID)
    agent_id: str | None = Field(None, description=ID)
    run_id: str | None = Field(None, description=ID)
    metadata: dict[str, Any] | None = Field(None, description="Kept with each memory; filters can ask for it.")
    expiration_date: str | None = Field(None, description="The last day on which they are shown, `YYYY-MM-DD`.")
    infer: bool | None = Field(None, description="False: replies say who spoke. Facts are derived later either way.")
    memory_type: str | None = Field(None, description="`procedural_memory`, or nothing.")
    prompt: str | None = Field(None, description="Not used.")


class MemoryUpdate(BaseModel):
    """What to change; what is not named stays."""

    text: str | None = Field(None, description="New words.")
    data: str | None = Field(None, description="The older name of `text`.", deprecated=True)
    metadata: dict[str, Any] | None = Field(None, description="Entries to set; the others stay.")
    expiration_date: str | None = Field(None, description="`YYYY-MM-DD`, or null for no end.")


class SearchRequest(BaseModel):
    """A question, and in `filters` whose memories are asked."""

    query: str = Field(description="The question.")
    user_id: str | None = Field(None, description=DEPRECATED, deprecated=True)
    agent_id: str | None = Field(None, description=DEPRECATED, deprecated=True)
    run_id: str | None = Field(None, description=DEPRECATED, deprecated=True)
    filters: dict[str, Any] | None = Field(None, description="Ids and conditions, with AND, OR and NOT.")
    top_k: int | None = Field(None, description="The most results; 20 unless told.")
    threshold: float | None = Field(None, description="The least score, 0 to 1; any unless told.")
    explain: bool | None = Field(None, description="With `score_details`.")
    show_expired: bool | None = Field(None, description="With memories whose expiration date is over.")


class Shaped(BaseModel):
    """Part of a reply; what it does not have is left out."""

    model_config = ConfigDict(extra="allow")


class Added(Shaped):
    """What became of one message."""

    id: str
    memory: str
    event: Literal["ADD", "NONE"] = Field(description="`NONE`: the same event was stored before, under this id.")


class AddedReply(BaseModel):
    """One result for each message."""

    results: list[Added]


class MemoryReply(Shaped):
    """A memory; `score` where it was searched for."""

    id: str
    memory: str
    hash: str
    metadata: dict[str, Any] | None
    created_at: str | None
    updated_at: str | None
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    actor_id: str | None = None
    role: str | None = None
    expiration_date: str | None = None
    score: float | None = None
    score_details: dict[str, Any] | None = None


class MemoriesReply(BaseModel):
    """Memories, of a list in reading order, of a search best first."""

    results: list[MemoryReply]


class HistoryRow(BaseModel):
    """One change of a memory."""

    id: str
    memory_id: str
    old_memory: str | None
    new_memory: str | None
    event: Literal["ADD", "UPDATE", "DELETE"]
    created_at: str | None
    updated_at: str | None
    is_deleted: bool
    actor_id: str | None
    role: str | None


class MessageReply(BaseModel):
    """What was done."""

    message: str


class ConfigureReply(MessageReply):
    """What became of a configuration."""

    not_used: list[str] = Field(description="The sections that change nothing on this server: all of them.")


EntityType = Literal["user", "agent", "run"]


class Entity(BaseModel):
    """A user, agent or run that has memories."""

    id: str
    type: EntityType
    total_memories: int
    created_at: str | None
    updated_at: str | None


class Refusal(BaseModel):
    """An error, as FastAPI shapes it."""

    detail: str


class Invalid(BaseModel):
    """A body or parameter that does not fit."""

    detail: list[InvalidPart]


class InvalidPart(BaseModel):
    """One part that does not fit, and where it stands."""

    loc: list[str | int]
    msg: str
    type: str
