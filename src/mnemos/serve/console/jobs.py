"""A job's page: how far it is, as it goes, and what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from starlette.responses import Response

from mnemos.serve.console.route import pages
from mnemos.serve.console.view import Managing, Reading, render
from mnemos.serve.console.words import named
from mnemos.serve.server import server_of

router = pages()


@router.get("/ui/jobs/{id}")
async def job(view: Reading, id: str, x_part: Annotated[str | None, Header()] = None) -> Response:
    """The page, or the part of it that a script asks for again and again."""
    book = server_of(view.request).jobs
    found = await view.access.desk.run(lambda: book.get(view.access, id))
    if x_part is not None:
        return render("job_state.html", view=view, job=found)
    scope = found.params.get("scope", found.params)
    whose = tuple(scope.get("namespace") or ())
    own = view.at(whose) if whose and view.access.allows(whose) else view
    return own.page("job.html", job=found, whose=named(whose))


@router.post("/ui/jobs/{id}/cancel")
async def cancel(view: Managing, id: str) -> Response:
    """End it; what it has done is kept."""
    book = server_of(view.request).jobs
    await view.access.desk.run(lambda: book.cancel(view.access, id))
    return view.go(f"/jobs/{id}")
