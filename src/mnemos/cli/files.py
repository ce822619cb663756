"""Moving memories: import, export, backup."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnemos.cli.command import Call, command, on_store
from mnemos.cli.options import scoped
from mnemos.cli.output import console, progress_bar, visible, write_json

if TYPE_CHECKING:
    from mnemos import Mnemos


@command(
    "import",
    "mnemos import chats.jsonl --user ana",
    "mnemos import whatsapp.txt --user ana --timezone Europe/Lisbon --date-order dmy",
)
@click.argument("file", type=click.Path(path_type=Path))
@scoped(below=False)
@click.option("--format", "format_", metavar="NAME", help="chatgpt, claude, …  [default: found by content]")
@click.option("--date-order", metavar="ORDER", help="dmy, mdy or ymd, for dates that can be read in two ways.")
@on_store(zoned=True)
def import_(call: Call, file: Path, scope: dict[str, Any], format_: str | None, date_order: str | None) -> None:
    """Import a FILE, folder or .zip of chats or notes.

    A second import of the same adds nothing. Reads exports of ChatGPT, Claude, WhatsApp, Slack and mem0, messages
    as JSON lines, Markdown notes, and what mnemos export wrote. Says what was added, repeated, left out, and why.
    """
    from mnemos.io.formats import detect_format
    from mnemos.io.importing import ImportStopped

    if not call.is_there:
        detect_format(file)
    with (
        call.open(create=True) as memory,
        progress_bar(f"importing {file.name}", bytes_=True, quiet=call.as_json) as progress,
    ):
        try:
            report = memory.import_file(file, format=format_, date_order=date_order, progress=progress, **scope)
        except ImportStopped as error:
            if call.as_json:
                raise
            stopped: ImportStopped | None = error
            report = error.report
        else:
            stopped = None
        _derive(memory, file, report.added, quiet=call.as_json)
    if call.as_json:
        write_json(report)
        return
    from mnemos.cli.people import show_import

    show_import(console(), report)
    if report.added and not stopped:
        click.echo("mnemos profile and mnemos timeline show what was understood")
    if stopped is not None:
        raise stopped


def _derive(memory: Mnemos, file: Path, added: int, *, quiet: bool) -> None:
    """Derive from what was imported; stopping loses nothing, the next command goes on."""
    with progress_bar(f"reading {file.name}", bytes_=False, quiet=quiet) as progress:
        memory.maintain(progress=lambda read: progress(read, max(read, added)))


@command(
    "export",
    "mnemos export all.jsonl",
    "mnemos export - --user ana | gzip > ana.jsonl.gz",
)
@click.argument("file")
@scoped()
@on_store()
def export(call: Call, file: str, scope: dict[str, Any]) -> None:
    """Write everything as JSON lines to FILE.

    Words, history, provenance and times, of the whole store or of a scope. The file - is standard output. mnemos
    import reads it back.
    """
    if file == "-" and call.as_json:
        raise click.UsageError("an export to standard output is JSON lines already; leave out --json")
    with call.open() as memory:
        if file == "-":
            # a file of its own, because Python may have been told not to buffer standard output
            with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as stream:
                memory.export_file(stream, **scope)
            return
        report = memory.export_file(file, **scope)
    if call.as_json:
        write_json(report)
    else:
        click.echo(visible(f"exported {report.lines:,} entries, {report.bytes / 1e6:,.1f} MB, to {report.path}"))


@command("backup", "mnemos backup copy.db")
@click.argument("file", type=click.Path(path_type=Path))
@on_store()
def backup(call: Call, file: Path) -> None:
    """Copy the store to a new FILE while it is in use."""
    with call.open() as memory:
        size = memory.backup(file)
    if call.as_json:
        write_json({"path": str(file), "bytes": size})
    else:
        click.echo(visible(f"copied {size / 1e6:,.1f} MB to {file}"))


COMMANDS = (import_, export, backup)
