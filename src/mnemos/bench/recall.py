"""Measures recall: every question of a data file, asked of Mnemos and of the baselines over the same turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mnemos.bench import metrics
from mnemos.bench.baselines import BM25, Dense, Embed, Floats, find_transformer, indexed, order, reciprocal_rank_fusion
from mnemos.bench.baselines import transformer as load_transformer
from mnemos.bench.data import Conversation, DataFile, Question, Turn, read
from mnemos.errors import MnemosError

if TYPE_CHECKING:
    from mnemos import Mnemos

DEPTH = 50
"""How many turns each system may return."""
BUDGETS = (500, 1000, 2000)
"""Token budgets of the contexts."""
USER = "bench"

Rank = Callable[[Question], Sequence[str]]
"""A question to turn ids, best first."""


class RankScore(NamedTuple):
    """How one system ranked the evidence of one question; the turn measures are None without turn evidence."""

    r5: float | None
    r10: float | None
    r20: float | None
    r50: float | None
    ndcg10: float | None
    session5: float | None


class ContextScore(NamedTuple):
    """What one context showed: share of the evidence, share of its cited turns that are evidence, its size."""

    share: float | None
    precision: float | None
    items: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything measured for one question. It holds ids and numbers, none of the data's words."""

    dataset: str
    conversation: str
    id: str
    category: str
    gold: int
    ranks: Mapping[str, RankScore]
    top: float
    """The score of Mnemos' first hit, 0 when it had none."""
    contexts: Mapping[int, ContextScore] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """The answers to all questions of some files, and what the run was made with."""

    files: Mapping[str, str]
    """File name to SHA-256."""
    systems: tuple[str, ...]
    answers: tuple[Answer, ...]
    seed: int
    notes: tuple[str, ...] = ()


def run(
    files: Sequence[str | Path],
    *,
    transformer: bool = True,
    model: str | Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
    budgets: Sequence[int] = BUDGETS,
    progress: Callable[[str, int, int], None] | None = None,
) -> Run:
    """Ask every question of every file of Mnemos and of each baseline.

    The transformer's columns are left out, with a note that says why, where it is not wanted or cannot be run;
    `model` is a folder of all-MiniLM-L6-v2 and `cache` a folder that keeps its vectors. `progress` is called
    after each conversation with its name, how many are done and how many there are.
    """
    data = [read(path) for path in files]
    embeds: dict[str, Embed] = {"static": bundled_static()}
    found = find_transformer(model) if transformer else "it was not asked for"
    notes: tuple[str, ...] = ()
    if isinstance(found, Path):
        embeds["MiniLM"] = load_transformer(found, cache)
    else:
        notes = (f"the transformer all-MiniLM-L6-v2 is left out: {found}",)
    answers: list[Answer] = []
    total = sum(len(file.conversations) for file in data)
    for done, conversation in enumerate(_all(data), start=1):
        answers += answers_to(conversation, embeds, budgets)
        if progress:
            progress(f"{conversation.dataset} {conversation.id}", done, total)
    systems = tuple(answers[0].ranks) if answers else ()
    return Run({file.name: file.sha256 for file in data}, systems, tuple(answers), seed, notes)


def bundled_static() -> Embed:
    """The static embedder that ships with Mnemos, alone: one vector a turn and no other signal."""
    from mnemos.embed.static import StaticEmbedder

    return StaticEmbedder.bundled().embed


def answers_to(
    conversation: Conversation, embeds: Mapping[str, Embed], budgets: Sequence[int] = BUDGETS
) -> Iterator[Answer]:
    """Put one conversation into a new store, and score every question about it."""
    from mnemos import Mnemos

    rankers = baselines(conversation.turns, embeds)
    with tempfile.TemporaryDirectory(prefix="mnemos-bench-") as folder, Mnemos(Path(folder, "one.db")) as memory:
        turn_of = remember(memory, conversation)
        for question in conversation.questions:
            now = question.asked_at or conversation.last_time
            ranks = {name: score_rank(rank(question), question, conversation) for name, rank in rankers.items()}
            hits = memory.search(question.text, user_id=USER, limit=DEPTH, kinds=["turn"], now=now)
            ranking = [turn_of[hit.memory.id] for hit in hits]
            ranks["Mnemos"] = score_rank(ranking, question, conversation)
            yield Answer(
                dataset=conversation.dataset,
                conversation=conversation.id,
                id=question.id,
                category=question.category,
                gold=len(question.evidence),
                ranks=ranks,
                top=hits[0].score if hits else 0.0,
                contexts={budget: _context(memory, question, now, budget, turn_of, conversation) for budget in budgets},
            )


def remember(memory: Mnemos, conversation: Conversation) -> dict[str, str]:
    """Add the turns that say something in order, in one call; return which turn each memory id stands for."""
    turns = [turn for turn in conversation.turns if turn.text.strip()]
    added = memory.add([_message(turn) for turn in turns], user_id=USER)
    turn_of = {one.id: turn.id for one, turn in zip(added, turns, strict=True)}
    if len(turn_of) != len(turns):
        missing = len(turns) - len(turn_of)
        raise MnemosError(f"{conversation.id}: {missing} turns were taken for repeats; every turn is its own event")
    return turn_of


def baselines(turns: Sequence[Turn], embeds: Mapping[str, Embed]) -> dict[str, Rank]:
    """BM25, each dense embedding, and the reciprocal-rank fusion of BM25 with each, over one conversation."""
    texts = [indexed(turn) for turn in turns]
    lexical = BM25(texts)
    rankers: dict[str, Rank] = {"BM25": _ranker(turns, lambda query: lexical.scores(query))}
    for name, embed in embeds.items():
        dense = Dense(texts, embed)

        def fused(query: str, dense: Dense = dense) -> Floats:
            return reciprocal_rank_fusion(order(lexical.scores(query)), order(dense.scores(query)))

        rankers[name] = _ranker(turns, dense.scores)
        rankers[f"BM25+{name}"] = _ranker(turns, fused)
    return rankers


def score_rank(ranking: Sequence[str], question: Question, conversation: Conversation) -> RankScore:
    """Score one ranking of turn ids."""
    session = {turn.id: turn.session for turn in conversation.turns}
    gold, gold_sessions = question.evidence, question.evidence_sessions
    r5, r10, r20, r50 = (metrics.recall_at(ranking, gold, k) if gold else None for k in (5, 10, 20, DEPTH))
    ndcg = metrics.ndcg_at(ranking, gold, 10) if gold else None
    sessions = [session[turn] for turn in ranking]
    session5 = metrics.session_within(sessions, gold_sessions) if gold_sessions else None
    return RankScore(r5, r10, r20, r50, ndcg, session5)


def _all(data: Sequence[DataFile]) -> Iterator[Conversation]:
    return (conversation for file in data for conversation in file.conversations)


def _message(turn: Turn) -> dict[str, object]:
    message = {
        "role": turn.role,
        "name": turn.speaker,
        "content": turn.text,
        "happened_at": turn.happened_at,
        "session_id": turn.session,
        "metadata": {"turn_id": turn.id},
    }
    return {key: value for key, value in message.items() if value is not None}


def _ranker(turns: Sequence[Turn], scores: Callable[[str], Floats]) -> Rank:
    return lambda question: [turns[number].id for number in order(scores(question.text))[:DEPTH]]


def _context(
    memory: Mnemos,
    question: Question,
    now: datetime | None,
    budget: int,
    turn_of: Mapping[str, str],
    conversation: Conversation,
) -> ContextScore:
    context = memory.context(question.text, user_id=USER, budget=budget, now=now)
    said = {turn.id: turn.text for turn in conversation.turns}
    cited: set[str] = set()
    shown: set[str] = set()
    for item in context.items:
        turns = {turn_of[one] for one in item.memory_ids if one in turn_of}
        cited |= turns
        shown |= {turn for turn in turns if turn in question.evidence and metrics.shows(item.text, said[turn])}
    share = len(shown) / len(question.evidence) if question.evidence else None
    precision = len(shown) / len(cited) if question.evidence and cited else None
    return ContextScore(share, precision, len(context.items), context.tokens)
