"""A language model on the command line: which one, what it has cost, and what it could not do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mnemos.cli.command import Call, command, on_store
from mnemos.cli.output import visible, write_json

F = TypeVar("F", bound=Callable[..., Any])


def asking(function: F) -> Callable[..., Any]:
    """Give a command `--llm` and `--model`, and pass it the language model that they or the environment name."""

    @functools.wraps(function)
    def run(*args: Any, llm: str | None, model: str | None, **rest: Any) -> Any:
        from mnemos.llm import LanguageModel

        return function(*args, llm=LanguageModel.from_environment(llm, model), **rest)

    named = click.option("--model", metavar="NAME", help="The model's name there.  [default: $MNEMOS_LLM_MODEL]")(run)
    text = "A language model's OpenAI-compatible address, up to /v1.  [default: $MNEMOS_LLM_URL]"
    return click.option("--llm", metavar="URL", help=text)(named)


@command("costs", "mnemos costs", "mnemos costs --days 30 --json")
@click.option("--days", type=float, metavar="DAYS", help="Only the last so many days.")
@on_store()
def costs(call: Call, days: float | None) -> None:
    """Tell what language models have cost this store.

    In tokens, and in the currency of the prices that were given.
    """
    with call.open() as memory:
        spent = memory.costs(days=days)
    if call.as_json:
        write_json(spent)
        return
    for line in spent.lines:
        shown = f"{line.calls:>7,} calls  {line.prompt_tokens:>10,} in  {line.completion_tokens:>9,} out"
        click.echo(visible(f"{shown}  {line.cost:>10.4f}  {line.job}  {line.model}"))
    tokens = spent.prompt_tokens + spent.completion_tokens
    click.echo(f"{spent.calls:,} calls, {tokens:,} tokens, {spent.cost:.4f} at the prices given")


@command("jobs", "mnemos jobs", "mnemos jobs --retry --json")
@click.option("--retry", is_flag=True, help="Queue every dead letter anew, for the next mnemos maintain.")
@on_store()
def jobs(call: Call, retry: bool) -> None:
    """List the queued work and the dead letters.

    A dead letter is work that was tried as often as is allowed. Nothing is lost by it: what rules derive stands, and
    --retry queues it anew.
    """
    with call.open() as memory:
        dead = memory.dead_letters()
        revived = memory.retry() if retry else 0
        queued = memory.queued()
    if call.as_json:
        write_json({"queued": queued, "dead": dead, "retried": revived})
        return
    for letter in dead:
        about = f"{len(letter.memory_ids):,} memories" if letter.memory_ids else "no memory in particular"
        click.echo(visible(f"{letter.job:>6}  {letter.kind}  {letter.attempts} attempts  {about}: {letter.error}"))
    waiting = ", ".join(f"{count:,} {kind}" for kind, count in queued.items()) or "nothing"
    click.echo(f"{waiting} queued; {len(dead):,} dead letters{f', {revived:,} queued anew' if retry else ''}")


COMMANDS = (costs, jobs)
