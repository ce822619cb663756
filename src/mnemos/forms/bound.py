"""A model in this process that forms are made for and read by, and whose turn it is to use it."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from transformers import PreTrainedModel

from mnemos.activation.fingerprint import NONE, Fingerprint, fingerprint_of
from mnemos.activation.kv import KVMemory
from mnemos.activation.quantising import Storage
from mnemos.activation.shelf import read_quota, read_storage
from mnemos.errors import InvalidInput
from mnemos.forms.measured import Measured
from mnemos.forms.measuring import measure
from mnemos.forms.policy import ByCost, Policy, read_policy
from mnemos.forms.system import System
from mnemos.parametric.adapter import AdapterMemory
from mnemos.parametric.course import Course, Settings
from mnemos.records import Memory, Namespace
from mnemos.rendering import render
from mnemos.store.artifact_rows import Artifact
from mnemos.store.artifacts import Artifacts


class Turn:
    """Whose turn it is to use a model: while one generates, nobody else builds, and the other way round.

    Not re-entrant: who holds it and asks again is told so, and does not wait for itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The model is one's own for the length of the block; waits for its turn.

        Raises:
            InvalidInput: this thread has it already, in a block around this one.
        """
        if self._owner == threading.get_ident():
            raise InvalidInput("model", "is in use by a session of this thread", "leave that session first")
        with self._lock, self._owned():
            yield

    @contextmanager
    def taken_if_free(self) -> Iterator[bool]:
        """The same without waiting: tells whether it is one's own."""
        if not self._lock.acquire(blocking=False):
            yield False
            return
        try:
            with self._owned():
                yield True
        finally:
            self._lock.release()

    @contextmanager
    def _owned(self) -> Iterator[None]:
        self._owner = threading.get_ident()
        try:
            yield
        finally:
            self._owner = None


_turns: WeakKeyDictionary[PreTrainedModel, Turn] = WeakKeyDictionary()
"""One for each model that is alive, whichever stores it is bound to."""
_making = threading.Lock()


def turn_of(model: PreTrainedModel) -> Turn:
    """Whose turn it is to use a model."""
    with _making:
        return _turns.setdefault(model, Turn())


class Bound:
    """A store's memories in the two forms that one model reads, each made when it is first asked for, and kept.

    Args:
        memory: the store.
        model: a causal model of `transformers`.
        tokenizer: its own.
        storage: in which type blocks are stored; see `KVMemory`.
        quota: bytes that blocks may take; see `KVMemory`.
        policy: what decides which memories move.
        costs: what the model takes; by default that is measured.
        course: settings of `AdapterMemory.train`.

    Raises:
        InvalidInput: an argument cannot be accepted.
    """

    def __init__(
        self,
        memory: System,
        model: PreTrainedModel,
        tokenizer: Any,
        *,
        storage: Storage = "full",
        quota: int | None = None,
        policy: Policy | None = None,
        costs: Measured | None = None,
        course: Settings | None = None,
    ) -> None:
        if not isinstance(model, PreTrainedModel):
            raise InvalidInput("model", f"is a {type(model).__name__}", "give a model of transformers")
        if not callable(tokenizer):
            raise InvalidInput("tokenizer", f"is a {type(tokenizer).__name__}", "give the model's own tokenizer")
        if costs is not None and not isinstance(costs, Measured):
            raise InvalidInput("costs", f"are a {type(costs).__name__}", "give mnemos.forms.measured.Measured(…)")
        self.policy = ByCost() if policy is None else read_policy(policy)
        self.course = _read_course(course)
        self._memory = memory
        self._given = costs
        self._measured: Measured | None = None
        self._counts: dict[int, int] = {}
        self._on: set[str] = set()
        self._switching: float | None = None
        self.sessions: Counter[Namespace] = Counter()
        """That began since they were last written down, by namespace."""
        self.questions: Counter[Namespace] = Counter()
        """That were asked in them."""
        self.model = model
        self.tokenizer = tokenizer
        self.storage = read_storage(storage)
        self.quota = read_quota(quota)
        self.lock = turn_of(model)
        """Held by whoever generates or builds with this model, for as long as something is on it."""

    @cached_property
    def kv(self) -> KVMemory:
        """Its memories as keys and values.

        Raises:
            InvalidInput: this model's keys cannot be moved (learned absolute positions, say), or the tokenizer is
                another model's.
        """
        return KVMemory(self._memory, self.model, self.tokenizer, storage=self.storage, quota=self.quota)

    @cached_property
    def weights(self) -> AdapterMemory:
        """Its memories as adapters.

        Raises:
            InvalidInput: the model has an adapter of somebody else's on it.
        """
        return AdapterMemory(self._memory, self.model, self.tokenizer)

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is at this moment, without the adapters that may be on it: what forms are kept under."""
        return self.look()[0]

    def look(self) -> tuple[Fingerprint, bool]:
        """That, and whether nothing is on the model; an adapter that somebody has merged into it is part of it."""
        found = fingerprint_of(self.model, self.tokenizer)
        return replace(found, adapter=NONE), found.adapter == NONE

    def is_for(self, model: object, tokenizer: object) -> bool:
        """Whether these are the model and the tokenizer that are bound."""
        return self.model is model and self.tokenizer is tokenizer

    def put_on(self, adapter: Artifact) -> None:
        """Put an adapter on, as `AdapterMemory.load` does, and note how long that takes where it is not on yet."""
        is_on = adapter.id in self._on
        begun = time.perf_counter()
        self.weights.load(adapter)
        if not is_on:
            self._on.add(adapter.id)
            self._switching = min(self._switching or math.inf, time.perf_counter() - begun)

    def count_session(self, namespace: Namespace) -> None:
        """Note that a session of a namespace has begun."""
        self._on.clear()
        self.sessions[namespace] += 1

    def count_question(self, namespace: Namespace) -> None:
        """Note that something was asked in it."""
        self.questions[namespace] += 1

    def costs(self, artifacts: Artifacts, own: str, known: Measured | None = None) -> Measured:
        """What the model takes: as it was given, or tried once for what the model is now, and seen in its artifacts.

        Where it is tried, the caller has the model alone, and nothing is on it.

        Args:
            artifacts: of the store.
            own: the digest of `fingerprint`.
            known: what was known of this model before.
        """
        if self._given is not None:
            return replace(self._given, model=own)
        if self._measured is None or self._measured.model != own:
            self._measured = measure(self.model, self.fingerprint, self.storage)
        found = self._measured.seen(artifacts.find(fingerprint=own))
        switching = self._switching
        if switching is None and known is not None and "switch_seconds" not in known.assumed:
            switching = known.switch_seconds
        if switching is None:
            return found
        left = tuple(name for name in found.assumed if name != "switch_seconds")
        return replace(found, switch_seconds=switching, assumed=left)

    def tokens(self, memory: Memory) -> int:
        """How many tokens the model reads of a memory; 0 where it says nothing."""
        words = render(memory)
        if not words:
            return 0
        # under the hash of the words: what has been deleted is not held
        known = hash(words)
        if known not in self._counts:
            self._counts[known] = len(self.tokenizer(words, add_special_tokens=False)["input_ids"])
        return self._counts[known]


def _read_course(course: object) -> Settings:
    """Settings of a training that `bind` may be given; without a bar where they say nothing of one."""
    if course is not None and not isinstance(course, Mapping):
        raise InvalidInput("course", f"is a {type(course).__name__}", "give a mapping of settings of a training")
    known = set(Settings.__annotations__) - {"fresh", "keep_old"}
    found: Settings = {"progress": False, **(course or {})}
    strange = sorted(set(found) - known)
    if strange:
        raise InvalidInput(f"course.{strange[0]}", "is no setting of this", f"use {', '.join(sorted(known))}")
    Course(**found)
    return found
