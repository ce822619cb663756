"""Items of OpenAI's Responses API as memories: the text of a message by itself, and what is left of it around that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, repeat
from typing import Any, NamedTuple


class Message(NamedTuple):
    """A message: what it says, and how to put it together again."""

    text: str
    """Its texts, one a line."""
    frame: dict[str, Any]
    """`item`: the message with nothing in the places of its texts; `lengths`: how long each of them is."""


def read_message(item: Mapping[str, Any]) -> Message | None:
    """What a message says; None where an item is no message, or one without words."""
    if item.get("type", "message") != "message" or not isinstance(item.get("role"), str):
        return None
    texts = _texts(item.get("content"))
    text = "\n".join(texts)
    if not text or text.isspace():
        return None
    rest = {**item, "content": _filled(item["content"], repeat(""))}
    return Message(text, {"item": rest, "lengths": [len(part) for part in texts]})


def restored(text: str, frame: Mapping[str, Any]) -> dict[str, Any]:
    """The message again; where its text has another length now, the first place takes all of it."""
    item: dict[str, Any] = frame["item"]
    return {**item, "content": _filled(item["content"], iter(_split(text, frame["lengths"])))}


def _split(text: str, lengths: Sequence[int]) -> list[str]:
    starts = [0, *accumulate(length + 1 for length in lengths)]
    if starts[-1] != len(text) + 1:
        return [text, *("" for _ in lengths[1:])]
    return [text[start : start + length] for start, length in zip(starts, lengths, strict=False)]


def _texts(content: object) -> list[str]:
    if isinstance(content, list):
        return [part["text"] for part in content if _says(part)]
    return [content] if isinstance(content, str) else []


def _filled(content: Any, texts: Iterator[str]) -> Any:
    if isinstance(content, list):
        return [{**part, "text": next(texts)} if _says(part) else part for part in content]
    return next(texts) if isinstance(content, str) else content


def _says(part: object) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)
