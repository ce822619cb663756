"""Plain messages: JSON Lines with the keys that `add` takes, or one JSON array of the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from mnemos.errors import ImportFailed, InvalidInput
from mnemos.events import Defaults, read_events
from mnemos.io.json_stream import read_elements
from mnemos.io.reading import Item, Options, Ordinals, Skipped
from mnemos.io.source import Bundle, lines
from mnemos.records import DEFAULT_NAMESPACE

NAME = "messages"
TITLE = "messages as JSON Lines, with the keys of add(): content, role, name, happened_at, …"

_SUFFIXES = (".jsonl", ".ndjson", ".json")
_TIMES = ("happened_at", "valid_at", "invalid_at")
_SAYS = ("session_id", "role", "name", "happened_at", "kind")


def find(bundle: Bundle, *, asked: bool = False) -> list[str]:
    """The files of this format."""
    names = [name for name in bundle.files if bundle.single or name.lower().endswith(_SUFFIXES)]
    return sorted(name for name in names if _holds_messages(bundle.head(name)))


def _holds_messages(head: str) -> bool:
    if head.lstrip().startswith("["):
        head = head.lstrip()[1:]
    for line in head.splitlines()[:20]:
        try:
            value, _ = json.JSONDecoder().raw_decode(line.strip())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, Mapping):
            return "content" in value
    return head.lstrip().startswith("{") and '"content"' in head and '"mapping"' not in head


def read(bundle: Bundle, names: list[str], options: Options) -> Iterator[Item]:
    """The messages; a line that is not one is counted with its number, or ends the import if strict."""
    for name in names:
        ids = Ordinals(NAME)
        rows = _array(bundle, name) if bundle.head(name).lstrip().startswith("[") else _lines(bundle, name)
        for where, value in rows:
            item = value if isinstance(value, Skipped) else _read_message(value, ids, options, where)
            if isinstance(item, Skipped) and options.strict:
                raise ImportFailed(f"{where}: {item.reason}")
            yield item


def _array(bundle: Bundle, name: str) -> Iterator[tuple[str, Any]]:
    with bundle.text(name) as text:
        for number, value in read_elements(text, name):
            yield f"{name}, element {number}", value


def _lines(bundle: Bundle, name: str) -> Iterator[tuple[str, Any]]:
    with bundle.text(name) as text:
        for number, line in lines(text):
            where = f"{name}, line {number}"
            if line is None:
                yield where, Skipped("line that is too long", where)
            elif line and not line.isspace():
                try:
                    yield where, json.loads(line)
                except (ValueError, RecursionError):
                    yield where, Skipped("line that is not JSON", where)


def _read_message(value: Any, ids: Ordinals, options: Options, where: str) -> Item:
    if not isinstance(value, Mapping):
        return Skipped("line that is not a message object", where)
    message = dict(value)
    for field in _TIMES:
        if options.zone is None and _is_naive(message.get(field)):
            raise InvalidInput(
                "timezone",
                f"{where} writes {field} without a zone ({message[field]!r})",
                "give timezone= (--timezone), e.g. 'Europe/Lisbon'",
            )
    try:
        read_events([message], Defaults(DEFAULT_NAMESPACE, zone=options.zone))
    except InvalidInput as error:
        return Skipped(f"{error.field.removeprefix('messages[0].')} {error.problem}", where)
    if message.get("source_id") is None and message.get("idempotency_key") is None:
        said = (str(message[field]) if message.get(field) is not None else None for field in _SAYS)
        content = message["content"]
        content = content if isinstance(content, str) else json.dumps(content)
        message["source_id"] = ids.source_id(*said, content)
    return message


def _is_naive(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return datetime.fromisoformat(value.strip()).tzinfo is None
    except ValueError:
        return False
