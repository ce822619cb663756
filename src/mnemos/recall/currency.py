"""What is current comes first: of memories about one matter the newest ranks above the older ones.

Three things say that two of the best memories are about one matter: the store knows that one superseded the other;
they state the same subject and relation (`recall.alike`), whatever the relation; or, in long messages where no two
sentences are alike, the question asks for one present value and both state a value of that kind, the newer one with a
word of change beside it (`recall.values`), or the question asks whether something is so and one of them denies it.
The newest is raised to just above the older ones; nothing is lowered, and nothing outside the best few is moved.
A question about an earlier time keeps its order, and nothing is raised above what is clearly trusted more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.embed.static import StaticEmbedder
from mnemos.origin import is_outranked
from mnemos.recall.alike import LONGEST, Statement, alike
from mnemos.recall.analyze import hash_words
from mnemos.recall.query import Query, rarity
from mnemos.recall.snapshot import Snapshot
from mnemos.recall.tense import Tense
from mnemos.recall.values import is_changed, kinds_asked, sentences, values
from mnemos.recall.words import split
from mnemos.store.reading import Said

LOOK = 24
"""How many of the best memories are looked at."""
STEP = 1e-3
"""How far above an older memory the newer one is put, in logits."""

_STATEMENTS = 8
"""Sentences of one memory that are compared."""
_PART = 0.4
"""The share of the question that a statement has to meet."""
_NEAR = 9
"""Places among which a newer value is looked for."""
_ANCHORS = 4
"""The older one has to be among so many of the best."""
_RIVALS = 5
"""The newer one has to be among so many where one denies what the other says."""
_GAP = 3.0
"""Logits that may lie between them then."""

_CHANGED, _MEANING, _TOP, _PLACE, _LENGTH, _MANY, _BIAS, _LEAST = 2.4, 5.5, 1.3, -0.55, -0.4, -0.65, -1.8, -2.5
"""How far it speaks for a newer value being an update: a word of change beside it; the cosine of its sentence with the
question; the older one being the best hit; each place that it stands lower; the logarithm of its sentence's length in
characters; each value it states; and what the sum has to exceed. Fitted on pairs of evidence, by conversation."""

_denial = re.compile(
    r"\bnever\b|\bno longer\b|\b(?:have|has|do|does|did|am|is|are|was|were)(?:n['’]t| not)\b", re.IGNORECASE
)


class Candidate(NamedTuple):
    """One of the best memories, as this module needs it."""

    said: Said | None
    """Who said what, and since when it holds; None where that need not be known."""
    place: int
    """Its place in reading order."""
    logit: float
    met: float
    """The share of the question that its best passage meets."""

    @property
    def text(self) -> str:
        """Its words."""
        return self.said.text if self.said else ""

    @property
    def voice(self) -> tuple[str | None, str | None]:
        """Who says it: name and role."""
        return (self.said.speaker, self.said.role) if self.said else (None, None)

    @property
    def when(self) -> int | None:
        """Since when it holds, or when it was said, in microseconds; None where unknown."""
        return self.said.since if self.said else None


class Question(NamedTuple):
    """What this module needs of a question."""

    text: str
    asked: Tense
    weights: dict[int, float]
    """The stems of its content words, each with its rarity."""


def meeting(snapshot: Snapshot, query: Query, units: NDArray[np.int64]) -> tuple[dict[int, float], list[float]]:
    """How rare each content word of a question is, and what share of them, so weighted, each of some units holds."""
    terms = query.terms[query.term_weights == 1]
    weights = rarity(snapshot.terms, terms, len(snapshot.columns.num)).tolist()
    content = terms.tolist()
    held = np.zeros(len(units))
    for term, weight in zip(content, weights, strict=True):
        held += weight * np.isin(units, snapshot.terms.lookup(term)[0])
    return dict(zip(content, weights, strict=True)), (held / max(sum(weights), 1e-9)).tolist()


def to_read(asked: Tense, met: Sequence[float]) -> list[int]:
    """The places of the memories whose words have to be known."""
    near = {Tense.VALUE: _NEAR, Tense.WHETHER: _RIVALS}.get(asked, 0)
    return [place for place, share in enumerate(met) if place < near or share >= _PART]


def lifts(
    question: Question, best: Sequence[Candidate], supersedes: Sequence[tuple[int, int]] = ()
) -> NDArray[np.float64]:
    """How far each of the best memories is to be raised, in logits.

    `best` is ordered best first; `supersedes` holds pairs of places in it, the newer one first.
    """
    raised = np.zeros(len(best))
    pairs = [*supersedes, *_same_matter(question, best)]
    if not pairs and question.asked is Tense.VALUE:
        pairs = list(_same_value(question, best[:_NEAR]))
    elif not pairs and question.asked is Tense.WHETHER:
        pairs = list(_denied(question, best[:_RIVALS]))
    older: dict[int, list[int]] = defaultdict(list)
    for newer, old in pairs:
        if _may_rise(best[newer], best[old]):
            older[newer].append(old)
    logits = [one.logit for one in best]
    for newer in sorted(older, key=lambda at: _age(best[at])):
        above = max(logits[old] for old in older[newer])
        if logits[newer] <= above:
            logits[newer] = above + STEP
            raised[newer] = logits[newer] - best[newer].logit
    return raised


def _may_rise(newer: Candidate, older: Candidate) -> bool:
    """Whether one of these may stand above the other, which is not clearly trusted more."""
    if newer.said is None or older.said is None:
        return True
    return not is_outranked(newer.said.trust, older.said.trust)


def is_newer(a: Candidate, b: Candidate) -> bool:
    """Whether `a` is newer than `b`: by the time it holds from where both are known and differ, else as read."""
    if a.when is not None and b.when is not None and a.when != b.when:
        return a.when > b.when
    return a.place > b.place


def _age(one: Candidate) -> tuple[int, int]:
    return (one.place if one.when is None else one.when, one.place)


def _same_matter(question: Question, best: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    """Pairs of places, newer first, whose statements about the question are alike."""
    begun: dict[tuple[object, ...], list[tuple[int, Statement]]] = defaultdict(list)
    for at, one in enumerate(best):
        if one.met < _PART:
            continue
        named = hash_words(split(one.voice[0] or ""))
        for sentence in sentences(one.text)[:_STATEMENTS]:
            if len(sentence) > 12 * LONGEST or sentence.endswith("?") or sentence.startswith("["):
                continue
            said = Statement.read(sentence)
            if 1 < len(said.words) <= LONGEST and _share(question, {*said.keys, *named}) >= _PART:
                voice = one.voice if said.personal else None
                begun[voice, said.keys[:2]].append((at, said))
                begun[voice, "denied", said.bare].append((at, said))
    for group in begun.values():
        for (at, said), (other, against) in combinations(group, 2):
            if other != at and said != against and alike(said, against):
                yield (at, other) if is_newer(best[at], best[other]) else (other, at)


def _same_value(question: Question, best: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    """The pair, newer first, of which the newer most clearly states a later value of what is asked for."""
    kinds = kinds_asked(question.text)
    if not kinds:
        return
    stated = [_best_sentence(question, [s for s in sentences(one.text) if values(s, kinds)]) for one in best]
    found = [values(sentence, kinds) for sentence, _ in stated]
    pairs = [
        (newer, old)
        for old in range(min(_ANCHORS, len(best)))
        for newer in range(old + 1, len(best))
        if best[newer].voice == best[old].voice
        and is_newer(best[newer], best[old])
        and _may_rise(best[newer], best[old])
        and found[old]
        and found[newer] - found[old]
    ]
    if not pairs:
        return
    later = sorted({newer for newer, _ in pairs})
    vectors = StaticEmbedder.bundled().embed([question.text, *(stated[at][0][:600] for at in later)])
    meaning = dict(zip(later, (vectors[1:] @ vectors[0]).tolist(), strict=True))

    def clear(pair: tuple[int, int]) -> float:
        newer, old = pair
        sentence = stated[newer][0]
        return float(
            _CHANGED * is_changed(sentence, kinds)
            + _MEANING * meaning[newer]
            + _TOP * (old == 0)
            + _PLACE * newer
            + _LENGTH * np.log(len(sentence) + 1)
            + _MANY * len(found[newer])
            + _BIAS
        )

    best_pair = max(pairs, key=clear)
    if clear(best_pair) > _LEAST:
        yield best_pair


def _denied(question: Question, best: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    """Pairs of places, newer first, of which one denies what the other says, about the same part of the question."""
    stated = [_best_sentence(question, sentences(one.text)) for one in best]
    for old in range(min(_ANCHORS, len(best))):
        for newer in range(old + 1, len(best)):
            (said, met), (denied, met_newer) = stated[old], stated[newer]
            if (
                best[newer].voice == best[old].voice
                and is_newer(best[newer], best[old])
                and best[old].logit - best[newer].logit <= _GAP
                and met_newer >= max(0.3, 0.8 * met)
                and bool(_denial.search(said)) != bool(_denial.search(denied))
            ):
                yield newer, old


def _best_sentence(question: Question, parts: Sequence[str]) -> tuple[str, float]:
    """The sentence that meets most of the question, and what share of the question's content words it holds."""
    best = ("", -1.0)
    for part in parts:
        met = _share(question, set(hash_words(split(part))))
        if met > best[1]:
            best = (part, met)
    return best


def _share(question: Question, held: set[int]) -> float:
    """The share of the question's content words, weighted by rarity, that are among some stems."""
    whole = sum(question.weights.values())
    return sum(question.weights[key] for key in question.weights.keys() & held) / whole if whole else 0.0
