"""How a server is."""

from __future__ import annotations

from dataclasses import dataclass

from mnemos.client.calls import Call, read
from mnemos.client.decoding import record
from mnemos.client.verbs import Verb


@dataclass(frozen=True, slots=True)
class Health:
    """That a server answers, and which release it is."""

    status: str
    version: str


class StatusVerbs:
    """What a client asks about the server itself."""

    @Verb
    def health(self) -> Call[Health]:
        """That the server answers; needs no key."""
        return read("GET", "/v1/health", record(Health))
