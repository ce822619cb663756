"""What got in: why, admit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mnemos.cli.command import Call, command, on_store
from mnemos.cli.output import console, excerpt, show_time, visible, write_json

if TYPE_CHECKING:
    from mnemos import Memory
    from mnemos.verbs.gating import Kept


@command(
    "why",
    'mnemos add "My sister Rita is vegan." --user ana && mnemos why $(mnemos list --user ana --limit 1 --ids)',
    "mnemos why $(mnemos list --user ana --limit 1 --ids) --json",
)
@click.argument("id")
@on_store()
def why(call: Call, id: str) -> None:
    """Say why the memory ID is in the index or out of it.

    What was decided about it, what it repeats or what repeats it, and which secrets were masked in it.
    """
    with call.open() as memory:
        kept = memory.why_kept(id)
        found = memory.get(id)
        other = None if kept.repeats is None else memory.get(kept.repeats)
    if call.as_json:
        write_json({"kept": kept, "reason": kept.reason})
        return
    _show(kept, found, other, call.zone)


@command(
    "admit",
    'mnemos add "Hello!" --user ana && mnemos admit $(mnemos list --user ana --limit 1 --ids)',
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@on_store()
def admit(call: Call, ids: tuple[str, ...]) -> None:
    """Let memories back into the index, to stay there.

    What is derived from them follows with the next mnemos maintain. Undo the decision to let them rest again.
    """
    with call.open() as memory:
        admitted = [memory.admit(one) for one in ids]
    if call.as_json:
        write_json({"admitted": admitted})
    else:
        for one in admitted:
            click.echo(f"admitted {one.id}")


def _show(kept: Kept, found: Memory | None, other: Memory | None, zone: str | None) -> None:
    out = console()
    if found is not None:
        out.print(excerpt(found.text, 100), style="bold")
    out.print(f"{'in the index' if kept.indexed else 'out of the index'} ({kept.why}): {kept.reason}")
    if other is not None:
        out.print(f"repeats {other.id}: {excerpt(other.text, 80)}")
    if kept.repeated_by:
        out.print(f"repeated by {', '.join(kept.repeated_by)}")
    numbers = [
        f"{name} {value:.2f}"
        for name, value in (("novelty", kept.novelty), ("salience", kept.salience))
        if value is not None
    ]
    if numbers:
        out.print(", ".join(numbers))
    if kept.masked:
        out.print(f"masked: {visible(', '.join(kept.masked))}")
    for made in kept.decisions:
        undone = ", undone" if made.undone else ""
        out.print(f"{show_time(made.at, zone)}  {made.op} by {made.by}{undone}  {made.decision}", style="dim")


COMMANDS = (why, admit)
