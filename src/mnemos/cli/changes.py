"""Changing what is remembered: add, update, delete."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mnemos.cli.command import NOTHING, Call, Declined, command, on_store
from mnemos.cli.options import read_json, read_words, scoped
from mnemos.cli.output import console, tell, write_json
from mnemos.errors import InvalidInput, NotFound
from mnemos.origin import writing_as
from mnemos.records import KINDS

if TYPE_CHECKING:
    from mnemos import Mnemos

PATIENCE = 1.0
"""Seconds for which a command goes on deriving from what it has written; the rest waits for the next one."""
UNKNOWN = "unknown"
"""What `update` takes for a time that is to be forgotten."""


@command(
    "add",
    'mnemos add "I moved to Lisbon in May." --user ana',
    'mnemos add "My sister Rita is vegan." --user ana --name Ana --session s12 --at 2026-03-02T18:40:00Z',
    'date | mnemos add - --user ana --kind note --metadata \'{"from": "the clock"}\' --json',
)
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@scoped(below=False)
@click.option("--name", help="Who says it.")
@click.option("--role", help="user, assistant, system or tool.")
@click.option("--session", metavar="ID", help="The conversation that it belongs to.")
@click.option("--at", metavar="TIME", help="When it was said; 'now' for now.  [default: unknown]")
@click.option("--kind", default="turn", show_default=True, help="turn, note, document, fact or skill.")
@click.option("--metadata", metavar="JSON", help="An object to keep with it.")
@click.option("--idempotency-key", metavar="KEY", help="Adding again under the same key stores nothing.")
@click.option("--trust", type=float, default=1.0, show_default=True, help="How far its source is trusted, 0 to 1.")
@on_store(zoned=True)
def add(
    call: Call, texts: tuple[str, ...], scope: dict[str, Any], at: str | None, trust: float, **given: str | None
) -> None:
    """Remember each TEXT, or what standard input says.

    The text - stands for all of standard input. All of them are on disk when it returns, or none.
    """
    metadata = given["metadata"]
    words = [read_words(text) for text in texts]
    with call.open(create=True) as memory:
        with writing_as("cli", trust=trust):
            added = memory.add(
                words,
                session_id=given["session"],
                kind=given["kind"] or "turn",
                happened_at=datetime.now(UTC) if at == "now" else at,
                name=given["name"],
                role=given["role"],
                metadata=None if metadata is None else read_json(metadata, "metadata"),
                idempotency_key=given["idempotency_key"],
                **scope,
            )
        memory.maintain(seconds=PATIENCE)
    if call.as_json:
        write_json({"memories": added})
        return
    from mnemos.cli.people import show_added

    show_added(console(), added)


@command(
    "update",
    'mnemos update $(mnemos search Rita --user ana --limit 1 --ids) "My sister Rita is vegetarian now."',
    "mnemos update $(mnemos list --user ana --limit 1 --ids) --at unknown --trust 0.5",
)
@click.argument("id")
@click.argument("text", required=False)
@click.option("--metadata", metavar="JSON", help="The object to keep with it instead.")
@click.option("--at", metavar="TIME", help="When it was said, or 'unknown'.")
@click.option("--valid-at", metavar="TIME", help="Since when it is true, or 'unknown'.")
@click.option("--invalid-at", metavar="TIME", help="When it ceased to be true, or 'unknown'.")
@click.option("--trust", type=float, help="How far its source is trusted, 0 to 1.")
@on_store(zoned=True)
def update(call: Call, id: str, text: str | None, trust: float | None, **given: str | None) -> None:
    """Change the words or attributes of the memory ID.

    The text - stands for all of standard input. What it said before stays in its history.
    """
    changes: dict[str, Any] = {} if trust is None else {"trust": trust}
    if (metadata := given.pop("metadata")) is not None:
        changes["metadata"] = read_json(metadata, "metadata")
    given["happened_at"] = given.pop("at")
    changes |= {name: None if time == UNKNOWN else time for name, time in given.items() if time is not None}
    words = None if text is None else read_words(text)
    with call.open() as memory:
        updated = memory.update(id, text=words, **changes)
        memory.maintain(seconds=PATIENCE)
    if call.as_json:
        write_json({"memory": updated})
    else:
        click.echo(f"updated {updated.id}, version {updated.version}")


@command(
    "delete",
    "mnemos delete $(mnemos search Rita --user ana --limit 1 --ids)",
    "mnemos delete --all --user ana --yes",
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@scoped()
@click.option("--all", "everything", is_flag=True, help="Everything of a scope, which must be named.")
@click.option("--yes", is_flag=True, help="Do not ask before --all.")
@on_store()
def delete(call: Call, ids: tuple[str, ...], scope: dict[str, Any], everything: bool, yes: bool) -> None:
    """Delete memories by ID, or everything of a scope.

    What was derived only from them goes too. The words go from every table and from the file. While another process
    still reads the old pages the purge is pending, and is tried again by the next write or by mnemos maintain.
    """
    if bool(ids) == everything:
        raise click.UsageError("give either ids or --all with a scope")
    if ids and any(scope.values()):
        raise click.UsageError("a scope is for --all; an id says by itself which memory it is")
    with call.open() as memory:
        gone, missing, purge = _delete_all(memory, scope, yes) if everything else _delete_ids(memory, ids)
    if call.as_json:
        write_json({"deleted": gone, "missing": missing, "purge": purge})
    else:
        click.echo(f"deleted {len(gone):,}" + ("" if purge == "done" else "; the purge of old pages is pending"))
        for one in missing:
            tell(f"mnemos: nothing is stored under {one[:80]}")
    if missing:
        raise click.exceptions.Exit(NOTHING)


def _delete_ids(memory: Mnemos, ids: tuple[str, ...]) -> tuple[list[str], list[str], str]:
    gone: list[str] = []
    missing: list[str] = []
    purge = "done"
    for one in ids:
        if one in gone:
            continue
        try:
            deletion = memory.delete(one)
        except NotFound:
            missing.append(one)
            continue
        gone += deletion.ids
        purge = deletion.purge
    return gone, missing, purge


def _delete_all(memory: Mnemos, scope: dict[str, Any], yes: bool) -> tuple[list[str], list[str], str]:
    if not yes and any(scope.values()):
        _confirm(memory.list(limit=1, kinds=KINDS, **scope).total)
    deletion = memory.delete_all(**scope)
    return list(deletion.ids), [], deletion.purge


def _confirm(count: int) -> None:
    if not sys.stdin.isatty():
        raise InvalidInput("yes", "is missing, and nobody is there to be asked", "add --yes to delete without asking")
    if not click.confirm(f"Delete {count:,} memories for good?", err=True):
        raise Declined("nothing was deleted")


COMMANDS = (add, update, delete)
