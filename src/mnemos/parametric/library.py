"""What adapters need of the memory system, and how they find what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mnemos.errors import InvalidInput, NotFound
from mnemos.ids import read_id
from mnemos.llm.question import Ask
from mnemos.records import Memory
from mnemos.store.artifacts import Artifacts

RECIPE = "lora"
"""Of artifacts that are made here."""


class Library(Protocol):
    """What `Mnemos` is to an adapter."""

    artifacts: Artifacts

    def get(self, id: str) -> Memory | None:
        """The memory of an id."""

    def asking(self, job: str) -> Ask | None:
        """How to ask the language model that is configured."""


def read_all(library: Library, ids: object) -> list[Memory]:
    """The memories of these ids, each once.

    Raises:
        NotFound: one is unknown.
        InvalidInput: there are none, or they are of several namespaces.
    """
    if isinstance(ids, str) or not isinstance(ids, Sequence):
        raise InvalidInput("ids", f"is a {type(ids).__name__}", "give a list of ids")
    found = []
    for place, one in enumerate(dict.fromkeys(ids)):
        memory = library.get(read_id(one, f"ids[{place}]"))
        if memory is None:
            raise NotFound("ids", str(one))
        found.append(memory)
    if not found:
        raise InvalidInput("ids", "is empty", "name the memories to learn")
    if len({one.namespace for one in found}) > 1:
        raise InvalidInput("ids", "are of several namespaces", "train one adapter for each namespace")
    return found
