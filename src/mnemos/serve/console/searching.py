"""Search: what answers a question and why, or the context that a prompt would get."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from mnemos.errors import InvalidInput
from mnemos.records import KINDS, Context, Hit
from mnemos.serve.console.bars import Why, whys
from mnemos.serve.console.route import pages
from mnemos.serve.console.view import Reading, View
from mnemos.system import Mnemos

router = pages()
LIMIT = 10
BUDGETS = (200, 500, 1000, 2000, 4000)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form of the page says."""

    query: str
    kinds: tuple[str, ...]
    since: str
    until: str
    trust: str
    budget: int

    def where(self) -> dict[str, Any]:
        """The keywords that narrow a search."""
        narrowed: dict[str, Any] = {
            "kinds": self.kinds or None,
            "since": read_day(self.since, "since"),
            "until": read_day(self.until, "until", after=1),
        }
        if self.trust:
            narrowed["min_trust"] = _read_share(self.trust)
        return {name: value for name, value in narrowed.items() if value is not None}

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the question is said."""
        return bool(self.kinds or self.since or self.until or self.trust)


@router.get("/ui")
async def search(
    view: Reading,
    q: str = "",
    kind: Annotated[list[str] | None, Query()] = None,
    since: str = "",
    until: str = "",
    trust: str = "",
    show: str = "hits",
    budget: Annotated[int, Query(ge=1, le=100_000)] = 1000,
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> Response:
    """Hits with their reasons, or a context; without a question, how to begin."""
    asked = Asked(q.strip(), tuple(one for one in kind or () if one), since, until, trust, budget)
    shown: dict[str, Any] = {"asked": asked, "kinds": KINDS, "budgets": BUDGETS, "show": show, "page": page}
    if not asked.query:
        stats = await view.call(lambda memory: memory.stats(**view.scope()))
        return view.page("search.html", stats=stats, hits=None, context=None, **shown)
    if show == "context":
        context = await view.search(lambda memory: _context(memory, view, asked))
        return view.page("search.html", stats=None, hits=None, context=context, **shown)
    hits, total = await view.search(lambda memory: _hits(memory, view, asked, page))
    return view.page("search.html", stats=None, hits=hits, context=None, total=total, per=LIMIT, **shown)


def _hits(memory: Mnemos, view: View, asked: Asked, page: int) -> tuple[list[tuple[Hit, Why]], int]:
    found = memory.search(asked.query, limit=LIMIT, offset=LIMIT * (page - 1), **asked.where(), **view.scope())
    return list(zip(found, whys(found), strict=True)), found.total


def _context(memory: Mnemos, view: View, asked: Asked) -> Context:
    return memory.context(asked.query, budget=asked.budget, **asked.where(), **view.scope())


def read_day(text: str, field: str, after: int = 0) -> str | None:
    """The beginning of a day, some days later, as the library reads times; None for no text."""
    if not text:
        return None
    try:
        return f"{date.fromisoformat(text) + timedelta(days=after)}T00:00:00Z"
    except (ValueError, OverflowError):
        raise InvalidInput(field, f"{text[:40]!r} is not a date", "write it as 2026-01-31") from None


def _read_share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput("trust", f"{text[:40]!r} is not a number", "give a number between 0 and 1") from None
