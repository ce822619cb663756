"""Options that several commands share, read into the keywords that the library takes."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from mnemos.errors import InvalidInput
from mnemos.events import MAX_TEXT

F = TypeVar("F", bound=Callable[..., Any])


def scoped(*, below: bool = True) -> Callable[[F], Callable[..., Any]]:
    """Whose memory: `--user`, `--agent`, `--namespace` (and `--descendants`), passed on as `scope`."""

    def decorate(function: F) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, user: str | None, agent: str | None, namespace: tuple[str, ...], **rest: Any) -> Any:
            scope: dict[str, Any] = {"user_id": user, "agent_id": agent, "namespace": namespace or None}
            if below:
                scope["descendants"] = rest.pop("descendants")
            return function(*args, scope=scope, **rest)

        options = [
            click.option("--user", metavar="ID", help="Whose memory it is."),
            click.option("--agent", metavar="ID", help="Of which agent; beside --user, only that agent's."),
            click.option(
                "--namespace", multiple=True, metavar="LABEL", help="A namespace; once for each of its labels."
            ),
        ]
        if below:
            text = "Namespaces below the given one too."
            options.append(click.option("--descendants", is_flag=True, help=text))
        return _with(run, options)

    return decorate


def narrowed(function: F) -> Callable[..., Any]:
    """What `search`, `context` and `list` can be narrowed to, passed on as `where`."""

    @functools.wraps(function)
    def run(
        *args: Any,
        scope: dict[str, Any],
        kind: tuple[str, ...],
        session: tuple[str, ...],
        filters: str | None,
        **rest: Any,
    ) -> Any:
        where = dict(scope)
        for name in ("since", "until", "as_of", "known_at", "now", "min_trust"):
            where[name] = rest.pop(name)
        where |= {"kinds": kind or None, "sessions": session or None}
        where["filters"] = None if filters is None else read_json(filters, "filters")
        return function(*args, where=where, **rest)

    options = [
        click.option("--kind", multiple=True, metavar="KIND", help="Only this kind (turn, note, fact, …); repeatable."),
        click.option("--session", multiple=True, metavar="ID", help="Only this session; repeatable."),
        click.option("--since", metavar="TIME", help="Only what happened at or after this time."),
        click.option("--until", metavar="TIME", help="Only what happened before this time."),
        click.option("--as-of", metavar="TIME", help="Only what had happened, and was true, then."),
        click.option("--known-at", metavar="TIME", help="Only what the store held then, as it held it."),
        click.option("--now", metavar="TIME", help="The time of asking.  [default: now]"),
        click.option("--filter", "filters", metavar="JSON", help="Conditions on attributes and metadata."),
    ]
    return scoped()(_with(trusted(run), options))


def trusted(function: F) -> F:
    """`--min-trust`."""
    text = "Only what is trusted at least so far, 0 to 1."
    return click.option("--min-trust", type=float, metavar="TRUST", help=text)(function)


def paged(limit: int) -> Callable[[F], F]:
    """`--limit` and `--offset`."""

    def decorate(function: F) -> F:
        options = [
            click.option("--limit", type=int, default=limit, show_default=True, help="How many to return."),
            click.option("--offset", type=int, default=0, show_default=True, help="How many to leave out first."),
        ]
        return _with(function, options)

    return decorate


def read_json(text: str, field: str) -> Any:
    """JSON that was given as an option."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            field, f"is not JSON ({error})", """quote it for the shell: '{"city": "Lisbon"}'"""
        ) from error


def read_words(text: str, field: str = "text") -> str:
    """A text argument; `-` stands for all of standard input, without a last newline."""
    if text != "-":
        return text
    raw = sys.stdin.buffer.read(4 * MAX_TEXT + 4)
    try:
        return raw.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            field, f"is not UTF-8 (byte {error.start:,} of standard input)", "convert it first, with iconv -t utf-8"
        ) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _with(function: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function
