"""mem0's errors, under mem0's names; each is a `ValueError` and an error of Mnemos too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnemos.errors import InvalidInput, NotFound


class ValidationError(InvalidInput):
    """An argument that mem0 would refuse, with the attributes that mem0's error has."""

    def __init__(
        self, message: str, error_code: str, *, field: str, suggestion: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(field, message, suggestion)
        self.args = (f"{message} {suggestion}",)
        self.message = message
        self.error_code = error_code
        self.suggestion = suggestion
        self.details = dict(details or {})
        self.debug_info: dict[str, Any] = {}


class MemoryNotFoundError(NotFound, ValueError):
    """No memory has this id, or none that the caller may know of."""

    def __init__(self, memory_id: str) -> None:
        super().__init__("memory_id", memory_id)
        self.args = (f"Memory with id {memory_id[:80]} not found; take ids from add, search or get_all",)


def nobody_named() -> ValidationError:
    """The error of a call that does not say whose memories it means."""
    return ValidationError(
        "At least one of 'user_id', 'agent_id', or 'run_id' must be provided.",
        "VALIDATION_001",
        field="user_id",
        suggestion="Say whose memories are meant, for example user_id='ana'.",
    )
