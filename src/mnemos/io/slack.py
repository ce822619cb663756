"""Slack exports: a folder or .zip with `users.json`, the lists of channels, and one JSON file per channel and day."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from mnemos.io.json_stream import read_elements
from mnemos.io.reading import (
    BAD_TIME,
    NO_TEXT,
    Item,
    Message,
    Options,
    Skipped,
    from_epoch,
    list_of,
    mapping_of,
    text_of,
)
from mnemos.io.source import Bundle

NAME = "slack"
TITLE = "Slack export (.zip or folder with users.json and channels)"

JOIN = "join or leave notice"
NOTICE = "notice about the channel"
BOT = "bot message"
DELETED = "deleted message"
FILE = "file"
UNREADABLE = "message that could not be read"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json")
_LISTS = ("channels.json", "groups.json", "dms.json", "mpims.json")
_PEOPLE = ("users.json", "org_users.json")
_SAID = frozenset({"", "thread_broadcast", "me_message", "file_share", "file_comment"})
_JOINS = re.compile(r"(channel|group)_(join|leave)")
_MARKUP = re.compile(r"<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")


@dataclass
class _Directory:
    """Names of people and channels by id."""

    people: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    by_folder: dict[str, str] = field(default_factory=dict)
    """A folder's name to the id of its channel."""


def find(bundle: Bundle, *, asked: bool = False) -> list[str]:
    """The day files, in the order of channel and day."""
    if bundle.single:
        return []
    roots = {str(PurePosixPath(name).parent) for name in bundle.files if PurePosixPath(name).name in _PEOPLE + _LISTS}
    days = (PurePosixPath(name) for name in bundle.files if _DAY.fullmatch(PurePosixPath(name).name))
    return sorted(str(day) for day in days if str(day.parent.parent) in roots)


def read(bundle: Bundle, names: list[str], options: Options) -> Iterator[Item]:
    """What people said, a thread's replies after the message that they answer."""
    directories: dict[PurePosixPath, _Directory] = {}
    for name in names:
        path = PurePosixPath(name)
        root = path.parent.parent
        if root not in directories:
            directories[root] = _read_directory(bundle, root)
        folder = path.parent.name
        with bundle.text(name) as text:
            day = [mapping_of(element.value) for element in read_elements(text, name)]
        for message in sorted(day, key=_thread_order):
            yield from _read_message(message, folder, path.stem, directories[root], name)


def _thread_order(message: Mapping[str, Any]) -> tuple[float, float]:
    moment = _seconds(message.get("ts"))
    return _seconds(message.get("thread_ts")) or moment, moment


def _seconds(stamp: object) -> float:
    try:
        return float(text_of(stamp) or 0)
    except ValueError:
        return 0.0


def _read_directory(bundle: Bundle, root: PurePosixPath) -> _Directory:
    directory = _Directory()
    for file in _PEOPLE:
        for person in _read_list(bundle, str(root / file)):
            if name := _person(person):
                directory.people[text_of(person.get("id"))] = name
    for file in _LISTS:
        for channel in _read_list(bundle, str(root / file)):
            number = text_of(channel.get("id"))
            folder = text_of(channel.get("name")) or number
            members = [
                directory.people.get(text_of(member), text_of(member)) for member in list_of(channel.get("members"))
            ]
            directory.by_folder[folder] = number
            directory.channels[number] = ", ".join(members) if file == "dms.json" and members else folder
    return directory


def _read_list(bundle: Bundle, name: str) -> Iterator[Mapping[str, Any]]:
    if name in bundle.files:
        with bundle.text(name, share=0) as text:
            for element in read_elements(text, name):
                yield mapping_of(element.value)


def _person(user: Mapping[str, Any]) -> str:
    """Who it is: the full name, else the display name, else the handle."""
    profile = mapping_of(user.get("profile"))
    names = (profile.get("real_name"), user.get("real_name"), profile.get("display_name"), user.get("name"))
    return next((text_of(name).strip() for name in names if text_of(name).strip()), "")


def _read_message(
    message: Mapping[str, Any], folder: str, day: str, directory: _Directory, where: str
) -> Iterator[Item]:
    stamp = text_of(message.get("ts"))
    if not stamp or message.get("type", "message") != "message":
        yield Skipped(UNREADABLE, where)
        return
    if reason := _left_out(message):
        yield Skipped(reason, where)
        return
    files = [text_of(mapping_of(file).get("name")) or "file" for file in list_of(message.get("files"))]
    if files:
        yield Skipped(FILE, where, len(files))
    text = to_plain(text_of(message.get("text")), directory.people, directory.channels)
    if not text.strip():
        if not files:
            yield Skipped(NO_TEXT, where)
        return
    channel = directory.by_folder.get(folder, folder)
    thread = text_of(message.get("thread_ts"))
    metadata: dict[str, Any] = {"channel": directory.channels.get(channel, folder)}
    if thread:
        metadata["thread"] = thread
    if files:
        metadata["files"] = files
    out: Message = {
        "content": text,
        "session_id": f"{NAME}:{folder}:{thread or day}",
        "source_id": f"{NAME}:{channel}:{stamp}",
        "metadata": metadata,
    }
    if name := _author(message, directory):
        out["name"] = name
    if moment := from_epoch(stamp):
        out["happened_at"] = moment
    else:
        yield Skipped(BAD_TIME, where)
    yield out


def _left_out(message: Mapping[str, Any]) -> str | None:
    """Why a message is nothing that a person said, or None."""
    subtype = text_of(message.get("subtype"))
    if subtype == "bot_message" or message.get("bot_id"):
        return BOT
    if subtype in _SAID:
        return None
    if _JOINS.fullmatch(subtype):
        return JOIN
    return DELETED if subtype == "tombstone" else NOTICE


def _author(message: Mapping[str, Any], directory: _Directory) -> str:
    user = text_of(message.get("user"))
    profile = mapping_of(message.get("user_profile"))
    return directory.people.get(user) or text_of(profile.get("real_name")) or text_of(message.get("username")) or user


def to_plain(text: str, people: Mapping[str, str], channels: Mapping[str, str]) -> str:
    """Slack's markup as people read it: names for ids, plain links, no entities."""

    def replace(found: re.Match[str]) -> str:
        sign, target, label = found.groups()
        if sign == "@":
            return "@" + (people.get(target) or label or target)
        if sign == "#":
            return "#" + (label or channels.get(target) or target)
        if sign == "!":
            return label or "@" + target.partition("^")[0]
        target = target.removeprefix("mailto:")
        return f"{label} ({target})" if label and label not in target else target

    if "<" in text:
        text = _MARKUP.sub(replace, text)
    return html.unescape(text) if "&" in text else text
