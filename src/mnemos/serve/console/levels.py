"""Levels: from who somebody is, through themes and episodes, down to the turns, opened step by step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Annotated

from fastapi import Header, Query
from starlette.responses import Response

from mnemos.errors import NotFound
from mnemos.levels.answers import Profile
from mnemos.records import LEVELS, Memory
from mnemos.serve.console.route import pages
from mnemos.serve.console.timeline import people
from mnemos.serve.console.view import Reading, View, render
from mnemos.serve.console.words import quoted_in, telling
from mnemos.system import Mnemos

router = pages()
LIMIT = 20
MOST = 40
"""Memories of one step that are shown; a level has fewer."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is below one memory: its sources, with the places that speak for it."""

    memory: Memory
    below: tuple[tuple[Memory, tuple[tuple[int, int], ...]], ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Levels:
    """What the page shows."""

    profile: Profile
    names: list[str]
    themes: list[Memory]
    theme_count: int
    episodes: list[Memory]
    episode_count: int


@router.get("/ui/levels")
async def levels(view: Reading, who: str = "", page: Annotated[int, Query(ge=1, le=5000)] = 1) -> Response:
    """The profile of whose memory it is, or of somebody; the themes; and the episodes, latest first."""

    def read(memory: Mnemos) -> Levels:
        scope = view.scope()
        themes, theme_count = _latest(memory, view, "theme", page)
        episodes, episode_count = _latest(memory, view, "episode", page)
        profile = memory.profile(who.strip() or None, **scope)
        return Levels(profile, people(memory, scope), themes, theme_count, episodes, episode_count)

    found = await view.call(read)
    groups = [(group, list(lines)) for group, lines in groupby(found.profile.lines, key=lambda line: line.group)]
    return view.page("levels.html", who=who.strip(), found=found, groups=groups, page=page, per=LIMIT)


@router.get("/ui/levels/below")
async def below(
    view: Reading,
    id: Annotated[list[str], Query(min_length=1, max_length=MOST)],
    x_part: Annotated[str | None, Header()] = None,
) -> Response:
    """One step down: what these memories were derived from; as a page, or as the part of one that a script asks for."""
    steps = await view.call(lambda memory: [_step(memory, view, one) for one in id])
    if x_part is not None:
        return render("levels_below.html", view=view, steps=steps)
    return view.at(steps[0].memory.namespace).page("levels_step.html", steps=steps)


def _latest(memory: Mnemos, view: View, kind: str, page: int) -> tuple[list[Memory], int]:
    total = memory.list(kinds=[kind], limit=1, **view.scope()).total
    first, last = total - LIMIT * page, total - LIMIT * (page - 1)
    if last <= 0:
        return [], total
    found = memory.list(kinds=[kind], limit=last - max(0, first), offset=max(0, first), **view.scope())
    return found[::-1], total


def _step(memory: Mnemos, view: View, memory_id: str) -> Step:
    found = memory.get(view.access.own(memory, memory_id))
    if found is None:
        raise NotFound("id", memory_id)
    sources = [one for source in found.sources[:MOST] if (one := memory.get(source)) is not None]
    parts = tuple((source, tuple(_marks(found, source))) for source in sources)
    return Step(found, parts, len(found.sources) - len(sources))


def _marks(level: Memory, source: Memory) -> list[tuple[int, int]]:
    """Where a source says what is told of it above."""
    if source.kind in LEVELS or source.kind == "fact":
        return []
    return quoted_in(source.text, level.text) if level.kind in LEVELS else telling(source.text, level.text)
