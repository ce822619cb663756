"""Measures forgetting: what recall is left when only a part of each conversation is kept, by what each policy keeps.

Every conversation is derived from once; then each policy forgets in a copy of that store, step by step, before any
question is known to it, and all questions are asked. Evidence that was not kept counts as missed.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mnemos.bench import metrics
from mnemos.bench.data import Conversation, Question, read
from mnemos.bench.recall import USER, remember
from mnemos.bench.report import APART
from mnemos.forget.policy import POLICIES, Policy
from mnemos.records import Memory

if TYPE_CHECKING:
    from mnemos import Mnemos

SHARES = (1.0, 0.75, 0.5, 0.25, 0.12, 0.06)
"""Parts of each conversation that are kept."""
OURS = "salience"
TOP = 10

Judge = Callable[[Memory], float]


@dataclass(frozen=True, slots=True)
class Simple:
    """A policy for comparison: one number a memory."""

    name: str
    judge: Judge

    def strength(self, memory: Memory, now: datetime) -> float:
        """Not used: nothing decays here."""
        return 1.0

    def worth(self, memory: Memory, now: datetime) -> float:
        """That number."""
        return self.judge(memory)


@dataclass(frozen=True, slots=True)
class Run:
    """The recall of every question, by data set, policy and share kept; none of the data's words."""

    files: Mapping[str, str]
    """File name to SHA-256."""
    questions: Mapping[str, Sequence[str]]
    """By data set, conversation and id of each question."""
    recalls: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]
    """By data set, policy and share, in the order of `questions`."""
    seed: int


def run(files: Sequence[str | Path], *, seed: int = 0, progress: Callable[[str, int, int], None] | None = None) -> Run:
    """Forget in every conversation of every file by each policy, and ask its questions."""
    data = [read(path) for path in files]
    total = sum(len(file.conversations) for file in data)
    questions: dict[str, list[str]] = {}
    recalls: dict[str, dict[str, dict[str, list[float]]]] = {}
    done = 0
    for file in data:
        for conversation in file.conversations:
            found = curve(conversation, seed)
            asked = [f"{conversation.id} {question.id}" for question in answerable(conversation)]
            questions.setdefault(conversation.dataset, []).extend(asked)
            for policy, by_share in found.items():
                for share, values in by_share.items():
                    kept = recalls.setdefault(conversation.dataset, {}).setdefault(policy, {})
                    kept.setdefault(f"{share:g}", []).extend(round(value, 4) for value in values)
            done += 1
            if progress:
                progress(f"{conversation.dataset} {conversation.id}", done, total)
    return Run({file.name: file.sha256 for file in data}, questions, recalls, seed)


def answerable(conversation: Conversation) -> list[Question]:
    """The questions that have evidence, without those that are scored apart."""
    return [one for one in conversation.questions if one.evidence and one.category not in APART]


def curve(
    conversation: Conversation, seed: int = 0, shares: Sequence[float] = SHARES
) -> dict[str, dict[float, list[float]]]:
    """R@10 of every question of one conversation, by policy and share kept."""
    from mnemos import Mnemos

    found: dict[str, dict[float, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="mnemos-bench-") as folder:
        whole = Path(folder, "whole.db")
        with Mnemos(whole) as memory:
            turn_of = remember(memory, conversation)
            memory.maintain()
            full = _ask(memory, conversation, turn_of)
            chosen = policies(conversation, turn_of, seed)
            for policy in chosen:
                memory.backup(Path(folder, f"{policy.name}.db"))
        for policy in chosen:
            with Mnemos(Path(folder, f"{policy.name}.db")) as memory:
                found[policy.name] = {1.0: full}
                for share in sorted(shares, reverse=True):
                    if share < 1:
                        memory.forget(share=share, policy=policy, now=conversation.last_time, user_id=USER)
                        found[policy.name][share] = _ask(memory, conversation, turn_of)
    return found


def policies(conversation: Conversation, turn_of: Mapping[str, str], seed: int) -> list[Policy]:
    """Those that can be named, and what they are compared with."""
    rng = random.Random(f"{seed} {conversation.id}")
    chance = {memory_id: rng.random() for memory_id in turn_of}
    place = {memory_id: number for number, memory_id in enumerate(turn_of)}
    asked: dict[str, float] = {}
    for question in answerable(conversation):
        for turn in question.evidence:
            asked[turn] = asked.get(turn, 0.0) + 1 / len(question.evidence)
    compared = {
        "longest": lambda memory: float(len(memory.text)),
        "newest": lambda memory: float(place[memory.id]),
        "random": lambda memory: chance[memory.id],
        "oracle": lambda memory: asked.get(turn_of[memory.id], 0.0),
    }
    return [*POLICIES.values(), *(Simple(name, judge) for name, judge in compared.items())]


def _ask(memory: Mnemos, conversation: Conversation, turn_of: Mapping[str, str]) -> list[float]:
    values = []
    for question in answerable(conversation):
        now = question.asked_at or conversation.last_time
        hits = memory.search(question.text, user_id=USER, limit=TOP, kinds=["turn"], now=now)
        values.append(metrics.recall_at([turn_of[hit.memory.id] for hit in hits], question.evidence, TOP))
    return values
