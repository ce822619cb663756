"""Results as JSON: what they were made with, the tables that they add up to, and none of the data's words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mnemos.bench.machine import machine, versions
from mnemos.bench.table import Table
from mnemos.errors import InvalidInput

FORMAT = 1

R = TypeVar("R")


class Made(Protocol):
    """What every run says of itself."""

    @property
    def files(self) -> Mapping[str, str]:
        """File name to SHA-256."""
        ...

    @property
    def seed(self) -> int:
        """Of the bootstrap intervals, and of what is drawn by chance."""
        ...


def stated(run: Made, measured: Mapping[str, Any], tables: Iterable[Table]) -> dict[str, Any]:
    """Results: how they were made, what was measured, and the tables made from it."""
    return {
        "format": FORMAT,
        "seed": run.seed,
        "files": dict(run.files),
        "versions": versions(),
        "machine": machine(),
        **measured,
        "tables": [
            {"title": t.title, "columns": list(t.columns), "rows": [list(row) for row in t.rows]} for t in tables
        ],
    }


def check(data: Mapping[str, Any], command: str) -> None:
    """Refuse results that another release wrote in another way.

    Raises:
        InvalidInput: they are of another format.
    """
    if data.get("format") != FORMAT:
        raise InvalidInput("format", f"is {data.get('format')!r}, not {FORMAT}", f"run `mnemos bench {command}` again")


def save(data: Mapping[str, Any], path: str | Path) -> None:
    """Write results, so that two of them can be compared line by line."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{_text(data, 0)}\n", encoding="utf-8")


def load(path: str | Path) -> dict[str, Any]:
    """Read results."""
    found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return found


def _text(value: Any, depth: int) -> str:
    """JSON in which mappings, and lists of mappings, take a line for each part."""
    pad, end = " " * (depth + 1), " " * depth
    if isinstance(value, Mapping) and value:
        lines = (f"{pad}{json.dumps(name)}: {_text(part, depth + 1)}" for name, part in value.items())
        return "{\n" + ",\n".join(lines) + f"\n{end}}}"
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "[\n" + ",\n".join(f"{pad}{_compact(one)}" for one in value) + f"\n{end}]"
    return _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
