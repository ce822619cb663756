"""Put conversations into the order in which they began: exports list the newest first, a memory is read oldest first.

What was read waits in a temporary file without a name, so that a long history is never in memory as a whole.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

from mnemos.errors import ImportFailed
from mnemos.io.json_stream import read_elements
from mnemos.io.reading import Item, Message, Skipped, mapping_of
from mnemos.io.source import Bundle, Meter

READING = 0.1
"""How much of an import's progress is reading, where nothing can be added before all is read."""
_IN_MEMORY = 1 << 25


class Conversation(NamedTuple):
    """Messages that belong together, and when they began, if that is known."""

    start: datetime | None
    items: list[Item]


def read_conversations(
    bundle: Bundle,
    names: Iterable[str],
    start: Callable[[Mapping[str, Any]], datetime | None],
    read: Callable[[Mapping[str, Any], str], Iterator[Item]],
) -> Iterator[Conversation]:
    """Every conversation in some JSON files of an export, of which each holds a list.

    `start` tells when one began; `read` gives its messages, and is told where it stands.
    """
    for name in names:
        with bundle.text(name, share=READING) as text:
            for number, value in read_elements(text, name):
                talk = mapping_of(value)
                yield Conversation(start(talk), list(read(talk, f"{name}, conversation {number}")))


class _Place(NamedTuple):
    """Where a conversation waits."""

    start: datetime
    offset: int
    length: int


def oldest_first(conversations: Iterable[Conversation], meter: Meter) -> Iterator[Item]:
    """The messages of all conversations, each kept together; what was left out is told as it comes.

    A conversation without a start stays behind the one that it followed. A file that breaks gives what came before.
    """
    places: list[_Place] = []
    failure: ImportFailed | None = None
    start = datetime.min.replace(tzinfo=UTC)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        try:
            for conversation in conversations:
                start = conversation.start or start
                yield from (item for item in conversation.items if isinstance(item, Skipped))
                messages = [item for item in conversation.items if not isinstance(item, Skipped)]
                if messages:
                    places.append(_put(spool, messages, start))
        except ImportFailed as error:
            failure = error
        whole = sum(place.length for place in places)
        read = meter.read
        places.sort(key=lambda place: place.start)
        done = 0
        for place in places:
            yield from _take(spool, place)
            done += place.length
            meter.add(read + (meter.total - read) * done / whole - meter.read)
    if failure is not None:
        raise failure


def _put(spool: IO[bytes], messages: list[Message], start: datetime) -> _Place:
    data = json.dumps(messages, default=datetime.isoformat, separators=(",", ":")).encode()
    try:
        offset = spool.tell()
        spool.write(data)
    except OSError as error:
        raise ImportFailed(f"{tempfile.gettempdir()}: no room for a temporary file ({error}); set TMPDIR") from error
    return _Place(start, offset, len(data))


def _take(spool: IO[bytes], place: _Place) -> Iterator[Message]:
    spool.seek(place.offset)
    messages: list[Message] = json.loads(spool.read(place.length))
    for message in messages:
        if "happened_at" in message:
            message["happened_at"] = datetime.fromisoformat(message["happened_at"])
        yield message
