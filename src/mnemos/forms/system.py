"""What forms need of the memory system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Unpack

from mnemos.arguments import Where
from mnemos.llm.question import Ask
from mnemos.records import Hit, Memory, Page
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

    def search(self, query: str, *, limit: int = 10, offset: int = 0, **where: Unpack[Where]) -> Page[Hit]:
        """The memories that answer a question, best first."""
        ...

    def _count_uses(self, ids: Sequence[str]) -> None:
        """Count a use of each of these memories, outside the durability promise."""
        ...

    def asking(self, job: str) -> Ask | None:
        """How to ask the language model that is configured."""
        ...
