"""What `add` was given, checked and in one shape: the event that goes into the log."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, get_args

from mnemos.errors import InvalidInput
from mnemos.namespaces import namespace_key, read_label
from mnemos.records import LEVELS, Kind, Namespace
from mnemos.times import read_optional_time

MAX_TEXT = 10_000_000
"""Characters in one text."""
MAX_METADATA = 1_000_000
"""Bytes of JSON in one message's metadata, or in one item's value."""

MESSAGE_FIELDS = frozenset(
    "role content name happened_at metadata session_id kind source_id idempotency_key valid_at invalid_at trust".split()
)
MAX_NESTING = 100
"""Lists and mappings inside one another in metadata or an item's value."""

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""An escaped NUL in JSON, and not an escaped backslash before `u0000`."""
LOGGED_KINDS: frozenset[str] = frozenset(get_args(Kind)) - {*LEVELS, "item"}


@dataclass(frozen=True, slots=True)
class Event:
    """One observed thing, ready for the log. Times are microseconds since 1970 UTC."""

    namespace: Namespace
    kind: Kind
    text: str
    speaker: str | None = None
    role: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    happened_at: int | None = None
    valid_at: int | None = None
    invalid_at: int | None = None
    trust: float = 1.0
    metadata: Mapping[str, Any] | None = None
    source_id: str | None = None
    key: str | None = None
    value: Any = None
    texts: tuple[str, ...] | None = None
    """For an item: the texts under which it is found; joined by newlines they are `text`."""
    ttl: int | None = None
    """For an item: microseconds until it expires, counted again from each read that refreshes it."""
    digest: bytes | None = None
    """What makes a repeat of this event recognisable; None where nothing does."""
    masked: tuple[str, ...] = ()
    """Kinds of secrets that were taken out of it."""


Scan = Callable[[Event, str], Event]
"""Masks or refuses the secrets of an event, which has no digest of its words yet; the text names its field."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for every message of one `add` call that does not say otherwise."""

    namespace: Namespace
    kind: Kind = "turn"
    session_id: str | None = None
    agent_id: str | None = None
    happened_at: int | None = None
    name: str | None = None
    role: str | None = None
    metadata: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    trust: float = 1.0
    """The most that a message is trusted, whatever it says itself."""
    zone: tzinfo | None = None
    scan: Scan | None = None


def read_events(messages: object, defaults: Defaults) -> list[Event]:
    """The events of one `add` call, in order, each with the digest that makes a repeat of it recognisable."""
    if isinstance(messages, str | Mapping):
        events = [_read_message(messages, "message", 0, defaults)]
    elif isinstance(messages, Sequence) and not isinstance(messages, bytes | bytearray):
        events = [_read_message(m, f"messages[{i}]", i, defaults) for i, m in enumerate(messages)]
    else:
        raise InvalidInput(
            "messages", f"is a {type(messages).__name__}", "give a string, one message, or a list of messages"
        )
    return list(_with_digests(events))


def _read_message(message: object, field: str, place: int, defaults: Defaults) -> Event:
    if isinstance(message, str):
        fields: Mapping[Any, Any] = {"content": message}
    elif isinstance(message, Mapping):
        fields = message
    else:
        raise InvalidInput(field, f"is a {type(message).__name__}", "give a string or a mapping with 'content'")
    unknown = fields.keys() - MESSAGE_FIELDS
    if unknown:
        name = min(map(str, unknown))
        raise InvalidInput(
            f"{field}.{name[:60]}", "is not a field of a message", "put it into 'metadata', or remove it"
        )
    if "content" not in fields:
        raise InvalidInput(f"{field}.content", "is missing", "give the text of the message")
    zone = defaults.zone
    happened_at = read_optional_time(fields.get("happened_at"), f"{field}.happened_at", zone)
    key = _optional_label(fields.get("idempotency_key"), f"{field}.idempotency_key")
    if key is None and defaults.idempotency_key is not None:
        key = f"{defaults.idempotency_key}\n{place}" if place else defaults.idempotency_key
    source_id = _optional_label(fields.get("source_id"), f"{field}.source_id")
    event = Event(
        namespace=defaults.namespace,
        kind=read_kind(fields.get("kind", defaults.kind), f"{field}.kind"),
        text=read_text(_plain(fields["content"], f"{field}.content"), f"{field}.content"),
        speaker=_optional_label(fields.get("name", defaults.name), f"{field}.name"),
        role=_optional_label(fields.get("role", defaults.role), f"{field}.role"),
        session_id=_optional_label(fields.get("session_id", defaults.session_id), f"{field}.session_id"),
        agent_id=defaults.agent_id,
        happened_at=defaults.happened_at if happened_at is None else happened_at,
        valid_at=read_optional_time(fields.get("valid_at"), f"{field}.valid_at", zone),
        invalid_at=read_optional_time(fields.get("invalid_at"), f"{field}.invalid_at", zone),
        trust=min(read_trust(fields.get("trust", 1.0), f"{field}.trust"), defaults.trust),
        metadata=read_metadata(fields.get("metadata", defaults.metadata), f"{field}.metadata"),
        source_id=source_id,
        digest=_named_digest(defaults.namespace, source_id, key),
    )
    return event if defaults.scan is None else defaults.scan(event, f"{field}.")


def _plain(content: object, field: str) -> object:
    """The text of a message's content: text, or a list of text parts as OpenAI's messages have them."""
    if not isinstance(content, list):
        return content
    parts = []
    for place, part in enumerate(content):
        text = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(text, str):
            raise InvalidInput(f"{field}[{place}]", "is not a text part", "give {'type': 'text', 'text': …} parts")
        parts.append(text)
    return "\n".join(parts)


def read_text(value: object, field: str) -> str:
    """Text that can be remembered: not blank, no NUL, valid Unicode, at most ten million characters."""
    if isinstance(value, bytes | bytearray):
        raise InvalidInput(field, "is bytes", "decode it first: value.decode('utf-8')")
    if not isinstance(value, str):
        raise InvalidInput(field, f"is a {type(value).__name__}, not text", "give a string")
    if not value or value.isspace():
        raise InvalidInput(field, "is empty", "give some text")
    if len(value) > MAX_TEXT:
        raise InvalidInput(field, f"has {len(value):,} characters", f"split it; at most {MAX_TEXT:,} are kept as one")
    if "\x00" in value:
        raise InvalidInput(field, "holds a NUL character", "remove it: value.replace('\\0', '')")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(
            field, "is broken Unicode (a lone surrogate)", "decode the source with errors='replace'"
        ) from None
    return value


def read_kind(value: object, field: str) -> Kind:
    """A kind that `add` takes."""
    if not isinstance(value, str) or value not in LOGGED_KINDS:
        mend = "use put() for items" if value == "item" else f"use one of {', '.join(sorted(LOGGED_KINDS))}"
        raise InvalidInput(field, f"{str(value)[:40]!r} is not a kind that can be added", mend)
    return value  # type: ignore[return-value]  # checked against the literal's values


def read_trust(value: object, field: str) -> float:
    """How far a source is trusted, 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(field, f"{str(value)[:40]!r} is not between 0 and 1", "give a number from 0 to 1")
    return float(value)


def read_metadata(value: object, field: str) -> Mapping[str, Any] | None:
    """A JSON object of at most 1 MB, or None."""
    if not value and (value is None or isinstance(value, Mapping)):
        return None
    if not isinstance(value, Mapping):
        raise InvalidInput(field, f"is a {type(value).__name__}", "give a mapping with string keys")
    if not all(isinstance(key, str) for key in value):
        raise InvalidInput(field, "has a key that is not text", "use string keys")
    plain: Mapping[str, Any] = json.loads(dump_json(dict(value), field))
    return plain


def compact_json(value: object) -> str:
    """JSON of what has been checked already."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dump_json(value: object, field: str) -> str:
    """Compact JSON of a user's value, or a clear refusal."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(field, f"is not JSON ({error})", "use strings, numbers, lists and mappings") from error
    if size > MAX_METADATA:
        raise InvalidInput(field, f"is {size:,} bytes of JSON", f"keep it to {MAX_METADATA:,}")
    if _NUL.search(text):
        raise InvalidInput(field, "holds a NUL character", "remove it")
    if text.count("[") + text.count("{") > MAX_NESTING and _depth(value) > MAX_NESTING:
        raise InvalidInput(field, f"is nested deeper than {MAX_NESTING}", "flatten it")
    return text


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, Mapping | list | tuple)]:
        depth += 1
        level = [part for parts in level for part in (parts.values() if isinstance(parts, Mapping) else parts)]
    return depth


def _optional_label(value: object, field: str) -> str | None:
    return None if value is None else read_label(value, field)


def _named_digest(namespace: Namespace, source_id: str | None, key: str | None) -> bytes | None:
    if key is not None:
        return _digest("key", namespace_key(namespace), key)
    if source_id is not None:
        return _digest("source", namespace_key(namespace), source_id)
    return None


def _with_digests(events: Sequence[Event]) -> Iterator[Event]:
    """Give each dated event its digest: what it says, and its ordinal among equals of the same call."""
    seen: Counter[bytes] = Counter()
    for event in events:
        if event.digest is not None or event.happened_at is None:
            yield event
            continue
        base = _digest(
            "event",
            namespace_key(event.namespace),
            event.kind,
            *(value if value is None else str(value) for value in (event.session_id, event.role, event.speaker)),
            str(event.happened_at),
            event.text,
        )
        ordinal = seen[base]
        seen[base] += 1
        yield replace(event, digest=_digest("ordinal", base.hex(), str(ordinal)))


def _digest(*parts: str | None) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = b"" if part is None else part.encode()
        digest.update((-1 if part is None else len(raw)).to_bytes(8, "big", signed=True) + raw)
    return digest.digest()
