"""Who somebody is, and what happened when: profile, timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mnemos.cli.command import NOTHING, Call, command, on_store
from mnemos.cli.options import scoped, trusted
from mnemos.cli.output import console, progress_bar, tell, visible, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from mnemos import Mnemos
    from mnemos.levels.answers import Profile, Timeline

NOTHING_KNOWN = "mnemos: nothing is known about this yet"


@command(
    "profile",
    "mnemos profile --user ana",
    "mnemos profile Rita --user ana --json",
)
@click.argument("who", required=False)
@scoped()
@click.option("--as-of", metavar="TIME", help="As things stood then.  [default: now]")
@trusted
@on_store(zoned=True)
def profile(call: Call, who: str | None, scope: dict[str, Any], **given: Any) -> None:
    """Show what is stable about WHO.

    Current facts by group, each with its day, what held until lately, and recurring themes. Without WHO, about the
    person whose memory it is. Leaves with code 1 where nothing is known.
    """
    with call.open() as memory:
        derive(memory, quiet=call.as_json)
        found = memory.profile(who, **given, **scope)
    if call.as_json:
        write_json({"profile": found})
    elif found:
        show_profile(console(), found)
    _leave_empty(call, bool(found))


@command(
    "timeline",
    "mnemos timeline --user ana",
    "mnemos timeline --user ana --since 2026-01-01T00:00:00Z --json",
)
@click.argument("who", required=False)
@scoped()
@click.option("--since", metavar="TIME", help="From this time on.")
@click.option("--until", metavar="TIME", help="Before this time.")
@trusted
@on_store(zoned=True)
def timeline(call: Call, who: str | None, scope: dict[str, Any], **given: Any) -> None:
    """Show what happened, in order, to WHO.

    Facts and plans that have a day, and the sentence that tells most of each episode. Without WHO, all of it. Leaves
    with code 1 where nothing is known.
    """
    with call.open() as memory:
        derive(memory, quiet=call.as_json)
        found = memory.timeline(who, **given, **scope)
    if call.as_json:
        write_json({"timeline": found})
    elif found:
        show_timeline(console(), found)
    _leave_empty(call, bool(found))


def derive(memory: Mnemos, *, quiet: bool) -> None:
    """Derive from what is new, so that the answer is of all that was said, under a bar."""
    waiting = memory.stats().memories
    with progress_bar("reading what is new", bytes_=False, quiet=quiet) as progress:
        memory.maintain(progress=lambda read: progress(read, max(read, waiting)))


def show_profile(console: Console, found: Profile) -> None:
    """A profile as people read it."""
    from rich.text import Text

    from mnemos.demo import profile_table

    console.print(Text(visible(found.subject), "bold"))
    console.print(profile_table(found, visible))


def show_timeline(console: Console, found: Timeline) -> None:
    """A timeline as people read it."""
    from mnemos.demo import timeline_table

    console.print(timeline_table(found, visible))


def _leave_empty(call: Call, known: bool) -> None:
    if known:
        return
    if not call.as_json:
        tell(NOTHING_KNOWN)
    raise click.exceptions.Exit(NOTHING)


COMMANDS = (profile, timeline)
