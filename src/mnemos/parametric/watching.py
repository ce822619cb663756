"""Watching training: a bar where somebody looks, or whoever wants to be told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mnemos.errors import InvalidInput
from mnemos.parametric.course import Report

Watch = Callable[[Report], None]


@contextmanager
def watching(progress: bool | Watch | None, label: str) -> Iterator[Watch]:
    """Who is told after each epoch.

    Args:
        progress: True: a bar on standard error; False: nobody; None: a bar where standard error is a terminal;
            or a function that is given each `Report`.
        label: what the bar says is done.

    Raises:
        InvalidInput: it is something else.
    """
    if callable(progress):
        yield progress
    elif progress is not None and not isinstance(progress, bool):
        raise InvalidInput("progress", f"is a {type(progress).__name__}", "give True, False or a function")
    elif progress or (progress is None and sys.stderr.isatty()):
        with _bar(label) as watch:
            yield watch
    else:
        yield lambda report: None


@contextmanager
def _bar(label: str) -> Iterator[Watch]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("epoch {task.completed}/{task.total}"),
        TextColumn("loss {task.fields[loss]:.3f} · knows {task.fields[recalled]:.0%}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=None, loss=float("nan"), recalled=0.0)

        def watch(report: Report) -> None:
            progress.update(
                task, total=report.epochs, completed=report.epoch, loss=report.loss, recalled=report.recalled
            )

        yield watch
