"""A language model where one is configured: the same records as rules make, with more of them found."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mnemos.llm.budget import Budget

if TYPE_CHECKING:
    from mnemos.llm.client import LanguageModel

__all__ = ["Budget", "LanguageModel"]


def __getattr__(name: str) -> object:
    """The client is imported when it is first named: most programs run without it."""
    if name != "LanguageModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("mnemos.llm.client").LanguageModel
