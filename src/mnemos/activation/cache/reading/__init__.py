"""Caches that keep everything and read little of it: old tokens rest in blocks, and few are brought back."""

from __future__ import annotations

from mnemos.activation.cache.reading.rest import Rest
from mnemos.activation.cache.reading.retrieval import Chosen, Leaving, Retrieval, Wanted

__all__ = ["Chosen", "Leaving", "Rest", "Retrieval", "Wanted"]
