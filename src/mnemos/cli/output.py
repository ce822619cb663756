"""Answers: JSON for machines; for people a console that knows about colour, pipes and narrow terminals."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

PIPED_WIDTH = 160
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def write_json(answer: Any) -> None:
    """Print one JSON document."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(plain(answer), ensure_ascii=not unicode, indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """A record as JSON values: fields under their names, times as ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def console(*, err: bool = False) -> Console:
    """A console for people. Nothing in brackets is read as markup; piped tables get room."""
    from rich.console import Console

    class Screen(Console):
        """Leaves a broken pipe to the command line, which knows its exit code."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Screen(stderr=err, width=width, highlight=False, markup=False, emoji=False)


def tell(message: str) -> None:
    """A remark for people, on standard error."""
    click.echo(visible(message), err=True)


def visible(text: str) -> str:
    """Text that cannot steer a terminal: control characters other than newline and tab are made visible."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def excerpt(text: str, length: int, start: int = 0) -> str:
    """One line of a text, from about `start` on."""
    shown = " ".join(text[start : start + 4 * length].split())
    if len(shown) > length:
        shown = shown[:length].rsplit(" ", 1)[0] + " …"
    elif start + 4 * length < len(text):
        shown += " …"
    return visible(f"… {shown}" if start else shown)


def show_time(moment: datetime | None, zone: str | None, *, day: bool = False) -> str:
    """A time for people: the day, or the day and the minute; a dash where it is unknown."""
    if moment is None:
        return "–"
    local = moment.astimezone(ZoneInfo(zone) if zone else UTC)
    return f"{local:%Y-%m-%d}" if day else f"{local:%Y-%m-%d %H:%M}"


@contextmanager
def progress_bar(title: str, *, bytes_: bool, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, moved by calling it with how far and how much; silent where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    count = DownloadColumn() if bytes_ else MofNCompleteColumn()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), count, TimeRemainingColumn())
    with Progress(*columns, console=console(err=True), transient=True) as progress:
        task = progress.add_task(visible(title), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
