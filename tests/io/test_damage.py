"""However an export is damaged, a reader gives messages that `add` takes, or a typed error; never anything else."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from mnemos.errors import InvalidInput, MnemosError
from mnemos.events import Defaults, read_events

JSON_EXPORTS = ["chatgpt/conversations.json", "claude/conversations.json", "mem0.json", "slack/general/2024-03-04.json"]
TEXT_EXPORTS = [
    "messages.jsonl",
    "whatsapp/WhatsApp Chat with Book club.txt",
    "whatsapp/_chat.txt",
    "notes/journal/trip.md",
]
ODD = [
    None,
    True,
    0,
    -1,
    1e308,
    "",
    " ",
    "\ud800",
    "x\0y",
    "2024-13-45",
    [],
    [None],
    [[]],
    {},
    {"": None},
    {"parts": 1},
]


def check(read: Callable[..., Any], path: Path, format_name: str | None = None) -> int:
    """Read; every message has to pass what `add` checks."""
    try:
        got = read(path, format_name)
    except MnemosError:
        return 0
    for message in got.messages:
        message.pop("scope", None)
        try:
            read_events([message], Defaults(("default",), zone=UTC))
        except InvalidInput as error:
            raise AssertionError(f"{message!r} is refused: {error}") from error
    return len(got.messages)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in a JSON value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [found for key in keys for found in [(value, key), *places(value[key])]]


def place_export(files: Path, name: str, folder: Path) -> tuple[Path, Path]:
    """A copy of an export: the file to damage, and the path to import."""
    if name.startswith("slack"):
        shutil.copytree(files / "slack", folder / "slack", dirs_exist_ok=True)
        return folder / name, folder / "slack"
    target = folder / Path(name).name
    shutil.copy(files / name, target)
    return target, target


@pytest.mark.parametrize("name", JSON_EXPORTS)
def test_values_of_the_wrong_kind(read: Callable[..., Any], files: Path, tmp_path: Path, name: str) -> None:
    target, path = place_export(files, name, tmp_path)
    whole = json.loads(target.read_text("utf-8"))
    dice = random.Random(name)
    kept = 0
    for _ in range(150):
        damaged = copy.deepcopy(whole)
        for _ in range(dice.randint(1, 4)):
            container, key = dice.choice(places(damaged) or [({}, "x")])
            container[key] = copy.deepcopy(dice.choice(ODD))
        target.write_text(json.dumps(damaged))
        kept += check(read, path)
    assert kept > 50


@pytest.mark.parametrize("name", JSON_EXPORTS + TEXT_EXPORTS)
def test_bytes_that_are_lost_changed_or_doubled(
    read: Callable[..., Any], files: Path, tmp_path: Path, name: str
) -> None:
    target, path = place_export(files, name, tmp_path)
    whole = target.read_bytes()
    dice = random.Random(name)
    kept = 0
    for _ in range(120):
        start, length = dice.randrange(len(whole)), dice.randint(0, 40)
        patch = dice.choice(
            [b"", dice.randbytes(3), b"\xff\xfe", b"\x00" * 4, b"\r", b'"', whole[start : start + length] * 2]
        )
        target.write_bytes(whole[:start] + patch + whole[start + length :])
        kept += check(read, path)
    assert kept > 50
