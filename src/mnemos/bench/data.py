"""Reads conversations with questions about them: one JSON object a line, plain or gzip.

A line is `{dataset, id, language, turns: [{id, session, happened_at, speaker, role, text}],
questions: [{id, text, asked_at, category, answer, evidence: [turn ids], evidence_sessions: [session ids]}]}`.
Times are ISO 8601; those without a zone are UTC.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnemos.errors import InvalidInput

FORMAT = "a line is {dataset, id, language, turns: [{id, session, text, …}], questions: [{id, text, category, …}]}"


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of a conversation. Published data hold a few whose text is empty."""

    id: str
    session: str
    text: str
    happened_at: datetime | None = None
    speaker: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a conversation, and the turns and sessions that answer it."""

    id: str
    text: str
    category: str
    asked_at: datetime | None = None
    evidence: tuple[str, ...] = ()
    evidence_sessions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in the order in which they were said, and the questions about them."""

    dataset: str
    id: str
    language: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]

    @property
    def last_time(self) -> datetime | None:
        """The latest time of any turn: when questions without a time of their own are asked."""
        return max((turn.happened_at for turn in self.turns if turn.happened_at), default=None)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A whole file of conversations, with the hash that names its exact bytes."""

    name: str
    sha256: str
    conversations: tuple[Conversation, ...]


def read(path: str | Path) -> DataFile:
    """Read and check every conversation of a file; raise `InvalidInput` naming the line and field at fault."""
    path = Path(path)
    try:
        raw = path.read_bytes()
        body = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(path.name, f"cannot be read ({error})", "name a JSONL file, plain or gzip") from error
    conversations = tuple(_conversations(path.name, body))
    if not conversations:
        raise InvalidInput(path.name, "holds no conversation", FORMAT)
    return DataFile(path.name, hashlib.sha256(raw).hexdigest(), conversations)


def _conversations(name: str, body: bytes) -> Iterator[Conversation]:
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            item = json.loads(line)
        except ValueError as error:
            raise InvalidInput(place, f"is not JSON ({error})", "put one conversation on each line") from error
        yield _conversation(item, place)


def _conversation(item: Any, place: str) -> Conversation:
    fields = _mapping(item, place)
    turns = tuple(_turn(turn, f"{place} turns[{i}]") for i, turn in enumerate(_list(fields, "turns", place)))
    questions = tuple(
        _question(question, f"{place} questions[{i}]") for i, question in enumerate(_list(fields, "questions", place))
    )
    _refuse_repeats([turn.id for turn in turns], f"{place} turns")
    _refuse_repeats([question.id for question in questions], f"{place} questions")
    known = {turn.id for turn in turns}
    for i, question in enumerate(questions):
        for unknown in set(question.evidence) - known:
            raise InvalidInput(
                f"{place} questions[{i}].evidence", f"names no turn: {unknown[:40]!r}", "name turns by their id"
            )
    return Conversation(
        _text(fields, "dataset", place), _text(fields, "id", place), _text(fields, "language", place), turns, questions
    )


def _turn(item: Any, place: str) -> Turn:
    fields = _mapping(item, place)
    return Turn(
        id=_text(fields, "id", place),
        session=_text(fields, "session", place),
        text=_string(fields, "text", place),
        happened_at=_time(fields, "happened_at", place),
        speaker=_optional_text(fields, "speaker", place),
        role=_optional_text(fields, "role", place),
    )


def _question(item: Any, place: str) -> Question:
    fields = _mapping(item, place)
    return Question(
        id=_text(fields, "id", place),
        text=_text(fields, "text", place),
        category=_text(fields, "category", place),
        asked_at=_time(fields, "asked_at", place),
        evidence=_names(fields, "evidence", place),
        evidence_sessions=_names(fields, "evidence_sessions", place),
    )


def _mapping(item: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise InvalidInput(place, f"is a {type(item).__name__}, not an object", FORMAT)
    return item


def _list(fields: Mapping[str, Any], key: str, place: str) -> list[Any]:
    value = fields.get(key)
    if not isinstance(value, list):
        raise InvalidInput(f"{place} {key}", "is missing or no list", FORMAT)
    return value


def _string(fields: Mapping[str, Any], key: str, place: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise InvalidInput(f"{place}.{key}", "is missing or no string", "give a string")
    return value


def _text(fields: Mapping[str, Any], key: str, place: str) -> str:
    value = _string(fields, key, place)
    if not value.strip():
        raise InvalidInput(f"{place}.{key}", "is blank", "give a string with something in it")
    return value


def _optional_text(fields: Mapping[str, Any], key: str, place: str) -> str | None:
    value = fields.get(key)
    return None if value is None else _text(fields, key, place)


def _names(fields: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    values = fields.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidInput(f"{place}.{key}", "is no list of strings", "give a list of ids, which may be empty")
    return tuple(dict.fromkeys(values))


def _time(fields: Mapping[str, Any], key: str, place: str) -> datetime | None:
    value = fields.get(key)
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{place}.{key}", f"is no time: {value!r}", "write ISO 8601, or null") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _refuse_repeats(ids: list[str], place: str) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise InvalidInput(place, f"the id {name[:40]!r} stands twice", "give each its own id")
        seen.add(name)
