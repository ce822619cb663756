"""In which form memories are: forms, promote, demote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mnemos.cli.command import Call, command, on_store
from mnemos.cli.options import scoped
from mnemos.cli.output import console, write_json
from mnemos.errors import InvalidInput

if TYPE_CHECKING:
    from mnemos.records import Form, Forms, Move


@command(
    "forms",
    "mnemos forms --user ana",
    "mnemos forms $(mnemos list --user ana --limit 1 --ids)",
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@scoped()
@on_store()
def forms(call: Call, ids: tuple[str, ...], scope: dict[str, Any]) -> None:
    """Say in which forms memories are, or what would move.

    With IDs, every form of each: text, keys and values, weights. Without, each move between forms that is due, and why;
    a program that binds a model carries them out. Nothing is written.
    """
    given = {name: value for name, value in scope.items() if value}
    if ids and given:
        raise InvalidInput("id", "is given together with a scope", "give one of the two")
    with call.open() as memory:
        found = [memory.forms(one) for one in ids]
        moves = [] if ids else memory.plan_forms(**scope)
    if call.as_json:
        write_json({"forms": found, "moves": moves})
        return
    _show(found)
    _tell(moves, asked=bool(ids))


@command(
    "promote",
    "mnemos promote $(mnemos list --user ana --limit 1 --ids)",
    "mnemos promote $(mnemos list --user ana --limit 1 --ids) --to parametric --json",
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--to", default="activation", show_default=True, help="activation (keys and values) or parametric.")
@on_store()
def promote(call: Call, ids: tuple[str, ...], to: Any) -> None:
    """Want memories in another form beside their text, until they are demoted.

    A program that binds a model makes it, when it maintains the store.
    """
    with call.open() as memory:
        found = memory.promote(ids, to)
    _answer(call, found)


@command(
    "demote",
    "mnemos demote $(mnemos list --user ana --limit 1 --ids)",
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--to", default="text", show_default=True, help="text or activation (keys and values).")
@on_store()
def demote(call: Call, ids: tuple[str, ...], to: Any) -> None:
    """Bring memories back to their text.

    What was made of them above goes at once; where an adapter held others too, it is trained again without these.
    """
    with call.open() as memory:
        found = memory.demote(ids, to)
    _answer(call, found)


def _answer(call: Call, found: Sequence[Forms]) -> None:
    if call.as_json:
        write_json({"forms": found})
    else:
        _show(found)


def _show(found: Sequence[Forms]) -> None:
    for one in found:
        click.echo(f"{one.memory}  {', '.join(_form(form) for form in one.all)}")


def _form(form: Form) -> str:
    if form.artifact is None:
        return form.form if form.form == "text" else f"{form.form} ({form.state})"
    return f"{form.form} ({form.state}, {form.recipe} of {form.model}, {form.bytes:,} bytes)"


def _tell(moves: Sequence[Move], *, asked: bool) -> None:
    out = console()
    if not moves and not asked:
        out.print("nothing is to move")
    for move in moves:
        out.print(f"{move.source} → {move.target}: {', '.join(move.memories)}", style="bold", markup=False)
        out.print(f"  {move.reason}", markup=False)


COMMANDS = (forms, promote, demote)
