"""Mnemos: a memory operating system for language models and agents."""

from mnemos._version import __version__
from mnemos.errors import (
    BudgetExceeded,
    CubeRefused,
    EmbedderError,
    ImportFailed,
    InvalidInput,
    LanguageModelError,
    MnemosError,
    NewerSchema,
    NotAStore,
    NotFound,
    ReadOnlyStore,
    StoreBusy,
    StoreError,
    StoreFull,
)
from mnemos.llm.paying import Costs
from mnemos.origin import Origin, current_origin, writing_as
from mnemos.records import Change, Context, ContextItem, Deletion, Form, Forms, Hit, Link, Memory, Move, Page
from mnemos.system import Mnemos
from mnemos.verbs.gating import Kept
from mnemos.verbs.jobs import DeadLetter

__all__ = [
    "BudgetExceeded",
    "Change",
    "Context",
    "ContextItem",
    "Costs",
    "CubeRefused",
    "DeadLetter",
    "Deletion",
    "EmbedderError",
    "Form",
    "Forms",
    "Hit",
    "ImportFailed",
    "InvalidInput",
    "Kept",
    "LanguageModelError",
    "Link",
    "Memory",
    "Mnemos",
    "MnemosError",
    "Move",
    "NewerSchema",
    "NotAStore",
    "NotFound",
    "Origin",
    "Page",
    "ReadOnlyStore",
    "StoreBusy",
    "StoreError",
    "StoreFull",
    "__version__",
    "current_origin",
    "writing_as",
]
