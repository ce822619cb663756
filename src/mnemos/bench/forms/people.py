"""Invented people and what is told of them: the world of the small language model that the benchmark trains.

564 people, each of whom lives in a town, comes from a land, speaks a language and works as something. Of 500 the model
knows all four by heart; the other 64 are strangers, of whom it is told in its context, every time something else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta


def _named(beginnings: str, ends: str) -> tuple[str, ...]:
    return tuple(first + last for last in ends.split() for first in beginnings.split())


NAMES = _named(
    "Al Ber Cor Dal El Fen Gar Hel Is Jor Kel Lor Mar Nor Or Per Quen Ras Sel Tor Ul Ver Wil Yor Zan Bri Dro Gli Kra "
    "Sto Tri Vla",
    "a an ek ido il ina ith o olf on or oth ra rik sa sen ta the",
)[:564]
KNOWN, STRANGERS = NAMES[:500], NAMES[500:]
SPEAKERS = ("Ana", "Ben", "Cleo", "Dan", "Eva", "Finn")
FIRST_DAY = date(2025, 1, 1)
DAYS = 730
"""On one of which something is told."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One thing that can be told of a person; every value belongs to one relation only."""

    says: str
    """After the person and before the value."""
    values: tuple[str, ...]
    asks: tuple[str, ...]
    """Questions about it."""
    article: str = ""


RELATIONS = (
    Relation(
        "lives in",
        _named("Tar Ves Zol Pem", "ford holm mere wick bury dale"),
        ("Where does {} live?", "Where is {}'s home?"),
    ),
    Relation(
        "comes from",
        _named("Am Bor Cal Dun", "avia eria land onia stan ura"),
        ("Where does {} come from?", "Where is {} from?"),
    ),
    Relation(
        "speaks",
        _named("Bas Cath Dev Esk", "ian ish ese ic ak ari"),
        ("What does {} speak?",),
    ),
    Relation(
        "works as",
        tuple(
            "baker miller potter weaver smith tanner cooper glazier mason joiner fletcher saddler tailor cobbler "
            "brewer butcher fisher farmer shepherd hunter sailor pilot porter clerk".split()
        ),
        ("What does {} do for a living?", "What is {}'s job?"),
        "a ",
    ),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is told of a person."""

    person: str
    relation: Relation
    value: str

    @property
    def answer(self) -> str:
        """What is to be said when it is asked for."""
        return self.relation.article + self.value

    @property
    def text(self) -> str:
        """How it is told."""
        return f"{self.person} {self.relation.says} {self.answer}."

    @property
    def question(self) -> str:
        """How it is asked for."""
        return self.questions[0]

    @property
    def questions(self) -> list[str]:
        """Every way in which it is asked for, the plainest last."""
        return [*(ask.format(self.person) for ask in self.relation.asks), f"{self.person} {self.relation.says} what?"]

    def other(self, drawn: random.Random) -> Fact:
        """The same of which something else is true."""
        values = [value for value in self.relation.values if value != self.value]
        return Fact(self.person, self.relation, drawn.choice(values))


def facts(people: Sequence[str], drawn: random.Random, count: int | None = None) -> list[Fact]:
    """Facts drawn by chance, no two of the same thing.

    Args:
        people: of whom.
        drawn: the same one in the same state draws the same facts.
        count: how many; None: every relation of everybody.
    """
    things = [(person, relation) for person in people for relation in RELATIONS]
    chosen = things if count is None else drawn.sample(things, count)
    return [Fact(person, relation, drawn.choice(relation.values)) for person, relation in chosen]


def alike(people: Sequence[str], drawn: random.Random, count: int) -> list[Fact]:
    """Facts of one relation, of as many people: only the person tells one from another."""
    relation = drawn.choice(RELATIONS)
    return [Fact(person, relation, drawn.choice(relation.values)) for person in drawn.sample(people, count)]


def learned(seed: int = 0) -> list[Fact]:
    """The 2,000 facts that the model knows by heart."""
    return facts(KNOWN, random.Random(f"known {seed}"))


def day(number: int) -> datetime:
    """A day on which something may be told, 0 to `DAYS` - 1."""
    return datetime.combine(FIRST_DAY + timedelta(number), datetime.min.time(), UTC)
