"""Caches that keep what a policy keeps: what stays of a text when memory is small."""

from __future__ import annotations

from mnemos.activation.cache.memory_cache import MemoryCache
from mnemos.activation.cache.policies import H2O, TOVA, Full, Oracle, Random, SnapKV, StreamingLLM
from mnemos.activation.cache.policy import Look, Policy, Shown, registered

__all__ = [
    "H2O",
    "TOVA",
    "Full",
    "Look",
    "MemoryCache",
    "Oracle",
    "Policy",
    "Random",
    "Shown",
    "SnapKV",
    "StreamingLLM",
    "registered",
]
