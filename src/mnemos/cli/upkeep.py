"""Keeping a store sound: check, reindex, maintain, verify-erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mnemos.cli.asking import asking
from mnemos.cli.command import NOTHING, Call, command, on_store
from mnemos.cli.options import read_words
from mnemos.cli.output import visible, write_json

if TYPE_CHECKING:
    from mnemos.llm import LanguageModel


@command("check", "mnemos check", "mnemos check --json")
@on_store()
def check(call: Call) -> None:
    """Compare everything derived with the log.

    Lists every disagreement, and leaves with code 1 where it found one; mnemos reindex mends them.
    """
    with call.open() as memory:
        problems = memory.check()
    if call.as_json:
        write_json({"problems": problems})
    elif not problems:
        click.echo("all is well")
    for problem in () if call.as_json else problems:
        click.echo(visible(f"{problem.table}: {problem.subject or '–'}: {problem.problem}"))
    if problems:
        raise click.exceptions.Exit(NOTHING)


@command("reindex", "mnemos reindex")
@on_store()
def reindex(call: Call) -> None:
    """Build everything derived anew from the log.

    Memories, links, passages and vectors.
    """
    with call.open() as memory:
        count = memory.reindex()
    if call.as_json:
        write_json({"memories": count})
    else:
        click.echo(f"built {count:,} memories anew")


@command("maintain", "mnemos maintain", "mnemos maintain --json")
@asking
@on_store()
def maintain(call: Call, llm: LanguageModel | None) -> None:
    """Do the queued work.

    Derive again, change embedder, delete what has expired, finish a purge. With a language model, ask it for further
    facts and for written levels: mnemos maintain --llm http://localhost:11434/v1 --model NAME
    """
    with call.open(llm=llm) as memory:
        done = memory.maintain()
    if call.as_json:
        write_json(done)
        return
    click.echo(f"{done.done:,} jobs done, {done.failed:,} failed, {done.waiting:,} waiting")
    click.echo(f"{done.expired:,} expired items deleted; purge {done.purge}")
    for note in done.notes:
        click.echo(note)


@command(
    "verify-erased",
    'mnemos verify-erased "a secret that was never told"',
    "echo 'My sister Rita is vegan.' | mnemos verify-erased - --json",
)
@click.argument("text")
@on_store()
def verify_erased(call: Call, text: str) -> None:
    """Look for stray bytes of TEXT on disk.

    The text - stands for all of standard input. Lists live memories that hold the text apart from stray copies, and
    leaves with code 1 only where stray bytes are left: a live memory may hold the text.
    """
    words = read_words(text)
    with call.open() as memory:
        found = memory.verify_erased(words)
    if call.as_json:
        write_json({"clean": found.clean, "live": found.live, "stray": found.stray})
    else:
        for one in found.live:
            click.echo(f"live   {one}")
        for place in found.stray:
            click.echo(visible(f"stray  {place}"))
        state = "no stray bytes" if found.clean else "stray bytes are left; run mnemos maintain"
        click.echo(f"{len(found.live):,} live memories hold it; {state}")
    if not found.clean:
        raise click.exceptions.Exit(NOTHING)


COMMANDS = (check, reindex, maintain, verify_erased)
