"""A command with examples in its help, and what every command is called with: the store, and how to answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mnemos.errors import MnemosError, StoreError

if TYPE_CHECKING:
    from mnemos import Mnemos
    from mnemos.llm import LanguageModel

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_STORE = "mnemos.db"
STORE_VARIABLE = "MNEMOS_STORE"

OK, NOTHING, BAD_INPUT, STORE_FAILED, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141
"""Exit codes; `mnemos --help` says what they mean."""


class Declined(MnemosError):
    """The person who was asked said no."""


class Exemplified(click.Command):
    """A command whose help ends with examples that can be run as they stand."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, unwrapped."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}$ {example}\n")


class ExampleGroup(Exemplified, click.Group):
    """A group of commands, with examples, listed in the order in which one meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.commands)


def command(name: str, *examples: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function; its docstring is the help."""
    settings.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
    return click.command(name, cls=Exemplified, examples=examples, **settings)


@dataclass(frozen=True, slots=True)
class Call:
    """Which store a command works on, and whether it answers a machine."""

    store: Path
    as_json: bool = False
    zone: str | None = None
    """How to read times without a zone, and in which zone to show times to people."""

    def open(self, *, create: bool = False, llm: LanguageModel | None = None) -> Mnemos:
        """The store; a missing file is made only where something is about to be put into it."""
        if not create:
            self.require()
        from mnemos.system import Mnemos

        return Mnemos(self.store, timezone=self.zone, llm=llm)

    def require(self) -> None:
        """Refuse a store that is not there."""
        if not self.is_there:
            raise StoreError(f"{self.store}: there is no store here; add something first, or pass --store")

    @property
    def is_there(self) -> bool:
        """Whether the file exists and holds anything."""
        return self.store.exists() and self.store.stat().st_size > 0


def on_store(*, zoned: bool = False) -> Callable[[F], Callable[..., Any]]:
    """Give a command `--store` and `--json` (and `--timezone`), and pass it a `Call` first."""

    def decorate(function: F) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, store: Path, as_json: bool, timezone: str | None = None, **rest: Any) -> Any:
            return function(Call(store, as_json, timezone), *args, **rest)

        with_store = store_option(json_option(run))
        return zone_option(with_store) if zoned else with_store

    return decorate


def store_option(function: F) -> F:
    """The option `--store`."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path),
        default=DEFAULT_STORE,
        envvar=STORE_VARIABLE,
        metavar="PATH",
        help=f"The store file.  [default: ${STORE_VARIABLE}, else {DEFAULT_STORE}]",
    )(function)


def json_option(function: F) -> F:
    """The option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")(function)


def zone_option(function: F) -> F:
    """The option `--timezone`."""
    text = "Zone of times that name none, and of times shown: Europe/Lisbon."
    return click.option("--timezone", metavar="ZONE", help=text)(function)
