"""How the console's routes answer: pages with the headers that protect them, and errors as pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from mnemos.errors import ImportFailed, InvalidInput, MnemosError, NotFound, StoreError
from mnemos.serve.access import Forbidden, Unauthorized
from mnemos.serve.console.security import HEADERS
from mnemos.serve.console.view import render
from mnemos.serve.problems import STATUS

NOWHERE = "There is nothing here, or it is not yours to see."


class PageRoute(APIRoute):
    """A route whose answers are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, inside what turns errors into pages and adds the headers."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                response = await inner(request)
            except (MnemosError, RequestValidationError, HTTPException) as error:
                response = of_error(request, error)
            for name, value in HEADERS.items():
                response.headers[name] = value
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return handler


def of_error(request: Request, error: MnemosError | RequestValidationError | HTTPException) -> Response:
    """The page that says what went wrong; whoever shows no key is asked for one."""
    if isinstance(error, Unauthorized):
        return _to_sign_in(request)
    status, title, detail = _words(error)
    return render("error.html", status, title=title, detail=detail, code=status)


def _words(error: MnemosError | RequestValidationError | HTTPException) -> tuple[int, str, str]:
    if isinstance(error, NotFound):
        return 404, "Not found", NOWHERE
    if isinstance(error, HTTPException):
        found = error.status_code != 404
        return error.status_code, "Not possible" if found else "Not found", str(error.detail) if found else NOWHERE
    if isinstance(error, RequestValidationError):
        return 422, "Not understood", "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()[:3])
    status = next((code for kind, code in STATUS if isinstance(error, kind)), 503)
    if isinstance(error, Forbidden):
        return status, "Not allowed", str(error)
    if isinstance(error, InvalidInput | ImportFailed):
        return status, "Not understood", str(error)
    if isinstance(error, StoreError):
        return status, "Not now", "The store cannot be used at the moment; the server's log says why."
    return status, "Not now", str(error)


def _to_sign_in(request: Request) -> Response:
    target = request.url.path
    if request.method == "GET" and request.url.query:
        target += f"?{request.url.query}"
    query = urlencode({"next": target}) if request.method == "GET" and target != "/ui" else ""
    return RedirectResponse("/ui/sign-in" + (f"?{query}" if query else ""), 303)


def pages() -> APIRouter:
    """A router of pages."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)
