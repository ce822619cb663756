"""What forms need of the memory system."""

from __future__ import annotations

from typing import Protocol, Unpack

from mnemos.arguments import Where
from mnemos.llm.question import Ask
from mnemos.records import Memory, Page
from mnemos.store.artifacts import Artifacts


class System(Protocol):
    """What `Mnemos` is to them."""

    artifacts: Artifacts

    def get(self, id: str) -> Memory | None:
        """The memory of an id, or None."""
        ...

    def list(
        self, *, limit: int = 100, offset: int = 0, after: str | None = None, **where: Unpack[Where]
    ) -> Page[Memory]:
        """Memories in reading order."""
        ...

    def asking(self, job: str) -> Ask | None:
        """How to ask the language model that is configured."""
        ...
