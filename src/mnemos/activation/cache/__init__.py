"""Caches that keep what a policy keeps: what stays of a text when memory is small."""

from __future__ import annotations

from mnemos.activation.cache.budgets_heads import AdaKV
from mnemos.activation.cache.budgets_layers import PyramidKV
from mnemos.activation.cache.memory_cache import MemoryCache
from mnemos.activation.cache.policies import (
    H2O,
    TOVA,
    ExpectedAttention,
    Full,
    LazyEviction,
    Oracle,
    Random,
    Scissorhands,
    SnapKV,
    StreamingLLM,
    SubtaskPruning,
)
from mnemos.activation.cache.policies.actqkv import ActQKV
from mnemos.activation.cache.policies.cam import CaM
from mnemos.activation.cache.policies.em_llm import EMLLM
from mnemos.activation.cache.policies.longmem import LongMem
from mnemos.activation.cache.policies.sentinels import Sentinels
from mnemos.activation.cache.policy import Look, Policy, Shown, registered
from mnemos.activation.cache.quantisers import KIVI, Smoothing, WKVQuant
from mnemos.activation.cache.reading import Rest, Retrieval

__all__ = [
    "EMLLM",
    "H2O",
    "KIVI",
    "TOVA",
    "ActQKV",
    "AdaKV",
    "CaM",
    "ExpectedAttention",
    "Full",
    "LazyEviction",
    "LongMem",
    "Look",
    "MemoryCache",
    "Oracle",
    "Policy",
    "PyramidKV",
    "Random",
    "Rest",
    "Retrieval",
    "Scissorhands",
    "Sentinels",
    "Shown",
    "Smoothing",
    "SnapKV",
    "StreamingLLM",
    "SubtaskPruning",
    "WKVQuant",
    "registered",
]
