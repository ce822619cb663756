"""What goes, and what stays: forget, budget, pin, unpin, expire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mnemos.cli.command import Call, command, on_store
from mnemos.cli.options import scoped
from mnemos.cli.output import console, excerpt, write_json

if TYPE_CHECKING:
    from mnemos.forget.budget import Forgotten
    from mnemos.records import Memory

F = TypeVar("F", bound=Callable[..., Any])

WORDS = 72
LISTED = 40
"""Steps that are shown one by one."""
DONE = {"rest": "out of the index", "summarise": "left to their episodes", "delete": "deleted"}


def _limits(function: F) -> F:
    options = [
        click.option("--count", type=int, metavar="N", help="Keep so many in the index."),
        click.option("--bytes", "bytes_", type=int, metavar="N", help="Keep so many bytes of text in the index."),
        click.option("--share", type=float, metavar="PART", help="Keep such a part of all, 0 to 1."),
        click.option("--policy", default="salience", show_default=True, help="salience, ebbinghaus or layered."),
        click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind counts; repeatable."),
        click.option(
            "--summarise-after", type=float, default=30.0, show_default=True, metavar="DAYS",
            help="Days out of the index after which only its episode speaks of a memory.",
        ),
        click.option("--delete", is_flag=True, help="Delete in the end."),
        click.option(
            "--delete-after", type=float, default=90.0, show_default=True, metavar="DAYS",
            help="Days out of the index after which --delete does.",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _given(bytes_: int | None, kinds: tuple[str, ...], rest: dict[str, Any]) -> dict[str, Any]:
    return {"bytes": bytes_, **({"kinds": kinds} if kinds else {}), **rest}


@command(
    "forget",
    "mnemos forget --count 1 --user ana --dry-run",
    "mnemos forget --share 0.5 --user ana --json",
)
@scoped()
@_limits
@click.option("--now", metavar="TIME", help="The time by which strength is judged.  [default: now]")
@click.option("--dry-run", is_flag=True, help="Only show what would go, and why.")
@on_store(zoned=True)
def forget(
    call: Call,
    scope: dict[str, Any],
    bytes_: int | None,
    kinds: tuple[str, ...],
    dry_run: bool,
    **rest: Any,
) -> None:
    """Keep only so much in the index of each namespace.

    What is least likely to be asked for goes, one step at a time: out of the index, where `admit`, `pin` and `undo`
    bring it back; then only its episode speaks of it; then it is deleted, with --delete. What is pinned or was admitted
    stays. Without a limit: the budget that was set.
    """
    with call.open() as memory:
        found = memory.forget(dry_run=dry_run, **_given(bytes_, kinds, rest), **scope)
    if call.as_json:
        write_json({"dry_run": dry_run, "steps": found})
    elif found:
        _show(found, dry_run=dry_run)
    else:
        click.echo("nothing has to go")


@command(
    "budget",
    "mnemos budget --count 10000 --user ana",
    "mnemos budget --json",
    "mnemos budget --none --user ana",
)
@scoped(below=False)
@_limits
@click.option("--none", is_flag=True, help="Take the budget away.")
@on_store()
def budget(
    call: Call, scope: dict[str, Any], bytes_: int | None, kinds: tuple[str, ...], none: bool, **rest: Any
) -> None:
    """Set what a namespace may hold; `mnemos maintain` keeps to it.

    Without a limit, and without --none, lists the budgets that are set.
    """
    given = _given(bytes_, kinds, rest)
    with call.open() as memory:
        if none or any(given[name] is not None for name in ("count", "bytes", "share")):
            memory.set_budget(**({} if none else given), **scope)
        budgets = memory.budgets()
    if call.as_json:
        write_json({"budgets": [{"namespace": list(name), **held.to_terms()} for name, held in budgets.items()]})
        return
    for name, held in budgets.items():
        limit = next(f"{key} {value:g}" for key, value in held.to_terms().items() if value is not None)
        click.echo(f"{' / '.join(name)}: {limit}, by {held.policy}{', deleting in the end' if held.delete else ''}")
    if not budgets:
        click.echo("no namespace has a budget")


@command("pin", "mnemos pin $(mnemos list --user ana --limit 1 --ids)")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@on_store()
def pin(call: Call, ids: tuple[str, ...]) -> None:
    """Keep memories whatever is forgotten; those out of the index come back."""
    with call.open() as memory:
        _answer(call, [memory.pin(one) for one in ids])


@command("unpin", "mnemos unpin $(mnemos list --user ana --limit 1 --ids)")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@on_store()
def unpin(call: Call, ids: tuple[str, ...]) -> None:
    """Let pinned memories go again when their time comes."""
    with call.open() as memory:
        _answer(call, [memory.unpin(one) for one in ids])


@command(
    "expire",
    "mnemos expire $(mnemos list --user ana --limit 1 --ids) --at 2100-01-01T00:00:00Z",
    "mnemos expire $(mnemos list --user ana --limit 1 --ids) --never",
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--at", metavar="TIME", help="When they end.")
@click.option("--never", is_flag=True, help="They do not end.")
@on_store(zoned=True)
def expire(call: Call, ids: tuple[str, ...], at: str | None, never: bool) -> None:
    """Let memories end at a time: nothing returns them then, and `mnemos maintain` deletes them."""
    if (at is None) != never:
        raise click.UsageError("Give --at TIME or --never.")
    with call.open() as memory:
        _answer(call, [memory.expire(one, at) for one in ids])


def _answer(call: Call, memories: Sequence[Memory]) -> None:
    if call.as_json:
        write_json({"memories": memories})
        return
    from mnemos.cli.people import show_list
    from mnemos.records import Page

    show_list(console(), Page(memories), call.zone)


def _show(found: Sequence[Forgotten], *, dry_run: bool) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step")
    table.add_column("salience", justify="right")
    table.add_column("strength", justify="right")
    table.add_column("what")
    for one in found[:LISTED]:
        asked = "–" if one.salience is None else f"{one.salience:.2f}"
        table.add_row(one.step, asked, f"{one.strength:.2f}", excerpt(one.text, WORDS))
    screen = console()
    screen.print(table)
    if len(found) > LISTED:
        screen.print(f"… and {len(found) - LISTED:,} more (--json has all, with ids and reasons)", style="dim")
    steps = Counter(one.step for one in found)
    done = ", ".join(f"{count:,} {DONE[step]}" for step, count in steps.items())
    screen.print(f"{'would be' if dry_run else 'now'}: {done}")


COMMANDS = (forget, budget, pin, unpin, expire)
