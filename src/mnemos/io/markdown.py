"""Markdown notes: one file or a folder of them, each note one memory of kind `note`.

A note is dated by its front matter, or by a date in its file name; otherwise its date is unknown, for a file's
modification time says when it was copied, not when it was written. A day without a time is kept as noon UTC, which is
the same day in nearly every zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, tzinfo
from pathlib import PurePosixPath
from typing import Any

from mnemos.errors import InvalidInput
from mnemos.events import MAX_TEXT
from mnemos.io.reading import BAD_TIME, NO_TEXT, TOO_LONG, Item, Message, Options, Skipped, stable_hash
from mnemos.io.source import Bundle

NAME = "markdown"
TITLE = "Markdown notes (.md, or a folder of them)"

_SUFFIXES = (".md", ".markdown", ".mdown")
_FENCE = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"([A-Za-z][\w -]*?)\s*:(?:\s+(.*?))?\s*")
_ENTRY = re.compile(r"\s*-\s+(.*?)\s*")
_HEADING = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)
_DATE_IN_NAME = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?!\d)")
_DATE_FIELDS = ("date", "created", "created_at", "published")


def find(bundle: Bundle, *, asked: bool = False) -> list[str]:
    """The notes; where the format was asked for, any one file is taken for a note."""
    if bundle.single and asked:
        return [bundle.single]
    return sorted(name for name in bundle.files if name.lower().endswith(_SUFFIXES))


def read(bundle: Bundle, names: list[str], options: Options) -> Iterator[Item]:
    """The notes, in the order of their paths."""
    others = len(bundle.files) - len(names)
    if others:
        yield Skipped("file that is not a note", bundle.path.name, others)
    for name in names:
        with bundle.text(name) as stream:
            text = stream.read(MAX_TEXT + 1)
        if len(text) > MAX_TEXT:
            yield Skipped(TOO_LONG, name)
        else:
            yield from _read_note(name, text, options)


def _read_note(name: str, text: str, options: Options) -> Iterator[Item]:
    fields, body = split_front_matter(text)
    body = body.strip("\n")
    if not body or body.isspace():
        yield Skipped(NO_TEXT, name)
        return
    path = PurePosixPath(name)
    heading = _HEADING.search(body)
    title = str(fields.get("title") or "") or (heading[1] if heading else path.stem)
    if re.search(r"[^\W\d_]", title) and not re.search(rf"(?<!\w){re.escape(title)}(?!\w)", body[:500], re.IGNORECASE):
        # a note is found by its title too
        body = f"# {title}\n\n{body}"
    metadata: dict[str, Any] = {"title": title, "path": name}
    if tags := _tags(fields.get("tags")):
        metadata["tags"] = tags
    note: Message = {
        "content": body,
        "kind": "note",
        # by name and words, so that an edited note is a new one, and a note that was only moved is not
        "source_id": f"{NAME}:{path.name}:{stable_hash(text)}",
        "metadata": metadata,
    }
    written = next((fields[key] for key in _DATE_FIELDS if fields.get(key)), None)
    moment = read_moment(written, options.zone, name) if isinstance(written, str) else None
    if written is not None and moment is None:
        yield Skipped(BAD_TIME, name)
    moment = moment or date_in_name(path.name)
    if moment is not None:
        note["happened_at"] = moment
    yield note


def split_front_matter(text: str) -> tuple[dict[str, str | list[str]], str]:
    """The fields between the two `---` lines at the top (text and lists of text only), and the rest."""
    found = _FENCE.match(text)
    if found is None:
        return {}, text
    fields: dict[str, str | list[str]] = {}
    last = ""
    for line in found[1].splitlines():
        if entry := _ENTRY.fullmatch(line):
            listed = fields.get(last)
            fields[last] = [*(listed if isinstance(listed, list) else []), _unquote(entry[1])]
        elif pair := _FIELD.fullmatch(line):
            last = pair[1].lower()
            fields[last] = _value(pair[2] or "")
    return fields, text[found.end() :]


def _value(text: str) -> str | list[str]:
    if text.startswith("[") and text.endswith("]"):
        return [entry for part in text[1:-1].split(",") if (entry := _unquote(part.strip()))]
    return _unquote(text)


def _unquote(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _tags(value: str | list[str] | None) -> list[str]:
    tags = re.split(r"[,\s]+", value) if isinstance(value, str) else value or []
    return [tag.removeprefix("#") for tag in tags if tag.removeprefix("#")]


def read_moment(text: str, zone: tzinfo | None, name: str) -> datetime | None:
    """A front matter date: a day, or a time, which has to have a zone or be given one."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        pass
    else:
        return datetime.combine(day, time(12), UTC)
    try:
        moment = datetime.fromisoformat(text.strip().replace(" +", "+"))
    except ValueError:
        return None
    if moment.tzinfo is None and zone is None:
        raise InvalidInput(
            "timezone",
            f"{name} is dated {text!r}, without a zone",
            "give timezone= (--timezone), e.g. 'Europe/Lisbon'",
        )
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)


def date_in_name(name: str) -> datetime | None:
    """The day that a file name holds: `2024-03-05 Planning.md`, `20240305.md`."""
    for found in _DATE_IN_NAME.finditer(name):
        try:
            return datetime(int(found[1]), int(found[3]), int(found[4]), 12, tzinfo=UTC)
        except ValueError:
            continue
    return None
