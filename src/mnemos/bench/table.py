"""A table with a title, drawn on a terminal or as Markdown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.table import Table as RichTable


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of strings under named columns; the first column is left-aligned, the others right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def rich(self) -> RichTable:
        """For a terminal."""
        table = RichTable(title=self.title, caption=self.note or None, title_justify="left", caption_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=not number)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For a document, without the title."""
        lines = [self.columns, ("---", *["--:"] * (len(self.columns) - 1)), *self.rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{text}\n\n{self.note}" if self.note else text


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash for what was not measured."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.{digits}f}"
