"""The console on the server: its pages, its two files, and signing in and out."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from fastapi import FastAPI, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mnemos.serve.console import (
    changing,
    forgetting,
    graph,
    importing,
    jobs,
    levels,
    memory,
    searching,
    status,
    timeline,
)
from mnemos.serve.console.route import pages
from mnemos.serve.console.security import Proof, drop_key, keep_key
from mnemos.serve.console.templates import ENVIRONMENT
from mnemos.serve.console.view import proof_of, render
from mnemos.serve.server import Server, server_of

_TYPES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
_FOLDER = files("mnemos.serve.console").joinpath("static")
_FILES = {name: (_FOLDER.joinpath(name).read_bytes(), media_type) for name, media_type in _TYPES.items()}
_YEAR = "public, max-age=31536000, immutable"
PARTS = (searching, timeline, levels, graph, memory, changing, forgetting, importing, jobs, status)
router = pages()


def install(app: FastAPI, server: Server) -> None:
    """Let a server show the console."""
    app.state.console_proof = Proof()
    for part in PARTS:
        app.include_router(part.router)
    app.include_router(router)


def address(name: str) -> str:
    """Where one of the console's files is fetched; another address when its content is another."""
    return f"/ui/static/{hashlib.sha256(_FILES[name][0]).hexdigest()[:12]}/{name}"


ENVIRONMENT.globals["address"] = address


@router.get("/")
async def root() -> RedirectResponse:
    """To the console."""
    return RedirectResponse("/ui", 307)


@router.get("/ui/static/{digest}/{name}")
async def static(digest: str, name: str) -> Response:
    """One of the console's files."""
    if name not in _FILES:
        raise HTTPException(404)
    content, media_type = _FILES[name]
    return Response(content, media_type=media_type, headers={"Cache-Control": _YEAR})


@router.get("/ui/sign-in")
async def ask_for_key(request: Request) -> Response:
    """The page that asks for a key; an open server needs none."""
    if server_of(request).is_open:
        return RedirectResponse("/ui", 303)
    return _sign_in(request, _target(request.query_params.get("next")))


@router.post("/ui/sign-in")
async def sign_in(request: Request) -> Response:
    """Keep a key that opens something."""
    server = server_of(request)
    async with request.form() as form:
        proof_of(request).check(request, form.get("proof"))
        key, target = _given(form, "key"), _target(_given(form, "next"))
    found = server.keys.verify(key, server.now())
    if found is None:
        return _sign_in(request, target, "This key opens nothing: it is unknown, revoked or expired.", 401)
    if "read" not in found.scopes:
        return _sign_in(request, target, "This key may not read; use one that was created with the scope read.", 403)
    response = RedirectResponse(target, 303)
    keep_key(request, response, key)
    return response


@router.post("/ui/sign-out")
async def sign_out(request: Request) -> Response:
    """Forget the key."""
    async with request.form() as form:
        proof_of(request).check(request, form.get("proof"))
    response = RedirectResponse("/ui/sign-in", 303)
    drop_key(response)
    return response


@router.get("/ui/{rest:path}")
async def nowhere(rest: str) -> Response:
    """What is not a page."""
    if not rest:
        return RedirectResponse("/ui", 307)
    raise HTTPException(404)


def _sign_in(request: Request, target: str, problem: str = "", status: int = 200) -> HTMLResponse:
    proof = proof_of(request).of(request)
    return render("sign_in.html", status, proof=proof, target=target, problem=problem)


def _given(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _target(shown: str | None) -> str:
    """Where to go after signing in: a page of the console, and nowhere else."""
    path = shown or ""
    own = path == "/ui" or path.startswith(("/ui/", "/ui?"))
    return path if own and "\\" not in path and path.isprintable() else "/ui"
