"""Mnemos: a memory operating system for language models and agents."""

from mnemos._version import __version__
from mnemos.errors import (
    EmbedderError,
    ImportFailed,
    InvalidInput,
    MnemosError,
    NewerSchema,
    NotAStore,
    NotFound,
    ReadOnlyStore,
    StoreBusy,
    StoreError,
    StoreFull,
)
from mnemos.records import Change, Context, ContextItem, Deletion, Hit, Link, Memory, Page
from mnemos.system import Mnemos

__all__ = [
    "Change",
    "Context",
    "ContextItem",
    "Deletion",
    "EmbedderError",
    "Hit",
    "ImportFailed",
    "InvalidInput",
    "Link",
    "Memory",
    "Mnemos",
    "MnemosError",
    "NewerSchema",
    "NotAStore",
    "NotFound",
    "Page",
    "ReadOnlyStore",
    "StoreBusy",
    "StoreError",
    "StoreFull",
    "__version__",
]
