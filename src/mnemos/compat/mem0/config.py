"""mem0's configuration: what of it means something here, and a store opened with that."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from mnemos.errors import InvalidInput
from mnemos.llm import LanguageModel
from mnemos.system import Mnemos

PATH_VARIABLE, DEFAULT_PATH = "MNEMOS_STORE", "mnemos.db"

log = logging.getLogger("mnemos.compat.mem0")
_told: set[str] = set()


def open_store(config: object) -> Mnemos:
    """The store that a configuration names: its `path`, or `$MNEMOS_STORE`, or `mnemos.db` in this folder.

    Args:
        config: a mapping, or an object with `model_dump()` as mem0's `MemoryConfig` has; None for the defaults.
            `path` is the file; `background` (true) lets a thread derive facts and levels from what is added; of
            mem0's own sections, `llm` is used where it names an address (`ollama_base_url`, `openai_base_url`, …).
    """
    sections = dict(_sections(config))
    path = sections.pop("path", None) or os.environ.get(PATH_VARIABLE) or DEFAULT_PATH
    background = sections.pop("background", True)
    llm = _language_model(sections.get("llm"))
    not_used(name for name, value in sections.items() if value and not (name == "llm" and llm is not None))
    return Mnemos(path, llm=llm, background=background)


def not_used(names: Any) -> None:
    """Say once of each argument or section of mem0 that it changes nothing here."""
    for name in sorted(set(names) - _told):
        _told.add(name)
        log.warning("mem0's %r is not used by Mnemos; see docs/mem0.md for what differs", name)


def _sections(config: object) -> Mapping[str, Any]:
    if config is None:
        return {}
    dump = getattr(config, "model_dump", None)
    sections = dump() if callable(dump) else config
    if not isinstance(sections, Mapping):
        raise InvalidInput("config", f"is a {type(config).__name__}", "give a mapping: {'path': 'ana.db'}")
    return sections


def _language_model(section: object) -> LanguageModel | None:
    """The model of an `llm` section, where it says at which OpenAI-compatible address: nothing is sent unasked."""
    settings = section.get("config") if isinstance(section, Mapping) else None
    if not isinstance(settings, Mapping) or not settings.get("model"):
        return None
    for name, address in settings.items():
        if address and str(name).endswith("_base_url") and not str(name).startswith("anthropic"):
            base = str(address).rstrip("/")
            if name == "ollama_base_url" and not base.endswith("/v1"):
                base += "/v1"
            return LanguageModel(base, settings["model"], settings.get("api_key"), use_environment_key=True)
    return None
