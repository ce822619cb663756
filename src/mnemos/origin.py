"""Where a write comes from: the channel that it came through, who wrote it, and how far that writer is trusted.

Held for the code that runs inside a `with`, threads of the async twins included, so that no verb needs an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from mnemos.events import read_trust
from mnemos.namespaces import read_label


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a write comes from."""

    channel: str | None = None
    """What it came through, as `rest`, `mcp` or `cli`; None for a program that uses the library."""
    writer: str | None = None
    """Who wrote it there, as the id of a key; None where nobody is known."""
    trust: float = 1.0
    """The most that what is written is trusted, 0 to 1."""


HEARSAY = 0.9
"""How far what is said of another is trusted, beside what people say of themselves."""

LIBRARY = Origin()
"""What holds where nothing else was said."""

_current: ContextVar[Origin] = ContextVar("mnemos_origin", default=LIBRARY)


def current_origin() -> Origin:
    """Where a write would come from, here and now."""
    return _current.get()


def is_outranked(trust: float, other: float) -> bool:
    """Whether something is clearly trusted less than something else: by more than hearsay alone takes away."""
    return trust < other * HEARSAY


@contextmanager
def writing_as(channel: str | None, writer: str | None = None, trust: float = 1.0) -> Iterator[Origin]:
    """Record with every write inside where it comes from; what is written is trusted at most so far.

    Inside another one its channel and writer hold instead, and never more trust than the outer one gives.

    Args:
        channel: what the writes come through; None where that is unknown.
        writer: who writes there.
        trust: the most that what is written is trusted, 0 to 1.

    Raises:
        InvalidInput: an empty channel or writer, or a trust that is not between 0 and 1.
    """
    origin = Origin(
        channel=None if channel is None else read_label(channel, "channel"),
        writer=None if writer is None else read_label(writer, "writer"),
        trust=min(read_trust(trust, "trust"), current_origin().trust),
    )
    token = _current.set(origin)
    try:
        yield origin
    finally:
        _current.reset(token)
