"""What the small language model is taught with: pages of facts with questions about them, and facts without a page.

On a page stand the opening line, lines as Mnemos renders memories, and after them questions, each of which sees the
page and itself: as if it stood there alone, so that many are asked in one pass.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mnemos.bench.forms.people import DAYS, RELATIONS, STRANGERS, Fact, alike, day, facts
from mnemos.bench.forms.words import BEGINNING, END, HEADS, ids_of, vocabulary
from mnemos.rendering import OPENING_LINE

UNASKED = -100
"""The label of a token that is not learned."""
_PAGE, _FILLING = -1, -2
"""Whose a token is: the page's, or nobody's; that of a question has its number."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts that are read at once, all [texts, tokens] but the mask."""

    ids: Tensor
    labels: Tensor
    """What is to be said after each token, `UNASKED` where nothing is."""
    places: Tensor | None = None
    mask: Tensor | None = None
    """Which tokens see which, [texts, 1, tokens, tokens]; None: each all before it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its answer, as token ids."""

    question: tuple[int, ...]
    answer: tuple[int, ...]
    """Ends with the token that ends a text."""

    @classmethod
    def of(cls, prompt: str, fact: Fact) -> Asked:
        """A fact asked for in these words."""
        return cls(tuple(ids_of(prompt)), (*ids_of(fact.answer), vocabulary()[END]))

    @property
    def labels(self) -> list[int]:
        """What is to be said after each of its tokens."""
        return [*[UNASKED] * (len(self.question) - 1), *self.answer, UNASKED]

    @property
    def ids(self) -> list[int]:
        """Question and answer."""
        return [*self.question, *self.answer]


class Teacher:
    """Draws batches by chance, from a seed.

    Args:
        known: facts that are to be known by heart.
        seed: the same one draws the same batches in the same order.
    """

    def __init__(self, known: Sequence[Fact], seed: int) -> None:
        self._known = known
        self._drawn = random.Random(seed)
        self._generator = torch.Generator().manual_seed(seed)
        self._opening = [vocabulary()[BEGINNING], *ids_of(OPENING_LINE)]

    def pairs(self, texts: int, count: int, passes: int) -> Batch:
        """Strangers and values in pairs, and again in another order, as in `tasks`: recall without sentences."""
        words, generator = vocabulary(), self._generator
        people = torch.tensor([words[name] for name in STRANGERS])
        values = torch.tensor([words[value] for relation in RELATIONS for value in relation.values])
        who = people[torch.rand(texts, len(people), generator=generator).argsort(1)[:, :count]]
        what = values[torch.randint(len(values), (texts, count), generator=generator)]
        order = torch.cat([torch.rand(texts, count, generator=generator).argsort(1) for _ in range(passes)], 1)
        told = torch.stack([who, what], 2).flatten(1)
        asked = torch.stack([who.gather(1, order), what.gather(1, order)], 2).flatten(1)
        ids = torch.cat([torch.full((texts, 1), self._opening[0]), told, asked], 1)
        labels = torch.full_like(ids, UNASKED)
        labels[:, 1 + 2 * count :: 2] = asked[:, 1::2]
        return Batch(ids, labels)

    def pages(self, texts: int, count: int, questions: int, *, bare: float, plain: float, terse: float = 0.0) -> Batch:
        """Pages of facts about strangers.

        Args:
            texts: how many pages.
            count: facts on each; on most pages all of one relation, as far as there are people.
            questions: about each page; one in ten is about somebody who is known by heart and does not stand there.
            bare: the share of the batches in which lines have no date and no speaker.
            plain: the share of the questions that are the beginning of the sentence that stands on the page.
            terse: the share of the pages on which a person and a value are all that a line says.
        """
        headless = self._drawn.random() < bare
        made = [
            self._terse(count, questions)
            if self._drawn.random() < terse
            else self._page(count, questions, headless, plain)
            for _ in range(texts)
        ]
        start = max(len(page) for page, _ in made)
        width = start + max(sum(len(one.ids) for one in asked) for _, asked in made)
        ids = torch.zeros(texts, width, dtype=torch.int64)
        labels, owners, places = torch.full_like(ids, UNASKED), torch.full_like(ids, _FILLING), torch.zeros_like(ids)
        for row, (page, asked) in enumerate(made):
            ids[row, : len(page)] = torch.tensor(page)
            owners[row, : len(page)] = _PAGE
            places[row, : len(page)] = torch.arange(len(page))
            at = start
            for number, one in enumerate(asked):
                end = at + len(one.ids)
                ids[row, at:end], labels[row, at:end] = torch.tensor(one.ids), torch.tensor(one.labels)
                owners[row, at:end], places[row, at:end] = number, torch.arange(len(page), len(page) + end - at)
                at = end
        return Batch(ids, labels, places, _seen(owners))

    def by_heart(self, count: int) -> Batch:
        """Questions about what is to be known by heart: without a page, or after one on which nothing stands."""
        asked, before = [], []
        for fact in self._drawn.sample(self._known, count):
            asked.append(self._asked(fact, 0.3))
            before.append(self._drawn.choices([[], self._opening[:1], self._opening], [7, 1, 2])[0])
        width = max(len(first) + len(one.ids) for first, one in zip(before, asked, strict=True))
        ids = torch.zeros(count, width, dtype=torch.int64)
        labels = torch.full_like(ids, UNASKED)
        for row, (first, one) in enumerate(zip(before, asked, strict=True)):
            end = len(first) + len(one.ids)
            ids[row, :end] = torch.tensor([*first, *one.ids])
            labels[row, len(first) : end] = torch.tensor(one.labels)
        return Batch(ids, labels)

    def _page(self, count: int, questions: int, headless: bool, plain: float) -> tuple[list[int], list[Asked]]:
        drawn = self._drawn
        mixed = drawn.random() < 0.4 or count > len(STRANGERS)
        told = facts(STRANGERS, drawn, count) if mixed else alike(STRANGERS, drawn, count)
        page = list(self._opening)
        for fact in told:
            head = "" if headless else f"[{day(drawn.randrange(DAYS)):%Y-%m-%d}] {drawn.choice(HEADS)}: "
            page += ids_of(f"{head}{fact.text}\n")
        about = [drawn.choice(self._known if drawn.random() < 0.1 else told) for _ in range(questions)]
        return page, [self._asked(fact, plain) for fact in about]

    def _terse(self, count: int, questions: int) -> tuple[list[int], list[Asked]]:
        told, page = alike(STRANGERS, self._drawn, count), list(self._opening)
        for fact in told:
            page += ids_of(f"{fact.person} {fact.answer}.\n")
        return page, [Asked.of(fact.person, fact) for fact in self._drawn.choices(told, k=questions)]

    def _asked(self, fact: Fact, plain: float) -> Asked:
        if self._drawn.random() < plain:
            return Asked.of(f"{fact.person} {fact.relation.says}", fact)
        return Asked.of(self._drawn.choice(fact.questions), fact)


def _seen(owners: Tensor) -> Tensor:
    """Which tokens see which: a question the page and itself, the page itself, and nobody what comes later."""
    width = owners.shape[1]
    whose, seen = owners[:, :, None], owners[:, None, :]
    mask = (whose == seen) | ((whose >= 0) & (seen == _PAGE))
    mask &= torch.ones(width, width, dtype=torch.bool).tril()
    return (mask | torch.eye(width, dtype=torch.bool))[:, None]
