"""The policies, each in a file of its own; importing this makes all of them known by name."""

from __future__ import annotations

from mnemos.activation.cache.policies.actqkv import ActQKV
from mnemos.activation.cache.policies.cam import CaM
from mnemos.activation.cache.policies.em_llm import EMLLM
from mnemos.activation.cache.policies.expected import ExpectedAttention
from mnemos.activation.cache.policies.full import Full
from mnemos.activation.cache.policies.h2o import H2O
from mnemos.activation.cache.policies.lazy import LazyEviction
from mnemos.activation.cache.policies.longmem import LongMem
from mnemos.activation.cache.policies.oracle import Oracle
from mnemos.activation.cache.policies.random import Random
from mnemos.activation.cache.policies.scissorhands import Scissorhands
from mnemos.activation.cache.policies.sentinels import Sentinels
from mnemos.activation.cache.policies.snapkv import SnapKV
from mnemos.activation.cache.policies.streaming import StreamingLLM
from mnemos.activation.cache.policies.tim import SubtaskPruning
from mnemos.activation.cache.policies.tova import TOVA

__all__ = [
    "EMLLM",
    "H2O",
    "TOVA",
    "ActQKV",
    "CaM",
    "ExpectedAttention",
    "Full",
    "LazyEviction",
    "LongMem",
    "Oracle",
    "Random",
    "Scissorhands",
    "Sentinels",
    "SnapKV",
    "StreamingLLM",
    "SubtaskPruning",
]
