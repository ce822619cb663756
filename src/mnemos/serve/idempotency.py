"""Writes that come again: what a request with an `Idempotency-Key` did is noted, so that a repeat of it does nothing.

What is noted for a day is ids and counts from which the answer is made again, never a word. The request itself is told
from others by an HMAC whose secret is the caller's key; of that only a digest is kept, so that nobody who reads the
file can try words against it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mnemos.errors import InvalidInput, MnemosError
from mnemos.serve.ledger import Ledger

KEPT = 24 * 3600 * 1_000_000
"""Microseconds for which a repeat is known as one."""
HEADER = "Idempotency-Key"
INTERRUPTED = 0
"""Stands for the status of a request that a server did not live to answer."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class InHand(MnemosError):
    """The first request with this key is not answered yet."""


class DeletedSince(MnemosError):
    """The request was carried out before, and what it made was deleted since."""


@dataclass(frozen=True, slots=True)
class Write:
    """A request that may come again."""

    name: bytes
    """A digest of who sent it and of its key."""
    request: bytes
    """An HMAC of what it says."""

    @property
    def mark(self) -> str:
        """What tells this request from every other, also in a store."""
        return self.request.hex()


def read_write(key: str, sender: tuple[str, str | None], said: tuple[str, bytes]) -> Write:
    """The write of an `Idempotency-Key`, of who sends it (tenant and key's id) and what is said (target and body)."""
    if not _KEY.fullmatch(key):
        raise InvalidInput(HEADER, "is not 1 to 255 visible ASCII characters", "send a random one, such as a UUID")
    whose = json.dumps([*sender, key]).encode()
    target, body = said
    told = hmac.digest(whose, len(target.encode()).to_bytes(8, "big") + target.encode() + body, "sha256")
    return Write(hashlib.sha256(whose).digest(), told)


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known of a write when it comes."""

    answered: bool = False
    """Whether it was carried out."""
    detail: Any = None
    """What was noted then."""
    interrupted: bool = False
    """Whether a server took it in hand and did not live to answer: it may have been carried out."""


class Answered:
    """What was answered to writes with a key, in the server's ledger."""

    def __init__(self, ledger: Ledger, now: Callable[[], int]) -> None:
        self._ledger = ledger
        self._now = now
        with ledger.write() as connection:
            connection.execute("UPDATE answered SET status = ? WHERE status IS NULL", (INTERRUPTED,))

    def begin(self, write: Write) -> Begun:
        """Take a write in hand, unless it was carried out.

        Raises:
            InHand: it is in hand already.
            InvalidInput: its key came with another request.
        """
        now = self._now()
        with self._ledger.write() as connection:
            connection.execute("DELETE FROM answered WHERE at < ?", (now - KEPT,))
            query = "SELECT request, status, detail FROM answered WHERE key = ?"
            row = connection.execute(query, (write.name,)).fetchone()
            if row is None:
                values = (write.name, write.request, now)
                connection.execute("INSERT INTO answered (key, request, at) VALUES (?, ?, ?)", values)
                return Begun()
            if not hmac.compare_digest(row[0], write.request):
                raise InvalidInput(HEADER, "came before with another request", "send a new one with each new request")
            if row[1] is None:
                raise InHand("the first request with this Idempotency-Key is still in hand; ask again in a moment")
            if row[1] != INTERRUPTED:
                return Begun(answered=True, detail=json.loads(row[2]))
            connection.execute("UPDATE answered SET status = NULL WHERE key = ?", (write.name,))
            return Begun(interrupted=True)

    def done(self, write: Write, status: int, detail: object) -> None:
        """Note what a write came to."""
        with self._ledger.write() as connection:
            values = (status, json.dumps(detail), write.name)
            connection.execute("UPDATE answered SET status = ?, detail = ? WHERE key = ?", values)

    def refused(self, write: Write) -> None:
        """Forget a write that failed and changed nothing; its key may come again."""
        with self._ledger.write() as connection:
            connection.execute("DELETE FROM answered WHERE key = ?", (write.name,))
