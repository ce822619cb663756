"""Choices that are told by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from mnemos.errors import InvalidInput

Known = TypeVar("Known")


def looked_up(field: str, name: str, known: Mapping[str, Known]) -> Known:
    """What has a name.

    Raises:
        InvalidInput: nothing has it.
    """
    if name not in known:
        raise InvalidInput(field, f"{name!r} is not known", f"choose of {', '.join(known)}")
    return known[name]
