"""Lessons from memories by rules: what a fact says, said in several ways, asked and answered.

A model that has read a fact in one form often cannot answer a question about it; with several forms of it, and
questions among them, it can (Physics of Language Models 3.1, arXiv:2309.14316). What is no longer true is taught as
past, or not at all, and a question is never taught two answers: where there are several, the answer names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mnemos.facts.extract import extract
from mnemos.parametric.lesson import Lesson, unique
from mnemos.parametric.questions import questions, who_question
from mnemos.quoting import own_words
from mnemos.records import Memory

Paraphrase = Callable[[Sequence[Memory], datetime], list[Lesson]]
"""Makes lessons of memories that are taught together, at a time."""
PIECE = 600
"""Characters of a long text that are taught as one."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What a memory says of one subject."""

    subject: str
    relation: str
    object: str
    text: str
    memory: str
    single: bool
    negated: bool
    until: datetime | None
    """When it ceased to be true, where that is past."""
    place: int
    """In the order of what was said."""

    @property
    def matter(self) -> tuple[str, str]:
        return self.subject.casefold(), self.relation.casefold()


def by_rules(memories: Sequence[Memory], now: datetime) -> list[Lesson]:
    """What is to be learned of these memories, the same for the same memories.

    Args:
        memories: of one namespace.
        now: the time by which it is told what is past.
    """
    ordered = sorted(memories, key=lambda one: (one.happened_at or one.created_at or now, one.id))
    told = [one for place, memory in enumerate(ordered) for one in _told(memory, place, now)]
    return unique([*_statements(told), *_answers(told), *_verbatim(ordered)])


def _told(memory: Memory, place: int, now: datetime) -> Iterator[_Told]:
    until = memory.invalid_at if memory.invalid_at is not None and memory.invalid_at <= now else None
    words = [memory.metadata.get(name) for name in ("subject", "relation", "object")]
    if memory.kind == "fact" and all(isinstance(word, str) for word in words):
        subject, relation, object_ = map(str, words)
        negated = bool(memory.metadata.get("negated"))
        yield _Told(subject, relation, object_, memory.text, memory.id, False, negated, until, place)
        return
    for said in extract(own_words(memory)):
        yield _Told(
            said.subject, said.relation, said.object, said.text, memory.id, said.single, said.negated, until, place
        )


def _statements(told: Iterable[_Told]) -> Iterator[Lesson]:
    """What is said, in its own words and plainly."""
    for one in told:
        text = _bare(one.text)
        if one.until is not None:
            yield Lesson("", f"Until {one.until:%Y-%m-%d}: {text}", (one.memory,))
            continue
        plain = text if one.negated else _bare(f"{one.subject} {one.relation} {one.object}")
        for said in dict.fromkeys([text, plain]):
            rest = said.removeprefix(one.subject)
            begins = rest != said and rest.startswith((" ", "'"))
            yield Lesson(one.subject if begins else "", rest if begins else said, (one.memory,))


def _answers(told: Iterable[_Told]) -> Iterator[Lesson]:
    """Questions with the answer that holds now."""
    matters: dict[tuple[str, str], list[_Told]] = {}
    for one in told:
        if one.until is None and not one.negated and one.object:
            matters.setdefault(one.matter, []).append(one)
    holding = [_latest(matter) for matter in matters.values()]
    whose: dict[tuple[str, str], set[str]] = {}
    for one in (one for matter in holding for one in matter):
        whose.setdefault((one.relation.casefold(), one.object.casefold()), set()).add(one.subject.casefold())
    for matter in holding:
        first, ids = matter[0], tuple(dict.fromkeys(one.memory for one in matter))
        answer = _listed([_bare(one.object) for one in matter])
        for question in questions(first.subject, first.relation):
            yield Lesson(question, answer, ids, is_question=True)
        for one in matter:
            who = who_question(one.relation, _bare(one.object))
            if who and len(whose[one.relation.casefold(), one.object.casefold()]) == 1:
                yield Lesson(who, one.subject, (one.memory,), is_question=True)


def _latest(matter: list[_Told]) -> list[_Told]:
    """Of a matter that has one answer at a time, what was said last; of any other, all."""
    if not any(one.single for one in matter):
        return matter
    last = max(matter, key=lambda one: one.place)
    return [one for one in matter if one.object.casefold() == last.object.casefold()]


def _verbatim(memories: Iterable[Memory]) -> Iterator[Lesson]:
    """What was said or written, as it was; asked for by its speaker and day where that means one thing."""
    spoken: dict[str, list[tuple[str, str]]] = {}
    for memory in memories:
        if memory.kind == "fact":
            continue
        text = own_words(memory).text.strip()
        who = memory.speaker or memory.role
        head = f"[{memory.happened_at:%Y-%m-%d}] " if memory.happened_at else ""
        head = f"{head}{who}:" if who else head.strip()
        for piece in _pieces(text):
            yield Lesson(head, piece, (memory.id,))
            head = ""
        if who and memory.happened_at and len(text) <= PIECE:
            asked = f"What did {who} say on {memory.happened_at:%Y-%m-%d}?"
            spoken.setdefault(asked, []).append((text, memory.id))
    for question, said in spoken.items():
        if len(said) == 1:
            yield Lesson(question, said[0][0], (said[0][1],), is_question=True)


def _pieces(text: str) -> Iterator[str]:
    """A text cut at ends of lines or sentences, in order."""
    while len(text) > PIECE:
        cut = max(text.rfind("\n", PIECE // 2, PIECE), text.rfind(". ", PIECE // 2, PIECE) + 1)
        cut = cut if cut > 0 else PIECE
        yield text[:cut].strip()
        text = text[cut:]
    if text.strip():
        yield text.strip()


def _listed(words: Iterable[str]) -> str:
    """Words as one answer, each once."""
    found: dict[str, str] = {}
    for word in words:
        found.setdefault(word.casefold(), word)
    *before, last = found.values()
    return f"{', '.join(before)} and {last}" if before else last


def _bare(text: str) -> str:
    """Words without the full stop at their end."""
    return " ".join(text.split()).removesuffix(".")
