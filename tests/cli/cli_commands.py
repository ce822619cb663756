"""The command line as click knows it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import click
from click.testing import Result

from mnemos.cli import main

Run = Callable[..., Result]
"""Runs one command line in this process."""
Shell = Callable[..., "subprocess.CompletedProcess[str]"]
"""Runs a shell line in which `mnemos` is this command line."""


def commands(group: click.Group = main, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that can be run, by its words: `search`, `bench recall`."""
    for name, command in group.commands.items():
        words = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, words)
        else:
            yield words, command


COMMANDS = dict(commands())
