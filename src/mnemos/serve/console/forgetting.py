"""Forgetting: a dry run that says what would go and why, and carrying it out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from mnemos.errors import InvalidInput
from mnemos.forget.budget import Budget, Forgotten
from mnemos.forget.policy import DEFAULT, POLICIES
from mnemos.serve.console.route import pages
from mnemos.serve.console.view import Managing, Reading
from mnemos.serve.server import server_of
from mnemos.store.reading import Stats
from mnemos.system import Mnemos

router = pages()
LISTED = 40
"""Steps on a page."""
ABOUT = {
    "salience": "what is likely to be asked for stays",
    "ebbinghaus": "what was used lately or often stays",
    "layered": "what matters over weeks and months stays",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """How much may stay, as the form says it."""

    keep: str
    policy: str

    def arguments(self) -> dict[str, Any]:
        """The keywords of `forget`: a share in per cent, or a number of memories."""
        text = self.keep.strip()
        if text.endswith("%"):
            return {"share": _number(text[:-1].strip()) / 100, "policy": self.policy}
        number = _number(text)
        if number != math.floor(number):
            raise InvalidInput("keep", f"{text[:40]!r} is not a whole number", "write 500, or a share as 50 %")
        return {"count": int(number), "policy": self.policy}


@router.get("/ui/forgetting")
async def look(
    view: Reading, keep: str = "", policy: str = DEFAULT, page: Annotated[int, Query(ge=1, le=100_000)] = 1
) -> Response:
    """What would go; nothing does."""
    terms = Terms(keep.strip(), policy)

    def read(memory: Mnemos) -> tuple[Stats, list[Forgotten] | None]:
        stats = memory.stats(**view.scope())
        if not terms.keep:
            return stats, None
        return stats, memory.forget(dry_run=True, **terms.arguments(), **view.scope())

    stats, steps = await view.call(read)
    counts = Counter(step.step for step in steps or ())
    return view.page(
        "forgetting.html", terms=terms, policies=_policies(), stats=stats, steps=steps, counts=counts, page=page,
        per=LISTED,
    )  # fmt: skip


@router.post("/ui/forgetting")
async def carry_out(view: Managing) -> Response:
    """Let go what the dry run showed."""
    terms = Terms(str(view.form.get("keep", "")), str(view.form.get("policy", DEFAULT)))
    told = {**terms.arguments(), "now": None, "scope": view.scope()}
    Budget(**terms.arguments())
    book = server_of(view.request).jobs
    job = await view.access.desk.run(lambda: book.submit(view.access, "forget", told))
    return view.go(f"/jobs/{job.id}")


def _policies() -> list[tuple[str, str]]:
    return [(name, ABOUT.get(name, "")) for name in POLICIES]


def _number(text: str) -> float:
    try:
        value = float(text.replace(",", "").replace(" ", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise InvalidInput("keep", f"{text[:40]!r} is not a number", "write 500, or a share as 50 %")
    return value
