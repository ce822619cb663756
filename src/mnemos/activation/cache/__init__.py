"""Caches that keep what a policy keeps: what stays of a text when memory is small."""

from __future__ import annotations

from mnemos.activation.cache.budgets_heads import AdaKV
from mnemos.activation.cache.budgets_layers import PyramidKV
from mnemos.activation.cache.memory_cache import MemoryCache
from mnemos.activation.cache.policies import EMLLM, H2O, TOVA, Full, Oracle, Random, SnapKV, StreamingLLM
from mnemos.activation.cache.policy import Look, Policy, Shown, registered

__all__ = [
    "EMLLM",
    "H2O",
    "TOVA",
    "AdaKV",
    "Full",
    "Look",
    "MemoryCache",
    "Oracle",
    "Policy",
    "PyramidKV",
    "Random",
    "Shown",
    "SnapKV",
    "StreamingLLM",
    "registered",
]
