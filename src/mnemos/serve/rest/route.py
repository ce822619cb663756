"""A route that reads its request strictly, so that what a handler is given is what the caller wrote."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from mnemos.errors import InvalidInput

JSON = "application/json"


class JsonRequest(Request):
    """A request whose body was read as JSON."""

    parsed: Any = None

    async def json(self) -> Any:
        """What the body says."""
        return self.parsed


class StrictRoute(APIRoute):
    """Refuses a body that is no JSON, an answer that the caller would not read, and a parameter that is given twice."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind these checks."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        lists = frozenset(_list_names(self))
        media = self.response_class.media_type if isinstance(self.response_class, type) else None

        async def checked(request: Request) -> Response:
            _check_accept(request, media or JSON)
            _check_query(request, lists)
            read = JsonRequest(request.scope, request.receive)
            if takes_body:
                read.parsed = await _read(read)
            return await handle(read)

        return checked


async def _read(request: Request) -> Any:
    """The body as JSON.

    Raises:
        HTTPException: it is declared as something else.
        InvalidInput: it is not JSON.
    """
    body = await request.body()
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != JSON and (body or media):
        raise HTTPException(415, f"send the body as {JSON}", {"Accept": JSON})
    if not body:
        return None
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput("body", f"is not JSON ({error})", "send one JSON object in UTF-8") from None


def _check_query(request: Request, lists: frozenset[str]) -> None:
    names = [name for name, _ in request.query_params.multi_items() if name not in lists]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(name[:60] or "query", "is given more than once", "give it once")


def _check_accept(request: Request, media: str) -> None:
    accepted = request.headers.get("accept", "")
    ranges = [part.partition(";")[0].strip().lower() for part in accepted.split(",")]
    fitting = ("", "*/*", f"{media.partition('/')[0]}/*", media)
    if not any(one in fitting for one in ranges):
        raise HTTPException(406, f"this answers with {media}; accept that")


def _list_names(route: APIRoute) -> list[str]:
    """Query parameters that may be given several times."""
    found = []
    for parameter in route.dependant.query_params:
        model = parameter.field_info.annotation
        for name, field in getattr(model, "model_fields", {}).items():
            if "list" in str(field.annotation):
                found.append(name)
    return found
