"""Text to vectors. The bundled static embedder is the default; others plug in behind `Embedder`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mnemos.embed.protocol import Embedder

if TYPE_CHECKING:
    from mnemos.embed.openai import OpenAIEmbedder
    from mnemos.embed.sentence_transformers import SentenceTransformerEmbedder
    from mnemos.embed.static import StaticEmbedder

__all__ = ["Embedder", "OpenAIEmbedder", "SentenceTransformerEmbedder", "StaticEmbedder"]

_HOMES = {
    "OpenAIEmbedder": "mnemos.embed.openai",
    "SentenceTransformerEmbedder": "mnemos.embed.sentence_transformers",
    "StaticEmbedder": "mnemos.embed.static",
}


def __getattr__(name: str) -> object:
    """Each embedder's module is imported when the embedder is first named: most programs need one of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
