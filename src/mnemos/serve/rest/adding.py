"""Adding memories."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, SkipValidation

from mnemos.serve.depends import Writer
from mnemos.serve.rest.bodies import Body, Label, Object, Scoped, Time, Words
from mnemos.serve.rest.once import MEMORIES, Onced
from mnemos.serve.rest.replies import WRITING, Memories
from mnemos.serve.rest.route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["memories"])
Logged = Literal["turn", "note", "document", "fact", "skill"]


class TextPart(BaseModel):
    """A part of what was said."""

    type: str = "text"
    text: str


class NewMessage(Body):
    """One message; what it does not say holds from the request."""

    content: Words | list[TextPart]
    """What was said: text, or OpenAI's list of text parts."""
    role: Label | None = None
    """`user`, `assistant`, `system` or `tool`."""
    name: Label | None = None
    """Who said it, by name."""
    happened_at: Time | None = None
    """When it was said."""
    session_id: Label | None = None
    kind: Logged | None = None
    metadata: Object | None = None
    source_id: Label | None = None
    """What it is called where it comes from; a repeat of it is stored once."""
    idempotency_key: Label | None = None
    """A repeat of this key in this namespace is stored once."""
    valid_at: Time | None = None
    """Since when it is true in the world."""
    invalid_at: Time | None = None
    """When it ceased to be true."""
    trust: Annotated[float | None, Field(ge=0, le=1)] = None
    """How far it is trusted; never further than the key."""


class NewMemories(Scoped, Body):
    """Messages to remember, and what holds for each that does not say otherwise."""

    messages: Annotated[
        Words | NewMessage | list[Words | NewMessage],
        SkipValidation,
        Field(examples=["I moved to Lisbon in March.", [{"role": "user", "name": "Ana", "content": "I am vegan."}]]),
    ]
    """A text, a message, or a list of them; each becomes a memory."""
    session_id: Label | None = None
    """The conversation that they belong to; recall crosses conversations unless it is told not to."""
    kind: Logged = "turn"
    happened_at: Time | None = None
    """When it was said or took place."""
    name: Label | None = None
    """Who said it, by name."""
    role: Label | None = None
    """`user`, `assistant`, `system` or `tool`."""
    metadata: Object | None = None
    idempotency_key: Label | None = None
    """A repeat of this key in this namespace is stored once."""
    timezone: Annotated[str | None, Field(examples=["Europe/Lisbon"])] = None
    """The zone, by its IANA name, of times that name none; without it they are refused."""


KEPT = ("session_id", "kind", "happened_at", "name", "role", "metadata", "idempotency_key", "timezone")


@router.post(
    "/v1/memories",
    operation_id="add",
    status_code=201,
    summary="Remember what was said",
    responses=WRITING,
)
async def add(body: NewMemories, access: Writer, once: Onced) -> Memories:
    """On disk when it answers, and found by the next search; facts and levels are derived soon after.

    All messages are stored, or none. `is_new` is false where the same event was stored before.
    """
    scope = body.scope(access)
    told: dict[str, Any] = {name: getattr(body, name) for name in KEPT}
    write = once.write(access)
    messages: Any = body.messages if write is None else _marked(body, write.mark)
    return Memories(memories=await once.call(access, lambda memory: memory.add(messages, **scope, **told), MEMORIES))


def _marked(body: NewMemories, mark: str) -> Any:
    """The messages, with a name for each that nothing else makes recognisable: the store itself knows a repeat then."""
    if body.happened_at is not None or body.idempotency_key is not None:
        return body.messages
    if not isinstance(body.messages, list):
        return _marked_one(body.messages, mark)
    return [_marked_one(one, f"{mark}.{place}") for place, one in enumerate(body.messages)]


def _marked_one(message: object, mark: str) -> object:
    fields = {"content": message} if isinstance(message, str) else message
    if not isinstance(fields, dict) or any(fields.get(name) is not None for name in RECOGNISABLE):
        return message
    return {**fields, "idempotency_key": mark}


RECOGNISABLE = ("happened_at", "source_id", "idempotency_key")
"""What makes a repeat of a message recognisable."""
