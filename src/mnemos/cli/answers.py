"""Asking: search, context, list, show, history, stats."""

from __future__ import annotations

import sys
from typing import Any

import click

from mnemos.cli.command import NOTHING, Call, command, on_store
from mnemos.cli.options import narrowed, paged, scoped
from mnemos.cli.output import console, tell, visible, write_json
from mnemos.errors import NotFound
from mnemos.records import Page

NOTHING_KNOWN = "mnemos: nothing is known about this"


@command(
    "search",
    'mnemos search "what can Rita eat?" --user ana',
    'mnemos search "dinner in March" --user ana --limit 3 --kind turn --since 2026-03-01T00:00:00Z --json',
    'mnemos search Rita --user ana --filter \'{"speaker": {"in": ["Ana", "Rita"]}}\'',
)
@click.argument("query")
@narrowed
@paged(10)
@click.option("--ids", is_flag=True, help="Print ids only, one a line.")
@on_store(zoned=True)
def search(call: Call, query: str, where: dict[str, Any], limit: int, offset: int, ids: bool) -> None:
    """Find the memories that answer QUERY, best first.

    Each comes with its score and the reasons for it. The score is the probability that it is about this: search ranks
    and does not cut, so what comes last need not be.
    """
    with call.open() as memory:
        hits = memory.search(query, limit=limit, offset=offset, **where)
    if call.as_json:
        write_json({"query": query, **_page(hits), "hits": hits})
    elif ids:
        _write_ids([hit.memory.id for hit in hits])
    elif hits:
        from mnemos.cli.people import show_hits

        show_hits(console(), hits, call.zone)
    if not hits:
        _leave_empty(call)


@command(
    "context",
    'mnemos context "dinner for Rita" --user ana --budget 400',
    'mnemos context "what has Ana told me about her family?" --user ana --json',
)
@click.argument("query")
@narrowed
@click.option("--budget", type=int, default=1000, show_default=True, metavar="TOKENS", help="Its largest size.")
@on_store(zoned=True)
def context(call: Call, query: str, where: dict[str, Any], budget: int) -> None:
    """Print a block for a prompt about QUERY.

    It is dated, cited, in reading order, and fits the budget. Prints nothing, and leaves with code 1, where nothing
    is known about it.
    """
    with call.open() as memory:
        found = memory.context(query, budget=budget, **where)
    if call.as_json:
        write_json({"query": query, "budget": budget, "context": found})
    elif found:
        click.echo(visible(found.text) if sys.stdout.isatty() else found.text)
        if sys.stdout.isatty():
            tell(f"({len(found.items)} items, {found.tokens:,} of {budget:,} tokens)")
    if not found:
        _leave_empty(call)


@command(
    "list",
    "mnemos list --user ana --limit 20",
    'mnemos list --user ana --since 2026-03-01T00:00:00Z --filter \'{"city": "Lisbon"}\' --json',
)
@narrowed
@paged(100)
@click.option("--ids", is_flag=True, help="Print ids only, one a line.")
@on_store(zoned=True)
def list_(call: Call, where: dict[str, Any], limit: int, offset: int, ids: bool) -> None:
    """List memories in reading order."""
    with call.open() as memory:
        found = memory.list(limit=limit, offset=offset, **where)
    if call.as_json:
        write_json({**_page(found), "memories": found})
    elif ids:
        _write_ids([one.id for one in found])
    elif found:
        from mnemos.cli.people import show_list

        show_list(console(), found, call.zone)
    else:
        tell("mnemos: nothing here matches")


@command(
    "show",
    "mnemos show $(mnemos search Rita --user ana --limit 1 --ids)",
)
@click.argument("id")
@on_store(zoned=True)
def show(call: Call, id: str) -> None:
    """Show everything about the memory ID.

    Its words, attributes, sources, links and history."""
    with call.open() as memory:
        found = memory.get(id)
        if found is None:
            raise NotFound("id", id)
        sources = {source: memory.get(source) for source in found.sources}
        links, changes = memory.links(id), memory.history(id)
    if call.as_json:
        write_json({"memory": found, "sources": list(sources.values()), "links": links, "history": changes})
        return
    from mnemos.cli.people import show_memory

    show_memory(console(), found, sources, links, changes, call.zone)


@command(
    "history",
    "mnemos history $(mnemos list --user ana --limit 1 --ids) --json",
)
@click.argument("id")
@on_store(zoned=True)
def history(call: Call, id: str) -> None:
    """Show every change of the memory ID, oldest first.

    A deleted memory keeps its history, without its words.
    """
    with call.open() as memory:
        changes = memory.history(id)
    if call.as_json:
        write_json({"id": id, "changes": changes})
        return
    from mnemos.cli.people import show_history

    show_history(console(), changes, call.zone)


@command("stats", "mnemos stats", "mnemos stats --user ana --json")
@scoped()
@on_store(zoned=True)
def stats(call: Call, scope: dict[str, Any]) -> None:
    """Count what is remembered.

    Kinds, people, sessions and span of a scope; of the whole store without one."""
    with call.open() as memory:
        found = memory.stats(**scope)
    if call.as_json:
        write_json(found)
        return
    from mnemos.cli.people import show_stats

    show_stats(console(), found, call.zone)


def _page(page: Page[Any]) -> dict[str, int]:
    return {"total": page.total, "offset": page.offset, "more": page.more}


def _write_ids(ids: list[str]) -> None:
    click.echo("".join(f"{one}\n" for one in ids), nl=False)


def _leave_empty(call: Call) -> None:
    if not call.as_json:
        tell(NOTHING_KNOWN)
    raise click.exceptions.Exit(NOTHING)


COMMANDS = (search, context, list_, show, history, stats)
