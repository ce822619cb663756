"""The routes of mem0's open-source server, at the root: clients of that server need another address and nothing else.

Errors are `{"detail": …}`, as that server's are. What a call may see is what its key may see, as everywhere here.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException

from mnemos.compat.mem0 import verbs
from mnemos.compat.mem0.filters import Branch
from mnemos.compat.mem0.scopes import read_ids
from mnemos.errors import InvalidInput, MnemosError, StoreError
from mnemos.serve.access import Access
from mnemos.serve.depends import bearer, caller
from mnemos.serve.envelope import BodyTooLong
from mnemos.serve.mem0_models import (
    AddedReply,
    ConfigureReply,
    Entity,
    EntityType,
    HistoryRow,
    Invalid,
    MemoriesReply,
    MemoryCreate,
    MemoryReply,
    MemoryUpdate,
    MessageReply,
    Refusal,
    SearchRequest,
)
from mnemos.serve.problems import STATUS, WAIT, responses
from mnemos.system import UNSET

ALL = 1000
"""The most memories that a list brings where nobody is named."""
REFUSALS: dict[int, str] = {
    400: "What was sent cannot be used.",
    401: "No key was shown, or one that opens nothing.",
    403: "The key does not allow this.",
    429: "The key made too many requests.",
    503: "The store cannot be used at the moment.",
    507: "There is no room for this.",
}


class Mem0Route(APIRoute):
    """A route whose errors are shaped as mem0's server shapes them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, which answers errors itself."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                parts = [{name: part[name] for name in ("type", "loc", "msg")} for part in error.errors()]
                return _refusal(422, parts)
            except BodyTooLong:
                raise
            except HTTPException as error:
                return _refusal(error.status_code, error.detail)
            except MnemosError as error:
                return _of_error(error)

        return answer


api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="A key made by `mnemos key create`.")
router = APIRouter(
    tags=["mem0"],
    route_class=Mem0Route,
    dependencies=[Security(bearer), Security(api_key)],
    responses={
        **{code: {"model": Refusal, "description": text} for code, text in REFUSALS.items()},
        **responses(413),
        422: {"model": Invalid, "description": "A body or parameter that does not fit."},
    },
)
Reader = Annotated[Access, Depends(caller("mem0", "read"))]
Writer = Annotated[Access, Depends(caller("mem0", "write"))]
Admin = Annotated[Access, Depends(caller("mem0", "admin"))]
UserId = Annotated[str | None, Query(description="A user's memories.")]
AgentId = Annotated[str | None, Query(description="An agent's memories.")]
RunId = Annotated[str | None, Query(description="A run's memories.")]
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Refusal, "description": "No such memory for this key."}}


@router.post("/memories", operation_id="mem0_add", summary="Create memories", response_model_exclude_unset=True)
async def add(
    access: Writer,
    body: MemoryCreate,
    idempotency_key: Annotated[str | None, Header(description="A repeat with the same key stores nothing.")] = None,
) -> AddedReply:
    """Remember messages of a user, an agent or a run, one result for each."""
    ids = _ids(user_id=body.user_id, agent_id=body.agent_id, run_id=body.run_id)
    if not ids:
        raise HTTPException(400, "At least one identifier (user_id, agent_id, run_id) is required.")
    reply = await access.call(
        lambda memory: verbs.add(
            memory,
            access,
            [message.model_dump() for message in body.messages],
            ids,
            metadata=body.metadata,
            infer=body.infer is not False,
            memory_type=body.memory_type,
            expiration_date=body.expiration_date,
            idempotency_key=idempotency_key,
        )
    )
    return AddedReply(**reply)


@router.get("/memories", operation_id="mem0_list", summary="Get memories", response_model_exclude_unset=True)
async def get_all(
    access: Reader,
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    top_k: Annotated[int | None, Query(ge=0, le=ALL, description="The most results; 20 unless told.")] = None,
    show_expired: Annotated[bool, Query(description="With memories whose expiration date is over.")] = False,
) -> MemoriesReply:
    """The memories of a user, an agent or a run; with a key of scope `admin` and nobody named, everybody's."""
    ids = _ids(user_id=user_id, agent_id=agent_id, run_id=run_id)
    if not ids:
        access.need("admin")
        most, shown = (ALL if top_k is None else top_k), True
    else:
        most, shown = (20 if top_k is None else top_k), show_expired
    return MemoriesReply(
        **await access.call(lambda memory: verbs.listed(memory, access, [Branch(ids)], top_k=most, show_expired=shown))
    )


@router.delete("/memories", operation_id="mem0_delete_all", summary="Delete all memories of somebody")
async def delete_all(
    access: Admin, user_id: UserId = None, agent_id: AgentId = None, run_id: RunId = None
) -> MessageReply:
    """Delete every memory of a user, an agent or a run, one of which has to be named."""
    ids = _ids(user_id=user_id, agent_id=agent_id, run_id=run_id)
    if not ids:
        raise HTTPException(400, "At least one identifier is required.")
    await access.call(lambda memory: verbs.delete_all(memory, access, ids))
    return MessageReply(message="All relevant memories deleted")


@router.get("/memories/{memory_id}", operation_id="mem0_get", summary="Get a memory", response_model_exclude_unset=True)
async def get(access: Reader, memory_id: str) -> MemoryReply | None:
    """One memory, or null where the key knows of none with this id."""
    found = await access.call(lambda memory: verbs.get(memory, access, memory_id))
    return None if found is None else MemoryReply(**found)


@router.put("/memories/{memory_id}", operation_id="mem0_update", summary="Update a memory", responses=UNKNOWN)
async def update(access: Writer, memory_id: str, body: MemoryUpdate) -> MessageReply:
    """Change a memory's words, entries of its metadata, or its last day."""
    last = body.expiration_date if "expiration_date" in body.model_fields_set else UNSET
    words = dict(body)["data"] if body.text is None else body.text
    reply = await access.call(
        lambda memory: verbs.update(memory, access, memory_id, text=words, metadata=body.metadata, expiration_date=last)
    )
    return MessageReply(**reply)


@router.delete("/memories/{memory_id}", operation_id="mem0_delete", summary="Delete a memory", responses=UNKNOWN)
async def delete(access: Writer, memory_id: str) -> MessageReply:
    """Delete a memory, its words everywhere, and what was derived only from it."""
    await access.call(lambda memory: verbs.delete(memory, access, memory_id))
    return MessageReply(message="Memory deleted successfully")


@router.get("/memories/{memory_id}/history", operation_id="mem0_history", summary="Get a memory's history")
async def history(access: Reader, memory_id: str) -> list[HistoryRow]:
    """How a memory came, changed and went; empty where the key knows of none with this id."""
    rows = await access.call(lambda memory: verbs.history(memory, access, memory_id))
    return [HistoryRow(**row) for row in rows]


@router.post("/search", operation_id="mem0_search", summary="Search memories", response_model_exclude_unset=True)
async def search(access: Reader, body: SearchRequest) -> MemoriesReply:
    """The memories that answer a question, best first."""
    asked = dict(body)
    ids = _ids(**{name: asked[name] for name in ("user_id", "agent_id", "run_id")})
    reply = await access.search(
        lambda memory: verbs.search(
            memory,
            access,
            body.query,
            ids,
            filters=body.filters,
            top_k=20 if body.top_k is None else body.top_k,
            threshold=body.threshold,
            explain=bool(body.explain),
            show_expired=bool(body.show_expired),
        )
    )
    return MemoriesReply(**reply)


@router.post("/reset", operation_id="mem0_reset", summary="Reset all memories")
async def reset(access: Admin) -> MessageReply:
    """Delete the memories of all users, agents and runs that the key may see."""
    await access.call(lambda memory: verbs.reset(memory, access))
    return MessageReply(message="All memories reset")


@router.get("/entities", operation_id="mem0_entities", summary="List users, agents and runs")
async def entities(access: Reader) -> list[Entity]:
    """Everybody whose memories the key may see, with how many there are."""
    return [Entity(**one) for one in await access.call(lambda memory: verbs.entities(memory, access))]


@router.delete("/entities/{entity_type}/{entity_id}", operation_id="mem0_delete_entity", summary="Delete an entity")
async def delete_entity(access: Admin, entity_type: EntityType, entity_id: str) -> MessageReply:
    """Delete every memory of a user, an agent or a run."""
    ids = read_ids(**{f"{entity_type}_id": entity_id})
    await access.call(lambda memory: verbs.delete_all(memory, access, ids))
    return MessageReply(message="Entity deleted")


@router.get("/configure", operation_id="mem0_configuration", summary="Get the configuration")
async def configuration(access: Admin) -> dict[str, Any]:
    """What stands here for the parts that mem0 is configured with; there is nothing to configure."""
    return {
        "version": "v1.1",
        "vector_store": {"provider": "mnemos", "config": {}},
        "embedder": {"provider": "mnemos", "config": {}},
        "llm": None,
    }


@router.post("/configure", operation_id="mem0_configure", summary="Take note of a configuration")
async def configure(access: Admin, body: Annotated[dict[str, Any], Body()]) -> ConfigureReply:
    """Answered as mem0's server answers, so that scripts which configure it run on; nothing of it is needed or kept."""
    return ConfigureReply(message="Configuration set successfully", not_used=sorted(body))


def _ids(**given: str | None) -> dict[str, str]:
    """The ids that are named; an empty one is not."""
    return read_ids(**{name: value for name, value in given.items() if value})


def _of_error(error: MnemosError) -> JSONResponse:
    status = next((code for kind, code in STATUS if isinstance(error, kind)), 503)
    if isinstance(error, InvalidInput):
        status = 400
    return _refusal(status, UNUSABLE if isinstance(error, StoreError) else str(error))


UNUSABLE = "the store cannot be used at the moment; the server's log says why"


def _refusal(status: int, detail: object) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status in WAIT:
        headers["Retry-After"] = WAIT[status]
    # a lone surrogate, echoed from what was sent, is no JSON
    said = detail.encode("utf-8", "replace").decode() if isinstance(detail, str) else detail
    return JSONResponse({"detail": said}, status, headers)
