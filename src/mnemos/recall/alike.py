"""Whether two statements are about one matter: the same subject and relation, whatever the object.

"The capital of Peru is Lima" and "The capital of Peru is Cusco" differ only in their object, so that the later one
replaces the earlier, and no list of relations is needed to see it. Two statements are laid side by side from both
ends; what is left in the middle must be short on both sides, and what they share must hold a subject and a relation.
Precise rather than complete: where the words leave it open, the answer is no.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from mnemos.recall.analyze import hash_words
from mnemos.recall.marks import unmarked
from mnemos.recall.words import fold

LONGEST_OBJECT = 8
"""Words that an object may have."""
LONGEST = 40
"""Words of a statement that is looked at; a longer one holds more than a single matter."""

_word = re.compile(r"[^\W_]+(?:[.'’&/-][^\W_]+)*")
_never = re.compile(r"n['’]t$")

COPULAS = frozenset(
    "am is are was were be been being has have had do does did can could will would shall should may might must im ive "
    "youre hes shes its theyre were".split()
)
PREPOSITIONS = frozenset(
    "in at on of for to from by with as into near under over about against after before since until than around".split()
)
_articles = frozenset("a an the".split())
_owners = frozenset("my our his her their your its".split())
_first = frozenset("i we my our im ive me us".split())
_others = frozenset("he she they it his her their its him them this that there these those you your".split())
_negative = frozenset("not never no cannot longer anymore".split())
_light = frozenset(
    "now currently presently still also just recently lately actually really already finally today nowadays oh well "
    "and but then yes yeah".split()
)


@dataclass(frozen=True)
class Statement:
    """One sentence, read word by word."""

    words: tuple[str, ...]
    """As written, without what negates and what only colours."""
    negated: bool

    @classmethod
    def read(cls, text: str) -> Statement:
        """Read a sentence; a number or bullet in front of it is not part of it."""
        found = _word.findall(unmarked(text))
        kept: list[str] = []
        negated = False
        for place, word in enumerate(found[: LONGEST + 1]):
            plain = fold(word).replace("’", "'")
            if place and word.istitle():
                kept.append(word)  # of a name: "Now" is a song, "No" a doctor
            elif _never.search(plain):
                negated = True
            elif plain in _negative:
                negated |= plain != "longer" or (bool(kept) and not negated)
            elif plain not in _light:
                kept.append(word)
        return cls(tuple(kept), negated)

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The words, folded and without marks."""
        return tuple(fold(word).removesuffix("'s").removesuffix("’s").replace("'", "") for word in self.words)

    @cached_property
    def keys(self) -> tuple[int, ...]:
        """The words' stems, as numbers; words of support ("does") that a negation brings are left out where it does."""
        return tuple(hash_words(self.plain))

    @cached_property
    def bare(self) -> tuple[int, ...]:
        """The stems without any auxiliary: what a denial and an assertion have in common."""
        return tuple(hash_words(word for word in self.plain if word not in COPULAS))

    @property
    def personal(self) -> bool:
        """Whether it speaks of the one who says it; the "I" of a king's name does not."""
        return any(
            word in _first and (word != "i" or at == 0 or "".join(self.words[at + 1 : at + 2]).islower())
            for at, word in enumerate(self.plain)
        )


def alike(a: str | Statement, b: str | Statement) -> bool:
    """Whether two statements are about one matter: equal, or different only in their object or in a denial."""
    one = Statement.read(a) if isinstance(a, str) else a
    two = Statement.read(b) if isinstance(b, str) else b
    if min(len(one.words), len(two.words)) < 2 or max(len(one.words), len(two.words)) > LONGEST:
        return False
    if one.keys == two.keys or (one.negated != two.negated and one.bare == two.bare):
        return _has_subject(one.plain)
    front = _shared(one.keys, two.keys)
    back = _shared(one.keys[front:][::-1], two.keys[front:][::-1])
    first, second = (range(front, len(side.words) - back) for side in (one, two))
    if not first or not second or max(len(first), len(second)) > LONGEST_OBJECT:
        return False
    return _frames(one, front, first, back) and _frames(two, front, second, back)


def _shared(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    count = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        count += 1
    return count


def _frames(said: Statement, front: int, middle: range, back: int) -> bool:
    """Whether the words before the middle hold subject and relation, so that the middle can only be the object."""
    before, after = said.plain[:front], said.plain[len(said.words) - back :] if back else ()
    inside = [said.words[at] for at in middle]  # as written: "is" is a verb, "Is" may stand in a title
    if front < 2 or not _has_subject(before) or any(word in COPULAS for word in inside):
        return False
    numeric = any(any(c.isdigit() for c in word) for word in inside)
    if back and not _is_tail(said, before, after, numeric):
        return False
    return _relates(said, front, numeric) and (numeric or before[-1] in PREPOSITIONS or not _has_relation(inside))


def _has_subject(words: tuple[str, ...]) -> bool:
    """Whether the words name someone or something, or the speaker; "it" and "she" may be anyone."""
    if words[0] in _others:
        return words[0] in _owners and len(words) > 2
    return any(word in _first or word not in COPULAS | PREPOSITIONS | _articles | _others for word in words)


def _is_tail(said: Statement, before: tuple[str, ...], after: tuple[str, ...], numeric: bool) -> bool:
    """Whether what follows the middle belongs to the object ("… United States of **America**", "… 3 **cats**")."""
    if any(word in COPULAS for word in after) or len(after) > LONGEST_OBJECT:
        return False
    written = said.words[len(said.words) - len(after) :]
    settled = any(word in COPULAS for word in before) or before[0] in _first | _others
    verbal = before[-1] in PREPOSITIONS and (before[-1] != "of" or before[0] not in _articles | _owners)
    return settled or verbal or numeric or all(word[:1].isupper() for word in written)


def _relates(said: Statement, front: int, numeric: bool) -> bool:
    """Whether the last words before the middle say how subject and object are related."""
    words, before = said.words[:front], said.plain[:front]
    last = front - 1
    while last > 0 and before[last] in _articles:
        last -= 1
    word = before[last]
    if word in PREPOSITIONS:
        if before[0] in _articles | _owners:
            return last > 2 and (word != "of" or any(one in COPULAS | PREPOSITIONS - {"of"} for one in before))
        return last >= 1
    if word in COPULAS:
        named = any(one in ("of", "where", "that", "who") or one in _owners for one in before[:last])
        owned = any(one.endswith(("'s", "’s")) for one in words[:last])
        kind = any(one[:1].islower() and one not in _first for one in words[:last])
        return last > 0 and (named or owned or numeric or (kind and last >= 2 and front - 1 == last))
    if not words[last][:1].islower():
        return any(one in COPULAS or one in PREPOSITIONS - {"of"} for one in before[1:last])
    return last >= 2 or before[0] not in _owners | _articles


def _has_relation(inside: list[str]) -> bool:
    """Whether the middle itself begins with a relation: "born in Rome", "a citizen of France"."""
    plain = [fold(word) for word in inside]
    return any(
        word[:1].islower() and plain[at] not in _articles | PREPOSITIONS and plain[at + 1] in PREPOSITIONS
        for at, word in enumerate(inside[:-1])
    )
