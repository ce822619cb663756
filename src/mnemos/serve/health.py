"""Whether the server lives, whether it may be sent requests, and what it counts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Security
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from mnemos._version import __version__
from mnemos.serve.access import Access
from mnemos.serve.depends import ServerOf, bearer, caller
from mnemos.serve.problems import responses

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """That the process answers."""

    status: str
    version: str


class Readiness(BaseModel):
    """Whether requests may be sent here, and what each part says."""

    ready: bool
    ledger: bool
    worker: bool


@router.get("/v1/health", operation_id="health", summary="Whether the process answers")
async def health() -> Health:
    """Always 200 while the process answers; needs no key."""
    return Health(status="ok", version=__version__)


@router.get(
    "/v1/ready",
    operation_id="ready",
    summary="Whether requests may be sent here",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Starting or stopping."}},
)
async def ready(server: ServerOf) -> JSONResponse:
    """503 while the server starts or stops; needs no key."""
    parts = {"ledger": server.ledger.is_usable(), "worker": server.worker.is_alive}
    good = all(parts.values())
    return JSONResponse({"ready": good, **parts}, 200 if good else 503)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Counters in Prometheus' text format",
    response_class=Response,
    dependencies=[Security(bearer)],
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **responses(401, 403, 429)},
)
async def metrics(server: ServerOf, access: Annotated[Access, Depends(caller("rest", "metrics"))]) -> Response:
    """Needs a key with the scope `metrics` where there are keys."""
    return Response(server.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
