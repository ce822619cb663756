"""The shapes of answers, and their strict reading: what does not hold up is refused item by item, the rest kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from mnemos.times import to_micros

LONGEST_TEXT = 400
"""Characters of one statement or sentence."""
LONGEST_TERM = 200
"""Characters of a subject, relation or object."""
MOST_ITEMS = 100
MOST_CITED = 6

Op = Literal["ADD", "UPDATE", "DELETE", "NOOP"]
OPS: tuple[Op, ...] = ("ADD", "UPDATE", "DELETE", "NOOP")

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)?)?")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def _object(**properties: Any) -> dict[str, Any]:
    names = list(properties)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_OPTIONAL = {"type": ["string", "null"]}

STATEMENTS = _object(
    statements=_list(
        _object(
            text=_STRING,
            subject=_STRING,
            relation=_STRING,
            object=_STRING,
            single=_BOOLEAN,
            negated=_BOOLEAN,
            valid_from=_OPTIONAL,
            valid_until=_OPTIONAL,
            sources=_list(_STRING),
        )
    )
)
DECISIONS = _object(
    decisions=_list(_object(statement=_STRING, op={"type": "string", "enum": list(OPS)}, facts=_list(_STRING)))
)
SENTENCES = _object(sentences=_list(_object(text=_STRING, members=_list(_STRING))))


class Refused(Exception):
    """Why one item of an answer is not taken; holds no word of it."""


class Unfounded(Refused):
    """It is well formed, but its words are not those of what it cites: that is our judgement, and may be wrong."""


class Claim(NamedTuple):
    """A statement as the model made it. Times are microseconds; `sources` are labels."""

    text: str
    subject: str
    relation: str
    object: str
    single: bool
    negated: bool
    valid_at: int | None
    invalid_at: int | None
    sources: tuple[str, ...]


class Choice(NamedTuple):
    """What to do with one statement, by labels."""

    statement: str
    op: Op
    facts: tuple[str, ...]


class Sentence(NamedTuple):
    """A sentence and the labels that it cites."""

    text: str
    members: tuple[str, ...]


def items_of(answer: Mapping[str, Any], name: str, refused: Counter[str]) -> list[Mapping[str, Any]]:
    """The items of the list that an answer holds; what is no object, or one too many, is counted in `refused`."""
    found = answer.get(name)
    if not isinstance(found, list):
        refused["not a list"] += 1
        return []
    items: list[Mapping[str, Any]] = [item for item in found[:MOST_ITEMS] if isinstance(item, dict)]
    if len(found) > len(items):
        refused["not an object, or one of too many"] += len(found) - len(items)
    return items


def read_claim(item: Mapping[str, Any], labels: Collection[str]) -> Claim:
    """One statement; raises Refused."""
    valid_at, invalid_at = _time(item, "valid_from"), _time(item, "valid_until")
    if valid_at is not None and invalid_at is not None and invalid_at <= valid_at:
        raise Refused("it ends before it begins")
    return Claim(
        text=_text(item, "text", LONGEST_TEXT),
        subject=_text(item, "subject", LONGEST_TERM),
        relation=_text(item, "relation", LONGEST_TERM),
        object=_text(item, "object", LONGEST_TERM, may_be_empty=True),
        single=_flag(item, "single"),
        negated=_flag(item, "negated"),
        valid_at=valid_at,
        invalid_at=invalid_at,
        sources=_labels(item, "sources", labels),
    )


def read_choice(item: Mapping[str, Any], statements: Collection[str], facts: Collection[str]) -> Choice:
    """One decision; raises Refused."""
    statement, op = item.get("statement"), item.get("op")
    if not isinstance(statement, str) or statement not in statements:
        raise Refused("an id that was not given")
    if op not in OPS:
        raise Refused("no operation")
    return Choice(statement, op, () if op == "ADD" else _labels(item, "facts", facts))


def read_sentence(item: Mapping[str, Any], labels: Collection[str]) -> Sentence:
    """One sentence; raises Refused."""
    return Sentence(_text(item, "text", LONGEST_TEXT), _labels(item, "members", labels))


def _text(item: Mapping[str, Any], name: str, longest: int, *, may_be_empty: bool = False) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise Refused(f"{name} is no text")
    words = " ".join(_UNPRINTABLE.sub(" ", value).split())
    if not words and not may_be_empty:
        raise Refused(f"{name} is empty")
    if len(words) > longest:
        raise Refused(f"{name} is too long")
    return words


def _flag(item: Mapping[str, Any], name: str) -> bool:
    value = item.get(name, False)
    if not isinstance(value, bool):
        raise Refused(f"{name} is neither true nor false")
    return value


def _labels(item: Mapping[str, Any], name: str, known: Collection[str]) -> tuple[str, ...]:
    value = item.get(name)
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise Refused(f"{name} is no list of ids")
    labels = tuple(dict.fromkeys(value))
    if not labels or len(labels) > MOST_CITED:
        raise Refused(f"{name} names none, or too many")
    if any(label not in known for label in labels):
        raise Refused("an id that was not given")
    return labels


def _time(item: Mapping[str, Any], name: str) -> int | None:
    value = item.get(name)
    if value is None or value == "":
        return None
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if found is not None:
            year, month, day = (int(part) if part else 1 for part in found.groups())
            return to_micros(datetime(year, month, day, tzinfo=UTC))
    except (ValueError, OverflowError):
        pass
    raise Refused(f"{name} is no date")
