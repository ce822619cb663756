"""What changed: facts, undo, feedback."""

from __future__ import annotations

from typing import Any

import click

from mnemos.cli.command import Call, command, on_store
from mnemos.cli.options import paged, scoped, trusted
from mnemos.cli.output import console, tell, write_json
from mnemos.errors import InvalidInput


@command(
    "facts",
    'mnemos add "I live in Porto." --user ana --name Ana && mnemos facts Ana --user ana',
    'mnemos facts Ana --user ana --relation "lives in" --as-of 2026-06-01T00:00:00Z --json',
)
@click.argument("subject", required=False)
@scoped()
@click.option("--relation", help="Only this relation, as 'lives in'.")
@click.option("--current", is_flag=True, help="Leave out what has ceased to be true.")
@click.option("--as-of", metavar="TIME", help="Only what was true then.")
@click.option("--now", metavar="TIME", help="The time of asking.  [default: now]")
@trusted
@paged(100)
@click.option("--ids", is_flag=True, help="Print ids only, one a line.")
@click.option("--decisions", is_flag=True, help="Print the ids of what was decided about them, for undo.")
@on_store(zoned=True)
def facts(
    call: Call,
    subject: str | None,
    scope: dict[str, Any],
    relation: str | None,
    current: bool,
    ids: bool,
    decisions: bool,
    **given: Any,
) -> None:
    """List facts about SUBJECT, or all, in the order in which they became true.

    Past values are shown with the day on which they ended.
    """
    with call.open() as memory:
        found = memory.facts(subject, relation, closed=not current, **given, **scope)
        lines = [line for fact in found for line in memory.history(fact.id)] if decisions else []
    if call.as_json:
        write_json({"total": found.total, "offset": found.offset, "more": found.more, "facts": found})
    elif decisions:
        click.echo("".join(f"{one.decision}\n" for one in lines if one.decision and not one.undone), nl=False)
    elif ids:
        click.echo("".join(f"{one.id}\n" for one in found), nl=False)
    elif found:
        from mnemos.cli.people import show_facts

        show_facts(console(), found, call.zone)
    else:
        tell("mnemos: no fact here matches")


@command(
    "undo",
    'mnemos add "Lusa was founded by Ana." "Lusa was founded by Rui." && mnemos undo $(mnemos facts Lusa --decisions)',
)
@click.argument("decisions", metavar="DECISION...", nargs=-1, required=True)
@on_store()
def undo(call: Call, decisions: tuple[str, ...]) -> None:
    """Reverse what was decided automatically, for good.

    `mnemos history ID` shows what was decided about a memory, each with the id by which it is undone.
    """
    with call.open() as memory:
        found = [memory.undo(one) for one in decisions]
    if call.as_json:
        write_json({"undone": list(decisions), "memories": found})
        return
    from mnemos.cli.people import show_list
    from mnemos.records import Page

    show_list(console(), Page(found), call.zone)


@command(
    "feedback",
    'mnemos feedback "who is vegan?" --user ana --used $(mnemos search "who is vegan?" --user ana --limit 1 --ids)',
    "mnemos feedback --reset --user ana --json",
)
@click.argument("query", required=False)
@scoped(below=False)
@click.option("--used", multiple=True, metavar="ID", help="A memory that the answer used; repeatable.")
@click.option("--not-used", multiple=True, metavar="ID", help="A memory that was of no use; repeatable.")
@click.option("--now", metavar="TIME", help="When QUERY was asked.  [default: now]")
@click.option("--reset", is_flag=True, help="Forget what was learnt.")
@on_store(zoned=True)
def feedback(
    call: Call,
    query: str | None,
    scope: dict[str, Any],
    used: tuple[str, ...],
    not_used: tuple[str, ...],
    now: str | None,
    reset: bool,
) -> None:
    """Say which memories served an answer to QUERY.

    The signals that found them weigh more in this namespace from now on, within bounds.
    """
    if (query is None) != reset:
        raise InvalidInput("query", "and --reset are both given, or neither is", "give one of them")
    with call.open() as memory:
        if query is None:
            was_taught = memory.reset_feedback(**scope)
            factors = {}
        else:
            was_taught = True
            factors = dict(memory.feedback(query, used=used, not_used=not_used, now=now, **scope))
    if call.as_json:
        write_json({"factors": factors})
    elif reset:
        click.echo("what was learnt is forgotten" if was_taught else "nothing was learnt here")
    else:
        from mnemos.cli.people import show_factors

        show_factors(console(), factors)


COMMANDS = (facts, undo, feedback)
