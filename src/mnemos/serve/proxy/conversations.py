"""Which conversation a request goes on with, and whether what it says was said before: by digests, never by words.

A client sends the whole list of messages every time, sends it again when it gave up waiting, and again after each call
of a tool. So what is learnt is named by a digest of the conversation up to it. Two conversations that begin with the
same words are told apart by when they began: a first message that comes again after `AGAIN` begins another one.
"""

from __future__ import annotations

import hashlib

from mnemos.serve.ledger import Ledger

AGAIN = 900 * 1_000_000
"""Microseconds after which the same first message is a new one, rather than the same sent again."""
KEPT = 90 * 86_400 * 1_000_000
"""Microseconds for which a conversation is known after it was last heard of."""


class Conversations:
    """When each conversation began."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def began(self, name: bytes, now: int, *, may_begin: bool) -> int:
        """When the conversation of a name began: now, where it is new, or where a first message comes again."""
        with self._ledger.write() as connection:
            row = connection.execute("SELECT began, heard FROM conversations WHERE name = ?", (name,)).fetchone()
            if row is None:
                connection.execute("DELETE FROM conversations WHERE heard < ?", (now - KEPT,))
            began = now if row is None or (may_begin and now - row[1] > AGAIN) else int(row[0])
            connection.execute("INSERT OR REPLACE INTO conversations VALUES (?, ?, ?)", (name, began, now))
        return began


def digest(*parts: str | bytes) -> str:
    """A name of what the parts say, in order."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode()
        found.update(len(raw).to_bytes(8, "big") + raw)
    return found.hexdigest()
