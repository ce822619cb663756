"""Turns to statements, by a language model: the first half of Mem0's update; every statement is held to its sources."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mnemos.facts.statement import Statement
from mnemos.llm.grounding import Ground
from mnemos.llm.lines import Line, quoted
from mnemos.llm.prompts import EXTRACT
from mnemos.llm.question import Ask, Question, TooLong
from mnemos.llm.schema import STATEMENTS, Claim, Refused, Unfounded, items_of, read_claim

_CAPITALS = re.compile(r"\b[^\W\d_]*[A-ZÀ-ÖØ-Þ][^\W\d_]+")


class Sourced(NamedTuple):
    """A statement and the numbers of the memories that it comes from."""

    statement: Statement
    sources: tuple[int, ...]


class Extraction(NamedTuple):
    """What came of some turns; what the answer held that did not hold up is counted by reason."""

    found: list[Sourced]
    malformed: Counter[str]
    unfounded: Counter[str]

    def joined(self, other: Extraction) -> Extraction:
        """Both together."""
        found = [*self.found, *other.found]
        return Extraction(found, self.malformed + other.malformed, self.unfounded + other.unfounded)


def extract(ask: Ask, turns: Sequence[Line], before: Sequence[Line]) -> Extraction:
    """The statements that a model reads in turns; `before` is what was said just before them.

    Raises:
        LanguageModelError: no usable answer.
    """
    try:
        answer = ask(question(turns, before))
    except TooLong:
        if len(turns) < 2:
            raise
        half = len(turns) // 2
        first = extract(ask, turns[:half], before)
        second = extract(ask, turns[half:], turns[:half])
        return first.joined(second)
    malformed: Counter[str] = Counter()
    unfounded: Counter[str] = Counter()
    found: dict[tuple[str, str, str], Sourced] = {}
    for item in items_of(answer, "statements", malformed):
        try:
            sourced = _held(read_claim(item, {line.label for line in turns}), turns, before)
        except Refused as reason:
            (unfounded if isinstance(reason, Unfounded) else malformed)[str(reason)] += 1
            continue
        statement = sourced.statement
        found.setdefault((statement.subject, statement.relation, statement.object), sourced)
    return Extraction(list(found.values()), malformed, unfounded)


def question(turns: Sequence[Line], before: Sequence[Line]) -> Question:
    """What is asked about some turns."""
    data = f"before:\n{quoted(before) or '(nothing)'}\n\nturns:\n{quoted(turns)}"
    return Question("statements", EXTRACT, data, STATEMENTS)


def _held(claim: Claim, turns: Sequence[Line], before: Sequence[Line]) -> Sourced:
    """The claim as a statement, where its sources bear it out; raises Refused."""
    cited = [line for line in turns if line.label in claim.sources]
    around = [*before, *turns]
    names = {name for line in around for name in _CAPITALS.findall(line.text)}
    speakers = {line.speaker for line in around if line.speaker}
    if not Ground(around, speakers).holds(claim.subject):
        raise Unfounded("a subject of whom the turns do not speak")
    if not Ground(cited, speakers).holds(claim.object):
        raise Unfounded("an object that its sources do not name")
    if not Ground(cited, [*names, *speakers, claim.subject, claim.object]).holds(claim.text):
        raise Unfounded("a statement that its sources do not make")
    return Sourced(_statement(claim), tuple(dict.fromkeys(line.num for line in cited)))


def _statement(claim: Claim) -> Statement:
    return Statement(
        text=claim.text,
        subject=claim.subject,
        relation=claim.relation,
        object=claim.object,
        single=claim.single,
        valid_at=claim.valid_at,
        invalid_at=claim.invalid_at,
        negated=claim.negated,
    )
