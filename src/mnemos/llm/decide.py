"""What a new statement does to known facts, chosen by a language model: ADD, UPDATE, DELETE or NOOP, as in Mem0.

Nothing is deleted. UPDATE and DELETE close a fact in time, and can be undone; and only a fact about the very subject of
the statement, so that a model that was talked into it cannot close others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mnemos.facts.keys import subject_key
from mnemos.llm.extract import Sourced
from mnemos.llm.grounding import Ground
from mnemos.llm.lines import Line, quoted, quoted_json
from mnemos.llm.prompts import DECIDE
from mnemos.llm.question import Ask, Question
from mnemos.llm.schema import DECISIONS, Op, Refused, items_of, read_choice
from mnemos.times import from_micros

MOST_CLOSED = 3
"""Facts that one statement may close."""


class Known(NamedTuple):
    """A fact that is known already."""

    num: int
    text: str
    subject: str
    valid_at: int | None
    """When it began to hold, or was said; microseconds."""


class Decided(NamedTuple):
    """A statement, what to do with it, and the numbers of the facts that it concerns."""

    new: Sourced
    op: Op
    facts: tuple[int, ...] = ()


class Decisions(NamedTuple):
    """One decision for every statement; `refused` counts those of the model that did not hold up, by reason."""

    all: list[Decided]
    refused: Counter[str]


def decide(ask: Ask, found: Sequence[Sourced], known: Sequence[Sequence[Known]]) -> Decisions:
    """What to do with each statement, beside the known facts nearest to it.

    A statement with nothing near it, or without a decision that holds up, is added: that closes nothing.

    Raises:
        LanguageModelError: no usable answer.
    """
    asked = {f"s{place}": pair for place, pair in enumerate(zip(found, known, strict=True), start=1)}
    near = {fact.num: fact for facts in known for fact in facts}
    labels = {f"f{place}": fact for place, fact in enumerate(near.values(), start=1)}
    open_ = {label: pair for label, pair in asked.items() if pair[1]}
    refused: Counter[str] = Counter()
    chosen: dict[str, Decided] = {}
    if open_:
        answer = ask(question(open_, labels))
        for item in items_of(answer, "decisions", refused):
            try:
                choice = read_choice(item, open_, labels)
                if choice.statement in chosen:
                    raise Refused("a second decision about one statement")
                new, beside = open_[choice.statement]
                facts = [labels[label] for label in choice.facts]
                chosen[choice.statement] = Decided(new, choice.op, _held(new, choice.op, facts, beside))
            except Refused as reason:
                refused[str(reason)] += 1
    return Decisions([chosen.get(label, Decided(new, "ADD")) for label, (new, _) in asked.items()], refused)


def question(asked: Mapping[str, tuple[Sourced, Sequence[Known]]], labels: Mapping[str, Known]) -> Question:
    """What is asked about some statements and the facts near them."""
    facts = [Line(label, fact.num, fact.text, None, from_micros(fact.valid_at)) for label, fact in labels.items()]
    label_of = {fact.num: label for label, fact in labels.items()}
    parts = [f"known facts:\n{quoted(facts)}", "new statements, each with the ids of the facts near it:"]
    for label, (new, beside) in asked.items():
        moment = from_micros(new.statement.valid_at)
        row = {"id": label, "near": [label_of[fact.num] for fact in beside], "text": new.statement.text}
        row |= {"date": f"{moment:%Y-%m-%d}"} if moment else {}
        parts.append(quoted_json(row))
    return Question("decisions", DECIDE, "\n".join(parts), DECISIONS)


def _says(fact: Known, new: Sourced) -> bool:
    """Whether a fact can say the same as a statement; words decide, as they do between a statement and its sources."""
    ground = Ground([Line("", fact.num, fact.text, None, None)])
    return ground.holds(new.statement.object) and ground.holds(new.statement.subject)


def _held(new: Sourced, op: Op, facts: Sequence[Known], beside: Sequence[Known]) -> tuple[int, ...]:
    """The facts of a decision that may stand; raises Refused."""
    if any(fact not in beside for fact in facts):
        raise Refused("a fact that was not shown beside the statement")
    if op in ("UPDATE", "DELETE"):
        subject = subject_key(new.statement.subject)
        if any(subject_key(fact.subject) != subject for fact in facts):
            raise Refused("a fact about another subject")
        if len(facts) > MOST_CLOSED:
            raise Refused("too many facts closed at once")
    elif op == "NOOP":
        facts = [fact for fact in facts if _says(fact, new)]
        if not facts:
            raise Refused("a fact that says something else")
    return tuple(fact.num for fact in facts)
