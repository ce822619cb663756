"""The group of all commands: help, exit codes, and errors as one clear line."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from mnemos._version import __version__
from mnemos.cli import (
    answers,
    asking,
    caching,
    changes,
    cubing,
    files,
    forgetting,
    forming,
    gating,
    graphing,
    learning,
    levels,
    measuring,
    serving,
    updating,
    upkeep,
)
from mnemos.cli.command import BAD_INPUT, INTERRUPTED, NOTHING, OK, PIPE_CLOSED, STORE_FAILED, Declined, ExampleGroup
from mnemos.cli.output import plain, tell
from mnemos.errors import ImportFailed, InvalidInput, MnemosError, NotFound
from mnemos.origin import writing_as

HELP = """Mnemos: a memory for language models and agents, in one file.

Every command takes --store PATH (default: $MNEMOS_STORE, else mnemos.db in this folder) and --json, which prints one
JSON document on standard output and nothing else; errors then are one JSON object on standard error. NO_COLOR turns
colours off. Times are ISO 8601 with a zone (2026-03-02T18:40:00Z), or without one beside --timezone. A text that
begins with a dash goes after --, as in: mnemos add -- "-5 degrees".

\b
Exit codes:
    0  done
    1  nothing there: an unknown id, a search or context without an answer;
       also: you said no, check found problems, verify-erased stray bytes
    2  bad input: wrong usage, or a text, time, file or filter that cannot be read
    3  the store failed: missing, not a store, newer, read-only, busy or full
  130  interrupted
  141  the reader of a pipe went away
"""

OPTIONS = {
    "user_id": "--user",
    "namespaces": "--namespace",
    "agent_id": "--agent",
    "happened_at": "--at",
    "kinds": "--kind",
    "sessions": "--session",
    "session_id": "--session",
    "filters": "--filter",
    "query": "QUERY",
    "text": "TEXT",
    "id": "ID",
    "content": "TEXT",
}
"""What a field of the library is called on the command line, where it is not `--field`."""
PLAIN = frozenset(
    "namespace kind since until as_of known_at now limit offset budget timezone date_order format name role "
    "metadata idempotency_key valid_at invalid_at trust min_trust yes count bytes share policy at summarise_after "
    "delete_after tenant scopes expires upstream rate to".split()
)


class Application(ExampleGroup):
    """The group, with exit codes that scripts can trust."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run one command line and leave with its exit code."""
        if "_MNEMOS_COMPLETE" in os.environ:
            super().main(args, "mnemos", complete_var, **extra)
        words = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in words[: words.index("--") if "--" in words else None]
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        try:
            code = self._run(words, extra)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = PIPE_CLOSED
        except click.ClickException as error:
            code = _usage(error, as_json)
        except (KeyboardInterrupt, click.Abort):
            _report({"type": "Interrupted", "message": "interrupted"}, INTERRUPTED, as_json)
            code = INTERRUPTED
        except (MnemosError, OSError) as error:
            code = _failure(error, as_json)
        sys.exit(code)

    def _run(self, words: list[str], extra: dict[str, Any]) -> int:
        try:
            with self.make_context("mnemos", words, **extra) as context, writing_as("cli"):
                self.invoke(context)
        except click.exceptions.Exit as left:
            return left.exit_code
        return OK


def exit_code(error: Exception) -> int:
    """The exit code of an error."""
    if isinstance(error, NotFound | Declined):
        return NOTHING
    if isinstance(error, InvalidInput | ImportFailed):
        return BAD_INPUT
    if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return BAD_INPUT
    return STORE_FAILED


def _failure(error: MnemosError | OSError, as_json: bool) -> int:
    code = exit_code(error)
    details: dict[str, Any] = {"type": type(error).__name__, "message": _message(error, as_json)}
    for name in ("field", "problem", "mend", "report"):
        if hasattr(error, name):
            details[name] = getattr(error, name)
    _report(details, code, as_json)
    return code


def _message(error: MnemosError | OSError, as_json: bool) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    if as_json:
        return str(error)
    if isinstance(error, InvalidInput):
        mend = error.mend.replace("timezone=", "--timezone")
        return f"{_option(error.field)}: {error.problem}; {mend}"
    return str(error)


def _option(field: str) -> str:
    """What a person typed to set a field of the library."""
    name = re.sub(r"^messages?(\[\d+\])?\.", "", field)
    head = re.match(r"\w*", name)
    first = head[0] if head else ""
    if first in OPTIONS:
        return OPTIONS[first] + name[len(first) :]
    if first in PLAIN:
        return "--" + first.replace("_", "-") + name[len(first) :]
    return name


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _usage(error: click.ClickException, as_json: bool) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mnemos"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    elif as_json:
        _report({"type": "Usage", "message": error.format_message()}, BAD_INPUT, as_json)
    else:
        tell(f"{path}: {_one_line(error.format_message())} See {path} --help.")
    return BAD_INPUT


def _report(details: dict[str, Any], code: int, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"error": {**plain(details), "exit_code": code}}), err=True)
    else:
        tell(f"mnemos: {_one_line(details['message'])}")


main = Application(
    "mnemos",
    help=HELP,
    commands={
        command.name or "": command
        for module in (
            changes,
            answers,
            gating,
            levels,
            graphing,
            updating,
            forgetting,
            forming,
            files,
            cubing,
            upkeep,
            asking,
            measuring,
            caching,
            learning,
            serving,
        )
        for command in module.COMMANDS
    },
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    examples=(
        'mnemos add "My sister Rita is vegan." --user ana',
        'mnemos search "what can Rita eat?" --user ana',
    ),
)
"""The entry point."""
main = click.version_option(__version__, prog_name="mnemos", message="%(prog)s %(version)s")(main)
