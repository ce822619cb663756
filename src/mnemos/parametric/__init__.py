"""Memories as weights: an adapter of one model, trained from memories and gone with them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnemos.parametric.adapter import AdapterMemory

__all__ = ["AdapterMemory"]


def __getattr__(name: str) -> object:
    """What needs torch is imported when it is first named."""
    if name != "AdapterMemory":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("mnemos.parametric.adapter").AdapterMemory
