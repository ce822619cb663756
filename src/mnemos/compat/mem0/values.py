"""What mem0's callers give, read: messages, times, dates, numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from mnemos.compat.mem0.errors import ValidationError
from mnemos.errors import InvalidInput
from mnemos.times import from_micros, read_time

UNHEARD = frozenset(("system", "developer"))
"""Roles whose messages instruct a model; they are no part of what was said."""
OWN_KEYS = frozenset(("user_id", "agent_id", "run_id", "actor_id"))
"""What metadata may not say: it is said by arguments."""
EXPIRY = "expiration_date"
"""The entry of the metadata that holds the last day on which a memory is shown."""
PROCEDURAL = "procedural_memory"

log = logging.getLogger("mnemos.compat.mem0")


def read_messages(messages: object) -> list[dict[str, Any]]:
    """The messages to remember: what was said in words, by anyone but the system.

    Raises:
        ValidationError: it is not text, a message or a list of messages.
    """
    if isinstance(messages, str | Mapping):
        return _read_message(messages)
    if not isinstance(messages, Sequence) or isinstance(messages, bytes | bytearray):
        raise ValidationError(
            "messages must be str, dict, or list[dict]",
            "VALIDATION_003",
            field="messages",
            suggestion="Convert your input to a string, dictionary, or list of dictionaries.",
            details={"provided_type": type(messages).__name__},
        )
    return [read for message in messages for read in _read_message(message)]


def _read_message(message: object) -> list[dict[str, Any]]:
    if isinstance(message, str):
        return [{"role": "user", "content": message}] if message.strip() else []
    if not isinstance(message, Mapping):
        log.warning("a message that is a %s was left out", type(message).__name__)
        return []
    role, name = message.get("role") or "user", message.get("name")
    content = _words(message.get("content"))
    if role in UNHEARD or not content.strip():
        return []
    return [{"role": role, "content": content, **({"name": name} if name else {})}]


def _words(content: object) -> str:
    """The words of a message's content; pictures are not read."""
    if isinstance(content, list):
        texts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        return "\n".join(text for text in texts if isinstance(text, str))
    if content is None or isinstance(content, Mapping):
        return ""
    if not isinstance(content, str):
        raise InvalidInput("messages", f"have content that is a {type(content).__name__}", "give text")
    return content


def read_metadata(metadata: object, *, field: str = "metadata") -> dict[str, Any]:
    """The metadata of a call, without the ids that only arguments can set."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise InvalidInput(field, f"is a {type(metadata).__name__}", "give a mapping with string keys")
    for name in sorted(OWN_KEYS & metadata.keys()):
        log.warning("metadata[%r] was left out: give it as an argument", name)
    return {name: value for name, value in metadata.items() if name not in OWN_KEYS}


def read_moment(value: object, field: str) -> datetime:
    """A time as mem0's callers write it: seconds or milliseconds since 1970, ISO 8601 text, a date; UTC by default."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if abs(value) > 1e11 else value
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            raise InvalidInput(field, "is out of range", "use years 1 to 9999 in UTC") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return from_micros(read_time(value, field, UTC))


def read_expiry(value: object) -> str | None:
    """The last day on which a memory is shown, as `YYYY-MM-DD`; None for ever."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(value).isoformat()  # type: ignore[arg-type]  # what is no text is refused below
    except (TypeError, ValueError):
        raise InvalidInput(EXPIRY, "is not a date", "write it as YYYY-MM-DD") from None


def read_procedural(memory_type: object) -> bool:
    """Whether a call adds what mem0 calls a procedural memory.

    Raises:
        ValidationError: it names another type.
    """
    if memory_type not in (None, PROCEDURAL):
        raise ValidationError(
            f"Invalid 'memory_type'. Please pass {PROCEDURAL} to create procedural memories.",
            "VALIDATION_002",
            field="memory_type",
            suggestion=f"Use '{PROCEDURAL}' or leave it out.",
            details={"provided_type": str(memory_type)[:80], "valid_type": PROCEDURAL},
        )
    return memory_type is not None


def read_threshold(threshold: object) -> float | None:
    """The least score of a result, 0 to 1; None for any."""
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise InvalidInput("threshold", f"{str(threshold)[:40]!r} is not between 0 and 1", "give a number, or None")
    return float(threshold)


def is_expired(metadata: Mapping[str, Any], today: str) -> bool:
    """Whether a memory's last day is over."""
    last = metadata.get(EXPIRY)
    return isinstance(last, str) and last < today
