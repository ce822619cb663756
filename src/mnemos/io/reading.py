"""What every importer shares: its options, what it yields, and how text, ids and times are tidied."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, get_args

from mnemos.errors import InvalidInput
from mnemos.events import MAX_TEXT
from mnemos.namespaces import MAX_LABEL_BYTES

Message = dict[str, Any]
"""What `Mnemos.add` takes, with a `source_id`."""

DateOrder = Literal["dmy", "mdy", "ymd"]
DATE_ORDERS: tuple[DateOrder, ...] = get_args(DateOrder)

_BROKEN = re.compile("[\x00\ud800-\udfff]")
_LABELS = ("name", "role", "session_id", "source_id")

NO_TEXT = "no text"
BAD_TIME = "time that could not be read (its message is kept, undated)"
TOO_LONG = f"text of more than {MAX_TEXT:,} characters"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left out: why, where, and how many times."""

    reason: str
    where: str = ""
    count: int = 1


Item = Message | Skipped


@dataclass(frozen=True, slots=True)
class Options:
    """What a reader may need to be told."""

    zone: tzinfo | None = None
    date_order: DateOrder | None = None
    strict: bool = False
    """Stop at the first thing that cannot be read, instead of counting it."""


def read_date_order(value: object) -> DateOrder | None:
    """A date order as a user gave it."""
    if value is None or value in DATE_ORDERS:
        return value
    raise InvalidInput("date_order", f"is {str(value)[:20]!r}", f"use one of {', '.join(DATE_ORDERS)}")


def tidy(message: Message, where: str = "") -> Item:
    """The message without what a store cannot hold (NUL, broken Unicode), or why there is nothing to keep."""
    text = mend(message["content"])
    if not text or text.isspace():
        return Skipped(NO_TEXT, where)
    if len(text) > MAX_TEXT:
        return Skipped(TOO_LONG, where)
    message["content"] = text
    for field in _LABELS:
        value = message.get(field)
        if value is not None:
            if label := short_label(mend(value)):
                message[field] = label
            else:
                del message[field]
    if metadata := message.get("metadata"):
        message["metadata"] = mend_json(metadata)
    return message


def mend(text: str) -> str:
    """Text without NUL and with a replacement character for each lone surrogate."""
    if not _BROKEN.search(text):
        return text
    joined = text.replace("\x00", "").encode("utf-16-le", "surrogatepass")
    return joined.decode("utf-16-le", "replace")


def mend_json(value: Any) -> Any:
    """The same for every text in a JSON value."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, Mapping):
        return {mend(str(key)): mend_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [mend_json(inner) for inner in value]
    return value


def short_label(text: str) -> str:
    """A name or id no longer than a store accepts; a longer one keeps its beginning and a hash of the whole."""
    text = text.strip()
    if len(text) * 4 <= MAX_LABEL_BYTES or len(text.encode()) <= MAX_LABEL_BYTES:
        return text
    start = text.encode()[: MAX_LABEL_BYTES - 33].decode(errors="ignore")
    return f"{start}~{stable_hash(text)}"


def stable_hash(*parts: str | None) -> str:
    """32 hexadecimal digits that stand for these texts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = (part or "").encode(errors="surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


class Ordinals:
    """Ids for messages that have none: a hash of what they say, and their ordinal among equals of the file."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._seen: Counter[int] = Counter()

    def source_id(self, *parts: str | None) -> str:
        """The id of the next message that says this."""
        digest = stable_hash(*parts)
        key = int(digest[:15], 16)
        self._seen[key] += 1
        count = self._seen[key]
        return f"{self._prefix}:{digest}" if count == 1 else f"{self._prefix}:{digest}:{count}"


def from_epoch(seconds: object) -> datetime | None:
    """The time of a Unix timestamp in seconds; None where it is not one, or before 1971 (a zero)."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
        return None
    try:
        value = float(seconds)
        return datetime.fromtimestamp(value, UTC) if value > 31_536_000 else None
    except (ValueError, OverflowError, OSError):
        return None


def from_iso(text: object) -> datetime | None:
    """The aware time of ISO 8601 text; None where it is not that, or has no zone."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def text_of(value: object) -> str:
    """The value where it is text, else nothing."""
    return value if isinstance(value, str) else ""


def mapping_of(value: object) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def first_key(head: str, names: frozenset[str]) -> str | None:
    """Which of these JSON keys comes first in the text."""
    for found in re.finditer(r'(?<!\\)"(\w+)"\s*:', head):
        if found[1] in names:
            return found[1]
    return None
