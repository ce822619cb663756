"""Reads a file with an importer, without a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mnemos.errors import ImportFailed
from mnemos.io.formats import match_format, read_items
from mnemos.io.reading import DateOrder, Options, Skipped
from mnemos.io.source import open_bundle

FILES = Path(__file__).with_name("files")


@dataclass
class Read:
    """What a reader gave."""

    format: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)
    error: ImportFailed | None = None

    @property
    def texts(self) -> list[str]:
        return [message["content"] for message in self.messages]


def read_export(
    path: Path | str,
    format: str | None = None,
    *,
    timezone: str | None = "Europe/Lisbon",
    date_order: DateOrder | None = None,
    strict: bool = False,
) -> Read:
    result = Read()
    options = Options(ZoneInfo(timezone) if timezone else None, date_order, strict)
    with open_bundle(path) as bundle:
        match = match_format(bundle, format)
        result.format = match.name
        try:
            for item in read_items(match, bundle, options):
                if isinstance(item, Skipped):
                    result.skipped[item.reason] += item.count
                    result.places.setdefault(item.reason, item.where)
                else:
                    result.messages.append(item)
        except ImportFailed as error:
            result.error = error
    return result


@pytest.fixture
def files() -> Path:
    return FILES


@pytest.fixture
def read() -> Callable[..., Read]:
    return read_export
