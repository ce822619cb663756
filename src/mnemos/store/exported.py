"""What the lines of an export hold, and their check before any of it is put back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mnemos.errors import InvalidInput
from mnemos.records import KINDS
from mnemos.times import to_micros

_FIRST, _LAST = to_micros(datetime.min.replace(tzinfo=UTC)), to_micros(datetime.max.replace(tzinfo=UTC))
OPS = ("add", "update", "delete", "link")

_TEXT = (str,)
_MAYBE_TEXT = (str, type(None))
_WHOLE = (int,)
_MAYBE_WHOLE = (int, type(None))
_NUMBER = (int, float)
_MAYBE_NUMBER = (int, float, type(None))
_MAYBE_OBJECT = (dict, type(None))
ENTRY_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "id": _TEXT, "namespace": (list,), "op": _TEXT, "kind": _TEXT, "at": _WHOLE,
    "happened_at": _MAYBE_WHOLE, "text": _MAYBE_TEXT, "body": _MAYBE_OBJECT, "digest": _MAYBE_TEXT,
    "channel": _MAYBE_TEXT, "writer": _MAYBE_TEXT,
}  # fmt: skip
DERIVED_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "id": _TEXT, "namespace": (list,), "kind": _TEXT, "text": _TEXT, "happened_at": _MAYBE_WHOLE,
    "valid_at": _MAYBE_WHOLE, "invalid_at": _MAYBE_WHOLE, "created_at": _WHOLE, "updated_at": _WHOLE,
    "expired_at": _MAYBE_WHOLE, "metadata": _MAYBE_OBJECT, "recipe": _MAYBE_TEXT, "topic": _MAYBE_TEXT,
    "hidden": _WHOLE, "trust": _NUMBER, "version": _WHOLE, "sources": (list,),
    "speaker": _MAYBE_TEXT, "session_id": _MAYBE_TEXT, "agent_id": _MAYBE_TEXT,
    "channel": _MAYBE_TEXT, "writer": _MAYBE_TEXT,
}  # fmt: skip
LATER: Mapping[str, tuple[str, ...]] = {
    "entry": ("channel", "writer"),
    "derived": ("speaker", "session_id", "agent_id", "channel", "writer"),
}
"""Fields of each type of line that exports of earlier releases do not have."""
USES_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "id": _TEXT, "strength": _NUMBER, "uses": _WHOLE, "last_used_at": _MAYBE_WHOLE,
    "expires_at": _MAYBE_WHOLE,
}  # fmt: skip
JUDGED_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "id": _TEXT, "resting": _MAYBE_TEXT, "pinned": _WHOLE, "salience": _MAYBE_NUMBER,
}  # fmt: skip
DECISION_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "id": _TEXT, "memory": _TEXT, "op": _TEXT, "policy": _TEXT, "other": _MAYBE_TEXT,
    "detail": _MAYBE_OBJECT, "at": _WHOLE, "undone_at": _MAYBE_WHOLE,
}  # fmt: skip
FEEDBACK_FIELDS: Mapping[str, tuple[type, ...]] = {
    "type": _TEXT, "namespace": (list,), "weights": (dict,), "count": _WHOLE, "updated_at": _WHOLE,
}  # fmt: skip
FORM_FIELDS: Mapping[str, tuple[type, ...]] = {"type": _TEXT, "memory": _TEXT, "form": _TEXT, "at": _WHOLE}
FIELDS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "entry": ENTRY_FIELDS,
    "derived": DERIVED_FIELDS,
    "uses": USES_FIELDS,
    "judged": JUDGED_FIELDS,
    "decision": DECISION_FIELDS,
    "feedback": FEEDBACK_FIELDS,
    "form": FORM_FIELDS,
}
"""Of each type of line, its fields and what they may be."""

BODY_FIELDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("speaker", "role", "session_id", "agent_id", "source_id", "key"), _MAYBE_TEXT),
    **dict.fromkeys(("valid_at", "invalid_at", "happened_at", "ttl"), _MAYBE_WHOLE),
    "trust": _NUMBER,
    "metadata": _MAYBE_OBJECT,
    "texts": (list, type(None)),
    "masked": (list,),
    "value": (object,),
}
LINK_FIELDS: Mapping[str, tuple[type, ...]] = {"target": _TEXT, "relation": _TEXT, "weight": _NUMBER}

MEND = "export the store again"


def read_line(entry: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """A line of an export with all the fields of its type; refused where one is missing, unknown or of another type."""
    kind = entry.get("type")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise InvalidInput(f"{field}.type", f"{str(kind)[:40]!r} is unknown", MEND)
    if kind in LATER:
        entry = {**dict.fromkeys(LATER[kind]), **entry}
    check_types(entry, FIELDS[kind], field)
    return entry


def check_types(entry: Mapping[str, Any], types: Mapping[str, tuple[type, ...]], field: str) -> None:
    """Refuse a line that lacks a field, has one too many, or a value of another type."""
    if entry.keys() != types.keys():
        wrong = ", ".join(sorted(map(str, entry.keys() ^ types.keys())))[:200]
        raise InvalidInput(field, f"has missing or unknown fields ({wrong})", MEND)
    for name, allowed in types.items():
        _check_type(entry[name], allowed, f"{field}.{name}")


def _check_type(value: object, allowed: tuple[type, ...], field: str) -> None:
    if not isinstance(value, allowed) or (isinstance(value, bool) and object not in allowed):
        raise InvalidInput(field, f"is a {type(value).__name__}", MEND)
    if isinstance(value, int) and int in allowed and not _FIRST <= value <= _LAST:
        raise InvalidInput(field, "is out of range", MEND)
    if isinstance(value, str) and "\x00" in value:
        raise InvalidInput(field, "holds a NUL character", MEND)


def _check_body(entry: Mapping[str, Any], field: str) -> None:
    body = entry["body"] or {}
    types = LINK_FIELDS if entry["op"] == "link" else BODY_FIELDS
    if body and types is LINK_FIELDS and body.keys() != types.keys():
        raise InvalidInput(field, "is not that of a link", MEND)
    for name, value in body.items():
        if name not in types:
            raise InvalidInput(f"{field}.{name[:60]}", "is unknown", MEND)
        _check_type(value, types[name], f"{field}.{name}")
    for name in ("texts", "masked"):
        for text in body.get(name) or ():
            _check_type(text, _TEXT, f"{field}.{name}")


def check_entry(entry: Mapping[str, Any], field: str) -> None:
    """Refuse a log entry that no store could have written."""
    if entry["op"] not in OPS:
        raise InvalidInput(f"{field}.op", f"{entry['op'][:40]!r} is unknown", MEND)
    if entry["kind"] not in KINDS:
        raise InvalidInput(f"{field}.kind", f"{entry['kind'][:40]!r} is not a kind", MEND)
    _check_body(entry, f"{field}.body")
    check_writable(entry, field)


def check_writable(entry: Mapping[str, Any], field: str) -> None:
    """Refuse a line with text, or a number, that cannot be written again."""
    try:
        json.dumps(entry, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise InvalidInput(field, "holds a lone surrogate", MEND) from None
    except ValueError:
        raise InvalidInput(field, "holds a number that is none", MEND) from None


def read_digest(digest: str, field: str) -> bytes:
    """The bytes of a digest in hexadecimal."""
    try:
        return bytes.fromhex(digest)
    except ValueError:
        raise InvalidInput(f"{field}.digest", "is not hexadecimal", MEND) from None
