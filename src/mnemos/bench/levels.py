"""Measures contexts: how much of the evidence a prompt holds at each budget, before derivation and after it.

Beside `context()` stands the simplest thing that could be done: whole turns, best first, while they fit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mnemos.bench import metrics
from mnemos.bench.data import Conversation, Question, read
from mnemos.bench.recall import BUDGETS, USER, remember
from mnemos.embed.static import StaticEmbedder

if TYPE_CHECKING:
    from mnemos import Mnemos

WHOLE, PLAIN, DERIVED = "whole turns", "context", "context, derived"
SYSTEMS = (WHOLE, PLAIN, DERIVED)
"""The best turns whole while they fit; `context()` before `maintain()`; and after it."""
DEPTH = 300
"""Turns that the first of these chooses from."""


class Score(NamedTuple):
    """Share of the evidence that one prompt shows, its turns or items, and its tokens."""

    share: float
    items: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was measured for one question: ids and numbers, none of the data's words."""

    dataset: str
    conversation: str
    id: str
    category: str
    gold: int
    scores: Mapping[str, Mapping[int, Score]]
    """By system and budget."""


@dataclass(frozen=True, slots=True)
class Run:
    """The answers to all questions of some files, and what the run was made with."""

    files: Mapping[str, str]
    """File name to SHA-256."""
    budgets: tuple[int, ...]
    answers: tuple[Answer, ...]
    seed: int


def run(
    files: Sequence[str | Path],
    *,
    seed: int = 0,
    budgets: Sequence[int] = BUDGETS,
    progress: Callable[[str, int, int], None] | None = None,
) -> Run:
    """Ask every question that has turn evidence for a context of each budget.

    `progress` is called after each conversation with its name, how many are done and how many there are.
    """
    data = [read(path) for path in files]
    conversations = [one for file in data for one in file.conversations]
    answers: list[Answer] = []
    for done, conversation in enumerate(conversations, start=1):
        answers += answers_to(conversation, budgets)
        if progress:
            progress(f"{conversation.dataset} {conversation.id}", done, len(conversations))
    return Run({file.name: file.sha256 for file in data}, tuple(budgets), tuple(answers), seed)


def answers_to(conversation: Conversation, budgets: Sequence[int] = BUDGETS) -> Iterator[Answer]:
    """Put one conversation into a new store, ask everything, derive, and ask again."""
    from mnemos import Mnemos

    asked = [question for question in conversation.questions if question.evidence]
    found: dict[str, dict[str, dict[int, Score]]] = {question.id: {} for question in asked}
    with tempfile.TemporaryDirectory(prefix="mnemos-bench-") as folder, Mnemos(Path(folder, "one.db")) as memory:
        turn_of = remember(memory, conversation)
        for question in asked:
            found[question.id][WHOLE] = whole_turns(memory, question, conversation, budgets)
            found[question.id][PLAIN] = contexts(memory, question, conversation, turn_of, budgets)
        memory.maintain()
        for question in asked:
            found[question.id][DERIVED] = contexts(memory, question, conversation, turn_of, budgets)
    for question in asked:
        yield Answer(
            conversation.dataset,
            conversation.id,
            question.id,
            question.category,
            len(question.evidence),
            found[question.id],
        )


def whole_turns(
    memory: Mnemos, question: Question, conversation: Conversation, budgets: Sequence[int]
) -> dict[int, Score]:
    """The best turns whole, each with its speaker, until the next one does not fit."""
    count = StaticEmbedder.bundled().count
    now = question.asked_at or conversation.last_time
    hits = memory.search(question.text, user_id=USER, limit=DEPTH, kinds=["turn"], now=now)
    scores: dict[int, Score] = {}
    for budget in budgets:
        shown: set[str] = set()
        tokens = 0
        for hit in hits:
            cost = count(f"{hit.memory.speaker or hit.memory.role}: {hit.memory.text}")
            if tokens + cost > budget:
                break
            tokens += cost
            shown.add(str(hit.memory.metadata["turn_id"]))
        scores[budget] = Score(len(shown & set(question.evidence)) / len(question.evidence), len(shown), tokens)
    return scores


def contexts(
    memory: Mnemos,
    question: Question,
    conversation: Conversation,
    turn_of: Mapping[str, str],
    budgets: Sequence[int],
) -> dict[int, Score]:
    """What `context()` shows of the evidence. A turn counts when an item cites it and shows enough of it."""
    said = {turn.id: turn.text for turn in conversation.turns if turn.id in question.evidence}
    now = question.asked_at or conversation.last_time
    scores: dict[int, Score] = {}
    for budget in budgets:
        context = memory.context(question.text, user_id=USER, budget=budget, now=now)
        shown: set[str] = set()
        for item in context.items:
            cited = {turn_of[one] for one in item.memory_ids if one in turn_of}
            shown |= {turn for turn in cited & said.keys() if metrics.shows(item.text, said[turn])}
        scores[budget] = Score(len(shown) / len(question.evidence), len(context.items), context.tokens)
    return scores
