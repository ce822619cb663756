"""Of what kind is a name? What the words around it and its own last word say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mnemos.entities.lexicon import Kind, Lexicon
from mnemos.entities.tokens import Token, Words
from mnemos.entities.wordlists import (
    ANIMALS,
    GOING,
    GREETINGS,
    KIN,
    PARTICLES,
    PLACE_HEADS,
    PLACE_PREPOSITIONS,
    SPEAKING,
    THING_HEADS,
    TITLES,
)

NAMING = frozenset("named called nicknamed christened".split())
_MADE = frozenset("read reading watch watched watching play played playing listen using use used uses download".split())
_PLACE_FIRST = frozenset(
    "lake mount mt loch lough fort san santa são saint st port cape river isle glen ben rio "
    "new north south east west".split()
)
_COMPANY = frozenset("and & with".split())
_WHOSE = frozenset("my our his her their your".split())
_REACH = 6
"""Words before a naming verb among which the one named is looked for."""


_DOUBT = 0.6
"""Single words are people and places more often than they look."""


class Told(NamedTuple):
    """The kind of a name, and whether something said so."""

    kind: Kind
    told: bool


def tell_kind(words: Words, first: int, last: int, lexicon: Lexicon) -> Told:
    """The kind of the name from one token to another."""
    tokens = words.tokens[first : last + 1]
    said = _named(words, first, last) or _own_words(tokens)
    if said is not None:
        return Told(said, True)
    core = [t.word for t in tokens if t.word not in PARTICLES and not t.initial]
    scores: dict[Kind, float] = lexicon.kinds(core)
    listed = _listed(core, lexicon)
    for kind, points in _around(words, first, last, lexicon).items():
        scores[kind] += points
    scores["thing"] -= _DOUBT * (len(core) == 1)
    if len(core) > 1 and lexicon.listed.get(core[0]) == "person" and core[-1] not in lexicon.listed:
        scores["person"] += 2.0
    best = max(scores, key=lambda kind: scores[kind])
    rest = max(score for kind, score in scores.items() if kind != best)
    return Told(best, listed == best or scores[best] - rest >= 3.0)


def names_someone(words: Words, first: int, last: int) -> bool:
    """Whether the words around say that a name must stand here, however it looks."""
    return _named(words, first, last) is not None or _greeted(words, first, last)


def _named(words: Words, first: int, last: int) -> Kind | None:
    """Said to be somebody's sister, named so, or somebody's dog."""
    before = words.before(first, _REACH)
    nearest = before[-1] if before else ""
    whose = len(before) > 1 and before[-2] in _WHOSE
    if words.tokens[first].joined or (words.gap(first) == ", " and whose):
        if nearest in ANIMALS:
            return "animal"
        if nearest in KIN and len(before) > 1:
            return "person"
    if nearest in NAMING or before[-2:] == ["name", "is"] or before[-2:] == ["call", "me"]:
        if ANIMALS.intersection(before):
            return "animal"
        if KIN.intersection(before) or before[-2:] == ["call", "me"] or before[-3:-1] == ["my", "name"]:
            return "person"
    after = words.after(last, 3)
    if len(after) > 1 and after[0] in ("the", "my", "our", "his", "her", "their"):
        if after[1] in ANIMALS:
            return "animal"
        if after[1] in KIN and after[0] != "the" and words.gap(last + 1) in (", ", " ("):
            return "person"
    return None


def _own_words(tokens: Sequence[Token]) -> Kind | None:
    if len(tokens) < 2:
        return None
    if tokens[0].word in TITLES:
        return "person"
    if tokens[-1].word in THING_HEADS:
        return "thing"
    if tokens[-1].word in PLACE_HEADS or tokens[0].word in _PLACE_FIRST:
        return "place"
    return "thing" if tokens[0].word in PLACE_HEADS else None


def _listed(core: Sequence[str], lexicon: Lexicon) -> Kind | None:
    kinds = {lexicon.listed.get(word) for word in core}
    return kinds.pop() if len(kinds) == 1 else None


def _around(words: Words, first: int, last: int, lexicon: Lexicon) -> dict[Kind, float]:
    """Points for a kind from the nearest words."""
    points: dict[Kind, float] = {"person": 0.0, "place": 0.0, "thing": 0.0}
    before, after = words.before(first, 2), words.after(last, 2)
    nearest = before[-1] if before else ""
    if nearest in PLACE_PREPOSITIONS:
        points["place"] += 2.5
        points["person"] -= 2.0
    elif nearest in GOING:
        points["place"] += 1.0
    elif nearest in _MADE:
        points["thing"] += 2.5
    elif nearest == "the":
        points["person"] -= 3.0
    elif nearest in ("a", "an", "my", "your", "our"):
        points["thing"] += 1.5
    elif nearest == "by" or nearest in _COMPANY:
        points["person"] += 1.0
    if after and after[0] in SPEAKING:
        points["person"] += 2.5
    if after[:2] in (["and", "i"], ["and", "me"]):
        points["person"] += 2.0
    if words.tokens[last].owns:
        points["person"] += 0.5
    beyond = words.tokens[last + 1] if last + 1 < len(words.tokens) else None
    if (
        beyond is not None
        and beyond.capital
        and words.gap(last + 1) == ", "
        and lexicon.listed.get(beyond.word) == "place"
    ):
        points["place"] += 2.5
    if _greeted(words, first, last):
        points["person"] += 4.0
    return points


def _greeted(words: Words, first: int, last: int) -> bool:
    """Spoken to: "Hey Mel!", "Thanks, Mel.", "…, Mel?" ."""
    if words.follows(last) not in ("", "!", "?", ".", ",", "\n"):
        return False
    gap = words.gap(first)
    before = words.before(first, 3)
    if not before or words.tokens[last].owns:
        return False
    greeting = before[-1] in GREETINGS and gap in (" ", ", ")
    return greeting or (gap == ", " and words.follows(last) in ("!", "?", "") and len(before) == 3)
