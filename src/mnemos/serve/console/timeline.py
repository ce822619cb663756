"""Timeline: what happened, in order."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from mnemos.levels.answers import Moment
from mnemos.serve.console.route import pages
from mnemos.serve.console.searching import read_day
from mnemos.serve.console.view import Reading
from mnemos.system import Mnemos

router = pages()
LIMIT = 200
NAMES = 200


@router.get("/ui/timeline")
async def timeline(
    view: Reading,
    who: str = "",
    since: str = "",
    until: str = "",
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> Response:
    """Moments by month, the latest page last."""
    first, last = read_day(since, "since"), read_day(until, "until", after=1)
    subject = who.strip() or None

    def read(memory: Mnemos) -> tuple[list[Moment], list[str]]:
        found = memory.timeline(subject, since=first, until=last, **view.scope())
        return list(found), people(memory, view.scope())

    moments, names = await view.call(read)
    part = moments[LIMIT * (page - 1) : LIMIT * page]
    months = [(month, list(rows)) for month, rows in groupby(part, key=lambda moment: moment.at.strftime("%Y-%m"))]
    return view.page(
        "timeline.html", who=who.strip(), since=since, until=until, months=months, names=names, page=page, per=LIMIT,
        total=len(moments),
    )  # fmt: skip


def people(memory: Mnemos, scope: dict[str, object]) -> list[str]:
    """Names of those who are mentioned most, for a form to suggest."""
    found = memory.entities(**scope)  # type: ignore[arg-type]  # a scope as Access gives it
    return [node.name for node in found if node.kind in ("person", "animal")][:NAMES]
