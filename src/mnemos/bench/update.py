"""Measures what is current: whether the newest statement on a matter ranks above those that it has replaced.

Two kinds of file. A JSON list of `{id, hops, facts: [text, …], questions: [{text, answers: [text, …]}]}` holds numbered
facts, of which a later one overrides an earlier one on the same matter (MemoryAgentBench's FactConsolidation);
questions of several hops are left out. JSONL of conversations as `mnemos bench recall` reads them; of those, the
questions of the categories in `CHANGES` with several evidence turns count, and the last of these should come first.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mnemos.bench import metrics
from mnemos.bench.baselines import BM25, indexed, order
from mnemos.bench.data import Conversation, Question, read
from mnemos.bench.recall import USER, remember
from mnemos.errors import InvalidInput
from mnemos.recall.words import split
from mnemos.records import Hit

if TYPE_CHECKING:
    from mnemos import Mnemos

CHANGES = frozenset({"knowledge_update", "knowledge-update", "contradiction_resolution"})
"""Categories of questions about what has changed."""
SYSTEMS = ("BM25", "ranking alone", "Mnemos", "Mnemos, derived")
"""`ranking alone` is Mnemos' without regard to what is current; `derived` is after `maintain()`."""
DEPTH = 50
FIRST = 5
"""How many hits of a question about facts are looked at."""


class FactScore(NamedTuple):
    """Whether the first hit holds the answer, and whether something outdated ranks above what is current."""

    first: float
    outdated: float | None


class TurnScore(NamedTuple):
    """Whether the newest evidence turn ranks above every older one, and how much evidence is found."""

    newest: float
    r10: float
    ndcg10: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What was measured for one question: ids and numbers, none of the data's words."""

    data: str
    """The set of facts, or the data set and category."""
    conversation: str
    id: str
    scores: Mapping[str, FactScore | TurnScore]


@dataclass(frozen=True, slots=True)
class Run:
    """The answers to all questions of some files, and what the run was made with."""

    files: Mapping[str, str]
    facts: tuple[Answer, ...]
    turns: tuple[Answer, ...]
    seed: int


def run(files: Sequence[str | Path], *, seed: int = 0, progress: Callable[[str, int, int], None] | None = None) -> Run:
    """Ask the questions of every file of Mnemos, of its ranking alone, and of BM25."""
    hashes: dict[str, str] = {}
    facts: list[Answer] = []
    turns: list[Answer] = []
    for done, path in enumerate(map(Path, files), start=1):
        sets = _fact_sets(path)
        if sets is None:
            file = read(path)
            hashes[file.name] = file.sha256
            for conversation in file.conversations:
                turns += _about_turns(conversation)
        else:
            hashes[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
            for one in sets:
                facts += _about_facts(one)
        if progress:
            progress(path.name, done, len(files))
    return Run(hashes, tuple(facts), tuple(turns), seed)


def _fact_sets(path: Path) -> list[dict[str, Any]] | None:
    """The single-hop sets of a file of facts; None where it is a file of conversations."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidInput(path.name, f"cannot be read ({error})", "name a file of facts or conversations") from error
    if not raw.lstrip().startswith(b"["):
        return None
    try:
        found = json.loads(raw)
        sets = [
            {"id": str(one["id"]), "facts": [str(fact) for fact in one["facts"]], "questions": list(one["questions"])}
            for one in found
            if one.get("hops", "single") == "single"
        ]
        for question in (question for one in sets for question in one["questions"]):
            question["text"], question["answers"] = str(question["text"]), [str(one) for one in question["answers"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(
            path.name, f"holds no facts ({error!r})", "see mnemos.bench.update for the format"
        ) from error
    return sets


def _about_facts(one: Mapping[str, Any]) -> Iterator[Answer]:
    from mnemos import Mnemos

    facts, questions = one["facts"], one["questions"]
    lexical = BM25(facts)
    answers: list[dict[str, FactScore | TurnScore]] = []
    with tempfile.TemporaryDirectory(prefix="mnemos-bench-") as folder, Mnemos(Path(folder, "one.db")) as memory:
        memory.add([{"content": fact} for fact in facts], user_id=USER)
        for question in questions:
            hits = memory.search(question["text"], user_id=USER, limit=DEPTH)
            rankings = {
                "BM25": [facts[at] for at in order(lexical.scores(question["text"]))[:DEPTH]],
                "ranking alone": [hit.memory.text for hit in plain(hits)],
                "Mnemos": [hit.memory.text for hit in hits],
            }
            answers.append({name: _fact_score(texts, question, facts) for name, texts in rankings.items()})
        memory.maintain()
        for place, question in enumerate(questions):
            texts = [hit.memory.text for hit in memory.search(question["text"], user_id=USER, limit=DEPTH)]
            answers[place]["Mnemos, derived"] = _fact_score(texts, question, facts)
    for number, scores in enumerate(answers):
        yield Answer(one["id"], one["id"], str(number), scores)


def plain(hits: Sequence[Hit]) -> list[Hit]:
    """Hits as they would be ordered without regard to what is current."""
    return sorted(hits, key=lambda hit: -(sum(hit.why.values()) - hit.why.get("currency", 0.0)))


def _fact_score(texts: Sequence[str], question: Mapping[str, Any], facts: Sequence[str]) -> FactScore:
    answers = [answer.casefold() for answer in question["answers"]]
    first = bool(texts) and any(answer in texts[0].casefold() for answer in answers)
    current, outdated = matter(question, facts)
    if current is None or not outdated:
        return FactScore(float(first), None)
    places = {_plain(text): place for place, text in reversed(list(enumerate(texts[:FIRST])))}
    above = min((places.get(_plain(text), FIRST) for text in outdated), default=FIRST)
    return FactScore(float(first), float(above < places.get(_plain(current), FIRST)))


def matter(question: Mapping[str, Any], facts: Sequence[str]) -> tuple[str | None, list[str]]:
    """The fact that holds the answer, and the earlier ones that differ from it in nothing else.

    Of the facts that hold it, the one that shares most words with the question, the last of equals.
    """
    asked = set(split(question["text"]))
    best: tuple[int, int] | None = None
    frame = ("", "")
    for number, fact in enumerate(facts):
        for answer in question["answers"]:
            at = fact.casefold().find(answer.casefold())
            if at > 0:
                around = fact[:at], fact[at + len(answer) :]
                shared = len(asked & set(split(" ".join(around))))
                if best is None or (shared, number) >= best:
                    best, frame = (shared, number), around
    if best is None or not best[0]:
        return None, []
    current = facts[best[1]]
    before, after = frame
    same = [fact for fact in facts[: best[1]] if fact.startswith(before) and fact.endswith(after) and fact != current]
    return current, same


def _plain(text: str) -> tuple[str, ...]:
    return tuple(split(text))


def _about_turns(conversation: Conversation) -> Iterator[Answer]:
    from mnemos import Mnemos

    asked = [one for one in conversation.questions if one.category in CHANGES and len(one.evidence) > 1]
    if not asked:
        return
    texts = BM25([indexed(turn) for turn in conversation.turns])
    places = {turn.id: place for place, turn in enumerate(conversation.turns)}
    answers: list[dict[str, FactScore | TurnScore]] = []
    with tempfile.TemporaryDirectory(prefix="mnemos-bench-") as folder, Mnemos(Path(folder, "one.db")) as memory:
        turn_of = remember(memory, conversation)
        for question in asked:
            hits = _turns(memory, question, conversation)
            rankings = {
                "BM25": [conversation.turns[at].id for at in order(texts.scores(question.text))[:DEPTH]],
                "ranking alone": [turn_of[hit.memory.id] for hit in plain(hits)],
                "Mnemos": [turn_of[hit.memory.id] for hit in hits],
            }
            answers.append({name: _turn_score(found, question, places) for name, found in rankings.items()})
        memory.maintain()
        for scores, question in zip(answers, asked, strict=True):
            found = [turn_of[hit.memory.id] for hit in _turns(memory, question, conversation)]
            scores["Mnemos, derived"] = _turn_score(found, question, places)
    for question, scores in zip(asked, answers, strict=True):
        yield Answer(f"{conversation.dataset} {question.category}", conversation.id, question.id, scores)


def _turns(memory: Mnemos, question: Question, conversation: Conversation) -> Sequence[Hit]:
    now = question.asked_at or conversation.last_time
    return memory.search(question.text, user_id=USER, limit=DEPTH, kinds=["turn"], now=now)


def _turn_score(ranking: Sequence[str], question: Question, places: Mapping[str, int]) -> TurnScore:
    """A newest turn that is not found at all is not above anything."""
    found = {turn: rank for rank, turn in enumerate(ranking)}
    newest, *older = sorted(question.evidence, key=lambda turn: -places[turn])
    above = newest in found and found[newest] < min(found.get(turn, math.inf) for turn in older)
    return TurnScore(
        float(above), metrics.recall_at(ranking, question.evidence, 10), metrics.ndcg_at(ranking, question.evidence, 10)
    )
