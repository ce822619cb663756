"""Errors as problem+json (RFC 9457): which status they have, which field they name, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from mnemos.errors import (
    ImportFailed,
    InvalidInput,
    MnemosError,
    NotFound,
    ReadOnlyStore,
    StoreBusy,
    StoreError,
    StoreFull,
)
from mnemos.serve.access import Forbidden, TooMany, Unauthorized
from mnemos.serve.desk import TooBusy
from mnemos.serve.idempotency import DeletedSince, InHand

MEDIA_TYPE = "application/problem+json"
STATUS: tuple[tuple[type[MnemosError], int], ...] = (
    (InvalidInput, 422),
    (NotFound, 404),
    (InHand, 409),
    (DeletedSince, 409),
    (Unauthorized, 401),
    (Forbidden, 403),
    (TooMany, 429),
    (TooBusy, 503),
    (StoreBusy, 503),
    (StoreFull, 507),
    (ReadOnlyStore, 503),
    (StoreError, 503),
    (ImportFailed, 422),
)
"""The first that fits."""
MEND_ID = "take ids from add, search or list"
UNUSABLE = "the store cannot be used at the moment; the server's log says why"
STORE_SAYS: tuple[tuple[type[StoreError], str], ...] = (
    (StoreFull, "there is no room on the server's disk, and nothing was changed; free some space there and try again"),
    (StoreBusy, "another process writes to the store at the moment; try again"),
)
"""What callers are told about a store's file, which they do not know."""
WAIT = {503: "1", 429: "1"}
"""Seconds after which to come back."""


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="The field, dotted: `messages[0].content`.")
    problem: str
    mend: str = Field(description="How to put it right.")


class Problem(BaseModel):
    """An error, as RFC 9457 has it, with the fields that are wrong."""

    type: str = Field(description="`urn:mnemos:` and the name of the error.")
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[FieldProblem] = Field(default_factory=list)


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI of the problems that a route may answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    wait = {"Retry-After": {"description": "Seconds after which to come back.", "schema": {"type": "string"}}}
    return {
        code: {"description": MEANING.get(code, HTTPStatus(code).phrase), "content": content}
        | ({"headers": wait} if code in WAIT else {})
        for code in codes
    }


MEANING = {
    401: "No key was shown, or one that opens nothing.",
    403: "The key does not allow this, whatever is or is not there.",
    404: "Nothing is known under this id, to this key.",
    406: "The caller accepts none of what this answers with.",
    409: "A repeat whose first request is still in hand, or whose outcome was deleted since.",
    413: "The body is longer than the server takes.",
    415: "The body is not of the media type that this takes.",
    422: "Something in the request cannot be used; `errors` names the field and how to mend it.",
    429: "This key made too many requests.",
    502: "The service behind this one failed.",
    503: "Too much is waiting, or the store cannot be used at the moment.",
    504: "The service behind this one did not answer in time.",
    507: "There is no room for this.",
}


def problem(
    status: int,
    name: str,
    detail: str,
    request_id: str | None = None,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The reply that says what went wrong."""
    body = Problem(
        type=f"urn:mnemos:{name}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request_id,
        errors=list(errors),
    )
    wait = {"Retry-After": WAIT[status]} if status in WAIT else {}
    return JSONResponse(body.model_dump(), status, {**wait, **(headers or {})}, MEDIA_TYPE)


def of_error(error: MnemosError, request_id: str | None = None) -> JSONResponse:
    """The reply that says what the library said."""
    found = describe(error, request_id)
    soon = found.status in WAIT or isinstance(error, InHand)
    wait = {"Retry-After": WAIT.get(found.status, "1")} if soon else {}
    asking = {"WWW-Authenticate": "Bearer"} if found.status == 401 else {}
    return JSONResponse(found.model_dump(), found.status, wait | asking, MEDIA_TYPE)


def describe(error: MnemosError, request_id: str | None = None) -> Problem:
    """What the library said, as a problem. What a store says about its file stays in the log."""
    status = next((code for kind, code in STATUS if isinstance(error, kind)), 503)
    errors = []
    if isinstance(error, InvalidInput):
        errors = [FieldProblem(field=error.field, problem=error.problem, mend=error.mend)]
    detail = str(error)
    if isinstance(error, NotFound):
        # nothing of what was asked for, so that replies about unknown and foreign ids are the same to the byte
        errors = [FieldProblem(field=error.field, problem="names nothing that is stored", mend=MEND_ID)]
        detail = f"{error.field}: names nothing that is stored; {MEND_ID}"
    if isinstance(error, StoreError):
        detail = next((said for kind, said in STORE_SAYS if isinstance(error, kind)), UNUSABLE)
    return Problem(
        type=f"urn:mnemos:{_name(error)}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request_id,
        errors=errors,
    )


def install(app: FastAPI) -> None:
    """Let an application answer with problems."""

    @app.exception_handler(MnemosError)
    def library(request: Request, error: MnemosError) -> JSONResponse:
        return of_error(error, _request_id(request))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [_field_problem(one) for one in error.errors()]
        detail = "; ".join(f"{one.field}: {one.problem}" for one in errors[:3])
        return problem(422, "invalid-input", detail, _request_id(request), errors)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        name = getattr(error, "name", HTTPStatus(error.status_code).phrase.lower().replace(" ", "-"))
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request))
        return problem(error.status_code, name, str(error.detail), _request_id(request), headers=headers)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        request_id = _request_id(request)
        headers = None if request_id is None else {"X-Request-ID": request_id}
        return problem(
            500, "unexpected", "something failed that should not; the log says where", request_id, (), headers
        )


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    place, *rest = error["loc"] or ("body",)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    field = path.lstrip(".") or str(place)
    said = str(error["msg"])
    return FieldProblem(field=field, problem=said[:1].lower() + said[1:], mend="send what the API's schema says")


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _allowed(request: Request) -> list[str]:
    """The methods that a path knows, on whatever route."""
    routes = request.app.routes
    tried = [(method, {**request.scope, "method": method}) for method in METHODS]
    return [method for method, scope in tried if any(route.matches(scope)[0] is Match.FULL for route in routes)]


def _name(error: MnemosError) -> str:
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__)
    return words.lstrip("-")


def _request_id(request: Request) -> str | None:
    found = request.scope.get("mnemos.request_id")
    return None if found is None else str(found)
