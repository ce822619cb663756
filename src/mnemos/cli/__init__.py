"""The command line: `mnemos`. Each module holds a few commands; nothing heavy is imported before one runs."""

from mnemos.cli.app import main

__all__ = ["main"]
